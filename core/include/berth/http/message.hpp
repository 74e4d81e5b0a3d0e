// SPDX-License-Identifier: Apache-2.0
#pragma once

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

/// TLS and proxy settings of one registry; part of a connection's identity.
struct ConnectionOptions {
  std::string ca_file;           ///< PEM, besides the system's; "" for none
  std::string client_cert_file;  ///< PEM
  std::string client_key_file;   ///< PEM; "" when it is in the certificate's file
  bool insecure_skip_verify = false;
  friend bool operator==(const ConnectionOptions&, const ConnectionOptions&) = default;
};

struct Request {
  std::string method = "GET";
  Url url;
  Headers headers;
  /// The Authorization header's value. Apart from the other headers so that it cannot be logged,
  /// and so that only the URL policy decides where it goes. Empty: none.
  Secret authorization;
  std::string body;                                     ///< small bodies (token forms)
  std::shared_ptr<const ConnectionOptions> connection;  ///< nullptr: defaults
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

  /// Content-Length, when there is a valid one.
  std::optional<std::uint64_t> content_length() const;
};

/// Reads a body to its end; Errc::too_large beyond `limit`.
Result<std::string> read_all(Body& body, std::size_t limit, const Context& context);

}  // namespace berth::http
