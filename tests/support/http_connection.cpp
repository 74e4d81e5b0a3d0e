// SPDX-License-Identifier: Apache-2.0
#include "support/http_connection.hpp"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace berth::test {
namespace {

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

const char* reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 307:
      return "Temporary Redirect";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 416:
      return "Range Not Satisfiable";
    case 429:
      return "Too Many Requests";
    default:
      return "Status";
  }
}

std::string head_of(const HttpReply& reply) {
  std::string head =
      "HTTP/1.1 " + std::to_string(reply.status) + " " + reason_of(reply.status) + "\r\n";
  bool has_length = reply.status == 204 || reply.status == 304;
  for (const auto& [name, value] : reply.headers) {
    head += name + ": " + value + "\r\n";
    has_length = has_length || same_name(name, "Content-Length");
  }
  if (reply.framing == HttpReply::Framing::chunked) {
    head += "Transfer-Encoding: chunked\r\n";
  } else if (reply.framing == HttpReply::Framing::length && !has_length) {
    const auto length = reply.claimed_length.value_or(reply.body_size());
    head += "Content-Length: " + std::to_string(length) + "\r\n";
  }
  if (reply.close || reply.framing == HttpReply::Framing::until_close) {
    head += "Connection: close\r\n";
  }
  return head + "\r\n";
}

std::string chunk_head(std::size_t size) {
  char text[32];
  std::snprintf(text, sizeof text, "%zx\r\n", size);
  return text;
}

}  // namespace

HttpConnection::HttpConnection(int fd, SSL_CTX* tls)
    : fd_(fd) {
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (tls != nullptr) {
    ssl_ = SSL_new(tls);
    SSL_set_fd(ssl_, fd_);
  }
}

HttpConnection::~HttpConnection() {
  SSL_free(ssl_);
  ::close(fd_);
}

bool HttpConnection::handshake() { return ssl_ == nullptr || SSL_accept(ssl_) == 1; }

void HttpConnection::shut_down() {
  ended_ = true;
  ::shutdown(fd_, SHUT_RDWR);
}

