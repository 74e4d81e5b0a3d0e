// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <optional>
#include <string>

#include <openssl/ssl.h>

#include "support/http_server.hpp"

namespace berth::test {

/// The bytes of one accepted connection, plain or TLS, and HTTP's framing over them. One thread
/// uses it; shut_down() and reset() may come from another.
class HttpConnection {
 public:
  HttpConnection(int fd, SSL_CTX* tls);  ///< takes the descriptor
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  bool handshake();
  /// nullopt when the client went away or did not speak HTTP.
  std::optional<HttpRequest> read_head();
  /// False when the client went away. One that a fault cut comes back `is_cut`.
  bool read_body(HttpRequest& request, const BodyFault& fault);
  /// False when the connection is over. Counts the body's bytes in `body_bytes`.
  bool send(const HttpReply& reply, const HttpRequest& request,
            std::atomic<std::uint64_t>& body_bytes);

  void shut_down();  ///< wakes whoever reads or writes
  void reset();      ///< the same, by RST

 private:
  bool fill();
  bool read_line(std::string& line);
  bool read_exact(std::size_t count, std::string& out);
  bool read_piece(std::uint64_t count, HttpRequest& request, const BodyFault& fault);
  bool write(std::string_view bytes);
  bool write_body(const HttpReply& reply, std::atomic<std::uint64_t>& body_bytes);
  bool wait_writable();
  void cut(bool with_reset);
  bool write_piece(const HttpReply& reply, std::string_view piece);

  int fd_;
  SSL* ssl_ = nullptr;
  std::atomic<bool> ended_ = false;
  std::string buffer_;
};

}  // namespace berth::test
