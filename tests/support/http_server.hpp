// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/tls_certificates.hpp"

namespace berth::test {

/// A door that is shut until somebody opens it: how tests hold a server at a chosen byte without
/// any sleep. Share it by shared_ptr. Thread safe.
class Gate {
 public:
  void open();
  bool is_open() const;
  /// Until it is open. Servers pass it through; an open gate stays open.
  void pass();
  /// Has at least one (or `count`) come to the door? False when `timeout` passed first.
  bool wait_for_arrivals(int count = 1,
                         std::chrono::milliseconds timeout = std::chrono::seconds(10));

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int arrivals_ = 0;
};

using HttpFields = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;
  std::string target;  ///< as it came: "/v2/a/tags/list?n=2"
  HttpFields headers;
  std::string body;
  bool is_cut = false;  ///< the connection ended within the body, by a BodyFault
  int connection = 0;   ///< the how-manieth connection of the server it came on, from 1

  std::string path() const;                         ///< of the target, without the query
  std::string header(std::string_view name) const;  ///< the first one; "" when absent
  bool has_header(std::string_view name) const;
  std::string query(std::string_view name) const;                 ///< decoded; "" when absent
  std::vector<std::string> queries(std::string_view name) const;  ///< every one
};

/// What is sent, to the byte. A plain one is {200, headers, body}; the rest is for misbehaving.
struct HttpReply {
  int status = 200;
  HttpFields headers{};  ///< Content-Length is added unless it is here or `framing` says otherwise
  std::string body{};
  std::shared_ptr<const std::string> shared_body{};  ///< instead of `body`: not copied
  std::uint64_t shared_offset = 0;
  std::optional<std::uint64_t> shared_length{};  ///< absent: to its end

  enum class Framing : unsigned char { length, chunked, until_close };
  Framing framing = Framing::length;
  std::optional<std::uint64_t> claimed_length{};  ///< Content-Length that is not the body's size
  std::string extra{};                            ///< bytes after the body, beyond its length
  std::size_t piece = 256 * 1024;                 ///< how much of the body is given to one write
  bool close = false;                             ///< Connection: close

  std::shared_ptr<Gate> before{};  ///< passed before the status line is sent
  std::shared_ptr<Gate> gate{};    ///< passed when `gate_at` bytes of the body have gone out
  std::uint64_t gate_at = 0;
  std::chrono::milliseconds latency{0};   ///< before the status line, beside `before`
  std::optional<std::uint64_t> cut_at{};  ///< the connection ends after so many bytes of the body
  bool cut_with_reset = true;             ///< by RST, else by FIN
  bool cut_before_status = false;         ///< the connection ends where the answer should begin
  std::optional<std::string> raw{};  ///< sent as it is instead of everything above; then closed

  void set_header(std::string_view name, std::string value);  ///< replaces
  void remove_header(std::string_view name);
  std::string header(std::string_view name) const;
  std::uint64_t body_size() const;
  std::string_view body_view() const;
};

/// What befalls a request's body while it is read.
struct BodyFault {
  std::shared_ptr<Gate> gate{};  ///< passed before byte `gate_at` is read; the client has to wait
  std::uint64_t gate_at = 0;
  /// The connection ends, by RST, when so many bytes were read. The handler sees the request with
  /// those, as a server does that writes what it gets; its reply goes nowhere.
  std::optional<std::uint64_t> cut_at{};
  bool answer_now = false;  ///< the body is not read: the reply comes at once, then the end
};

struct HttpServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;                        ///< 0: a free one
  std::shared_ptr<const TlsCertificates> tls{};  ///< nullptr: plain http
  bool require_client_certificate = false;
};

/// An HTTP/1.1 server for tests, on loopback, a thread for each connection, with keep-alive. It
/// says exactly what its handler tells it to say. Thread safe; its destructor ends every connection
/// and opens every gate it waits at.
class HttpServer {
 public:
  using Handler = std::function<HttpReply(const HttpRequest&)>;

  explicit HttpServer(Handler handler, HttpServerOptions options = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Asked when the head of a request was read, before its body.
  void on_body(std::function<BodyFault(const HttpRequest& head)> fault);

  std::uint16_t port() const noexcept;
  std::string host() const;    ///< "127.0.0.1:34567"
  std::string origin() const;  ///< "http://127.0.0.1:34567"

  /// Refuses connections and ends those there are, as a killed server does; start() brings it back
  /// on the same port.
  void stop();
  void start();
  /// Ends every connection by RST, and goes on accepting.
  void reset_connections();

  int connections() const;     ///< accepted so far
  int requests() const;        ///< read so far
  int peak_in_flight() const;  ///< most requests that were being answered at once
  std::uint64_t body_bytes_sent() const;
  /// A client may have read bytes that the server has not counted yet: waits until it has `bytes`,
  /// and gives what it has.
  std::uint64_t wait_for_body_bytes(
      std::uint64_t bytes, std::chrono::milliseconds timeout = std::chrono::seconds(10)) const;
  std::vector<HttpRequest> log() const;  ///< in the order of arrival
  void clear_log();                      ///< and sets the counters to zero
  /// How many logged requests have this method ("" for any) and a target that `glob` matches
  /// ('*' for anything).
  int count(std::string_view method, std::string_view glob) const;
  /// Until `count` requests were read; false when `timeout` passed first.
  bool wait_for_requests(int count, std::chrono::milliseconds timeout = std::chrono::seconds(10));

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// '*' stands for any characters, '/' included; everything else for itself.
bool glob_matches(std::string_view glob, std::string_view text);
/// %XX and '+' of a query.
std::string url_decode(std::string_view text);

}  // namespace berth::test
