// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "berth/base/bytes.hpp"
#include "berth/base/context.hpp"
#include "berth/base/secret.hpp"
#include "berth/http/address.hpp"
#include "berth/http/url.hpp"

namespace berth::http {

/// Header fields in order; names compare without case.
class Headers {
 public:
  void add(std::string name, std::string value);
  void set(std::string_view name, std::string value);
  void remove(std::string_view name);
  const std::string* find(std::string_view name) const noexcept;   ///< the first one
  std::vector<std::string_view> all(std::string_view name) const;  ///< every one, in order
  const std::vector<std::pair<std::string, std::string>>& fields() const noexcept {
    return fields_;
  }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

/// TLS settings of one registry; part of a connection's identity. A redirect to another origin
/// keeps the CA files only: neither the client certificate nor `insecure_skip_verify` was meant for
/// it. Files are read when first needed, and again when they changed, not when they are gone; one
/// that cannot be read is Errc::invalid_argument before anything is sent.
struct ConnectionOptions {
  std::string ca_file;                       ///< PEM, besides the system's; "" for none
  std::vector<std::string> more_ca_files{};  ///< PEM, besides that one
  std::string client_cert_file;              ///< PEM, or PKCS#12 with the key in it
  std::string client_key_file;               ///< PEM; "" when it is in the certificate's file
  /// Of a key that is encrypted, or of the PKCS#12 file. Without one, an encrypted key is
  /// Errc::untrusted and never a question on the terminal.
  Secret client_key_password{};
  /// Its first line, where that is not set.
  std::string client_key_password_file{};
  bool insecure_skip_verify = false;
  bool http2 = false;  ///< where the server offers it (TLS only), for all that is not `http1_only`
  friend bool operator==(const ConnectionOptions&, const ConnectionOptions&) = default;
};

/// A request's body that is made while it is sent: of a file, of a stream whose length nobody
/// knows. Used by one thread, the one that sends.
class BodySource {
 public:
  virtual ~BodySource() = default;
  /// Its bytes, where that is known: Content-Length; else it goes out chunked (RFC 9112 section
  /// 7.1).
  virtual std::optional<std::uint64_t> size() const = 0;
  /// Begins anew. Called before each sending, the first one too; an error when it cannot: the
  /// request is not sent (again) then.
  virtual Result<void> rewind() = 0;
  /// The next bytes, valid until the next call; empty at the end.
  virtual Result<ByteView> next(const Context& context) = 0;
};

/// Bytes that must outlive it.
std::unique_ptr<BodySource> make_bytes_source(ByteView bytes);

struct Request {
  std::string method = "GET";
  Url url;
  Headers headers;
  /// The Authorization header's value. Apart from the other headers so that it cannot be logged,
  /// and so that only the URL policy decides where it goes. Empty: none.
  Secret authorization;
  std::string body;                    ///< small bodies (token forms)
  std::shared_ptr<BodySource> source;  ///< large ones, in place of `body`
  /// The longest silence of the server once it has the whole request; zero: the transport's stall
  /// timeout. A registry that is given the last byte of a blob may read all of it again.
  std::chrono::milliseconds patience{0};
  std::shared_ptr<const ConnectionOptions> connection;  ///< nullptr: defaults
  /// The host was named for plain http (a command line option, hosts.toml, a configured insecure
  /// registry). Without it http leads to loopback only; Errc::untrusted else.
  bool allow_plain_http = false;
  /// Where the name may not lead when it is resolved: the connection is not made, Errc::untrusted.
  /// The Client sets it for redirects; whoever follows another URL that a server named sets it by
  /// url_policy. Through a proxy the proxy resolves and nothing can be checked.
  AddressClasses forbidden_addresses;
  /// A blob's body: parallel ones over one HTTP/2 connection would share its window, and one that
  /// its reader holds back would hold up the others.
  bool http1_only = false;
  bool follow_redirects = true;  ///< by the Client, GET and HEAD only
  bool repeatable = false;       ///< a POST that may be sent twice; GET and HEAD always may
};

/// A response's body as it arrives. One thread reads it; destroying it early ends the transfer.
class Body {
 public:
  virtual ~Body() = default;
  /// The next bytes, at most 512 KiB, valid until the next call; empty at the end. The transport
  /// reads ahead at most limits::kQueueBytes and then holds the sender back. A body that ends
  /// before its Content-Length is Errc::unavailable (retryable).
  virtual Result<ByteView> next(const Context& context) = 0;
};

struct Response {
  int status = 0;
  Headers headers;
  std::unique_ptr<Body> body;  ///< never nullptr
  Url url;                     ///< what answered, after redirects
  /// How far away the address is that answered; nullopt when a proxy answered or nobody knows.
  std::optional<AddressClass> peer;

  /// Content-Length, when there is a valid one.
  std::optional<std::uint64_t> content_length() const;
};

/// Content-Range of a 206 (RFC 9110 section 14.4): "bytes 5-9/100".
struct ContentRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;              ///< inclusive
  std::optional<std::uint64_t> total;  ///< nullopt for "*"
  friend bool operator==(const ContentRange&, const ContentRange&) = default;
};
std::optional<ContentRange> parse_content_range(std::string_view value);

/// A body of bytes that are there already: for tests, and for answers that berth makes itself.
std::unique_ptr<Body> make_string_body(std::string bytes);

/// Reads what is left of an answer that nobody wants, so that its connection can be used again;
/// not when that would take long.
void drain(Response& response, const Context& context);

/// Reads a body to its end; Errc::too_large beyond `limit`.
Result<std::string> read_all(Body& body, std::size_t limit, const Context& context);

}  // namespace berth::http