void HttpConnection::reset() {
  ended_ = true;
  const linger now{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  // Dissolving the association sends RST at once. Newer kernels refuse that while a thread waits on
  // the socket: then that thread is woken and its close(2) sends it. SHUT_RD alone, because a full
  // shutdown would send the FIN that the reset is meant to replace.
  sockaddr nowhere{};
  nowhere.sa_family = AF_UNSPEC;
  if (::connect(fd_, &nowhere, sizeof nowhere) != 0) ::shutdown(fd_, SHUT_RD);
}

void HttpConnection::cut(bool with_reset) {
  if (!with_reset) return;
  // RST drops what was not sent yet: a cut at byte N means that N bytes do arrive.
  for (int turn = 0; turn < 5000 && !ended_; ++turn) {
    int unsent = 0;
    if (::ioctl(fd_, SIOCOUTQ, &unsent) != 0 || unsent == 0) break;
    ::poll(nullptr, 0, 1);
  }
  reset();
}

bool HttpConnection::wait_writable() {
  while (!ended_) {
    pollfd waiting{fd_, POLLOUT | POLLRDHUP, 0};
    ::poll(&waiting, 1, -1);
    if ((waiting.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) return false;
    if ((waiting.revents & POLLOUT) != 0) return true;
    // The client closed its half, or reset() was called: see which.
    if (!ended_) ::poll(nullptr, 0, 1);
  }
  return false;
}

bool HttpConnection::fill() {
  char chunk[16 * 1024];
  ssize_t got = 0;
  if (ssl_ != nullptr) {
    got = SSL_read(ssl_, chunk, sizeof chunk);
  } else {
    do {
      got = ::recv(fd_, chunk, sizeof chunk, 0);
    } while (got < 0 && errno == EINTR);
  }
  if (got <= 0) return false;
  buffer_.append(chunk, static_cast<std::size_t>(got));
  return true;
}

bool HttpConnection::read_line(std::string& line) {
  for (;;) {
    if (const auto end = buffer_.find("\r\n"); end != std::string::npos) {
      line = buffer_.substr(0, end);
      buffer_.erase(0, end + 2);
      return true;
    }
    if (!fill()) return false;
  }
}

bool HttpConnection::read_exact(std::size_t count, std::string& out) {
  while (buffer_.size() < count) {
    if (!fill()) return false;
  }
  out.append(buffer_, 0, count);
  buffer_.erase(0, count);
  return true;
}

bool HttpConnection::read_piece(std::uint64_t count, HttpRequest& request, const BodyFault& fault) {
  std::string& body = request.body;
  const std::uint64_t end = body.size() + count;
  const auto stops_at = [&](std::uint64_t at) { return body.size() <= at && at < end; };
  if (fault.gate != nullptr && stops_at(fault.gate_at)) {
    if (!read_exact(fault.gate_at - body.size(), body)) return false;
    fault.gate->pass();
  }
  if (fault.cut_at && stops_at(*fault.cut_at)) {
    request.is_cut = true;
    return read_exact(*fault.cut_at - body.size(), body);
  }
  return read_exact(end - body.size(), body);
}

bool HttpConnection::read_body(HttpRequest& request, const BodyFault& fault) {
  if (fault.answer_now) return true;
  const std::string length = request.header("Content-Length");
  const bool chunked = same_name(request.header("Transfer-Encoding"), "chunked");
  if (same_name(request.header("Expect"), "100-continue") &&
      !write("HTTP/1.1 100 Continue\r\n\r\n")) {
    return false;
  }
  if (!chunked) return length.empty() || read_piece(std::stoull(length), request, fault);
  for (;;) {
    std::string line;
    if (!read_line(line)) return false;
    const std::size_t size = std::strtoull(line.c_str(), nullptr, 16);
    if (!read_piece(size, request, fault)) return false;
    if (request.is_cut) return true;
    if (!read_line(line)) return false;  // after the data, or after the last chunk
    if (size == 0) return true;
  }
}

constexpr std::string_view kBadRequest =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Connection: close\r\n\r\n400 Bad Request";

std::optional<HttpRequest> HttpConnection::read_head() {
  constexpr char kTlsHandshake = 0x16;
  if (buffer_.empty() && !fill()) return std::nullopt;
  if (buffer_.front() == kTlsHandshake) {
    // As servers in Go do: from this answer docker sees that it may try again in the open.
    write(kBadRequest);
    return std::nullopt;
  }
  std::string line;
  if (!read_line(line)) return std::nullopt;
  HttpRequest request;
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string::npos || last == first) return std::nullopt;
  request.method = line.substr(0, first);
  request.target = line.substr(first + 1, last - first - 1);
  for (;;) {
    if (!read_line(line)) return std::nullopt;
    if (line.empty()) break;
    const auto colon = line.find(':');
    if (colon == std::string::npos) return std::nullopt;
    const auto value = line.find_first_not_of(" \t", colon + 1);
    request.headers.emplace_back(line.substr(0, colon),
                                 value == std::string::npos ? "" : line.substr(value));
  }
  return request;
}

bool HttpConnection::write(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t put = 0;
    if (ssl_ != nullptr) {
      const auto some = std::min<std::size_t>(bytes.size(), 1 << 20);
      put = SSL_write(ssl_, bytes.data(), static_cast<int>(some));
    } else {
      if (!wait_writable()) return false;
      put = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (put < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    }
    if (put <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

bool HttpConnection::write_piece(const HttpReply& reply, std::string_view piece) {
  if (reply.framing != HttpReply::Framing::chunked) return write(piece);
  return write(chunk_head(piece.size())) && write(piece) && write("\r\n");
}

bool HttpConnection::write_body(const HttpReply& reply, std::atomic<std::uint64_t>& body_bytes) {
  const std::string_view body = reply.body_view();
  std::uint64_t sent = 0;
  bool gate_passed = reply.gate == nullptr;
  for (;;) {
    if (!gate_passed && sent >= std::min<std::uint64_t>(reply.gate_at, body.size())) {
      reply.gate->pass();
      gate_passed = true;
    }
    if (reply.cut_at && sent >= *reply.cut_at) return false;
    if (sent == body.size()) break;
    std::uint64_t end = std::min<std::uint64_t>(sent + reply.piece, body.size());
    if (!gate_passed) end = std::min(end, reply.gate_at);
    if (reply.cut_at) end = std::min(end, *reply.cut_at);
    const std::string_view piece = body.substr(sent, end - sent);
    if (!write_piece(reply, piece)) return false;
    body_bytes += piece.size();
    sent = end;
  }
  if (reply.framing == HttpReply::Framing::chunked && !write("0\r\n\r\n")) return false;
  return reply.extra.empty() || write(reply.extra);
}

bool HttpConnection::send(const HttpReply& reply, const HttpRequest& request,
                          std::atomic<std::uint64_t>& body_bytes) {
  if (reply.cut_before_status) {
    cut(reply.cut_with_reset);
    return false;
  }
  if (reply.raw) {
    write(*reply.raw);
    return false;
  }
  if (!write(head_of(reply))) return false;
  const bool bodiless = request.method == "HEAD" || reply.status == 204 || reply.status == 304;
  if (!bodiless && !write_body(reply, body_bytes)) {
    if (reply.cut_at) cut(reply.cut_with_reset);
    return false;
  }
  return !reply.close && reply.framing != HttpReply::Framing::until_close &&
         !same_name(request.header("Connection"), "close");
}

}  // namespace berth::test
