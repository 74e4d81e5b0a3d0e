// SPDX-License-Identifier: Apache-2.0
#include "support/http_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <stdexcept>
#include <thread>

#include <openssl/ssl.h>

#include "support/http_connection.hpp"

namespace berth::test {

namespace {

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string find_header(const HttpFields& fields, std::string_view name) {
  for (const auto& [key, value] : fields) {
    if (same_name(key, name)) return value;
  }
  return {};
}

}  // namespace

void Gate::open() {
  const std::lock_guard lock(mutex_);
  open_ = true;
  changed_.notify_all();
}

bool Gate::is_open() const {
  const std::lock_guard lock(mutex_);
  return open_;
}

void Gate::pass() {
  std::unique_lock lock(mutex_);
  ++arrivals_;
  changed_.notify_all();
  changed_.wait(lock, [this] { return open_; });
}

bool Gate::wait_for_arrivals(int count, std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [&] { return arrivals_ >= count; });
}

std::string HttpRequest::path() const { return target.substr(0, target.find('?')); }

std::string HttpRequest::header(std::string_view name) const { return find_header(headers, name); }

bool HttpRequest::has_header(std::string_view name) const {
  return std::ranges::any_of(headers,
                             [&](const auto& field) { return same_name(field.first, name); });
}

std::vector<std::string> HttpRequest::queries(std::string_view name) const {
  std::vector<std::string> values;
  const auto mark = target.find('?');
  if (mark == std::string::npos) return values;
  std::string_view rest = std::string_view(target).substr(mark + 1);
  while (!rest.empty()) {
    const auto end = std::min(rest.find('&'), rest.size());
    const std::string_view pair = rest.substr(0, end);
    const auto equals = std::min(pair.find('='), pair.size());
    if (url_decode(pair.substr(0, equals)) == name) {
      values.push_back(url_decode(pair.substr(std::min(equals + 1, pair.size()))));
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return values;
}

std::string HttpRequest::query(std::string_view name) const {
  const auto values = queries(name);
  return values.empty() ? std::string() : values.front();
}

void HttpReply::set_header(std::string_view name, std::string value) {
  remove_header(name);
  headers.emplace_back(name, std::move(value));
}

void HttpReply::remove_header(std::string_view name) {
  std::erase_if(headers, [&](const auto& field) { return same_name(field.first, name); });
}

std::string HttpReply::header(std::string_view name) const { return find_header(headers, name); }

std::string_view HttpReply::body_view() const {
  if (shared_body == nullptr) return body;
  const std::string_view whole = *shared_body;
  return whole.substr(shared_offset, shared_length.value_or(whole.size() - shared_offset));
}

std::uint64_t HttpReply::body_size() const { return body_view().size(); }

struct HttpServer::Impl {
  Handler handler;
  HttpServerOptions options;
  std::function<BodyFault(const HttpRequest&)> body_fault;
  SSL_CTX* tls = nullptr;
  std::uint16_t port = 0;
  int listener = -1;
  std::thread acceptor;

  mutable std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false;
  std::set<HttpConnection*> open;
  std::multiset<std::shared_ptr<Gate>> waiting;
  int threads = 0;
  int accepted = 0;
  int in_flight = 0;
  int peak = 0;
  std::vector<HttpRequest> log;
  std::atomic<std::uint64_t> body_bytes = 0;

  ~Impl() { SSL_CTX_free(tls); }
  void load_tls();
  void listen();
  void accept_loop();
  void serve(int fd, int number);
  void answer_requests(HttpConnection& connection, int number);
  bool answer(HttpConnection& connection, const HttpRequest& request);
  BodyFault fault_for(const HttpRequest& head);
  bool read_body(HttpConnection& connection, HttpRequest& request, const BodyFault& fault);
  void stop();
};

void HttpServer::Impl::load_tls() {
  if (options.tls == nullptr) return;
  tls = SSL_CTX_new(TLS_server_method());
  const auto& files = *options.tls;
  const bool ok =
      SSL_CTX_use_certificate_file(tls, files.server_cert().c_str(), SSL_FILETYPE_PEM) == 1 &&
      SSL_CTX_use_PrivateKey_file(tls, files.server_key().c_str(), SSL_FILETYPE_PEM) == 1 &&
      SSL_CTX_load_verify_locations(tls, files.ca_file().c_str(), nullptr) == 1;
  if (!ok) throw std::runtime_error("HttpServer: cannot use the certificates");
  if (options.require_client_certificate) {
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
}

void HttpServer::Impl::listen() {
  listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port != 0 ? port : options.port);
  ::inet_pton(AF_INET, options.address.c_str(), &address.sin_addr);
  socklen_t size = sizeof address;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener, 1024) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("HttpServer: cannot listen on " + options.address);
  }
  port = ntohs(address.sin_port);
}

void HttpServer::Impl::accept_loop() {
  for (;;) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (fd < 0) return;
    const std::lock_guard lock(mutex);
    if (stopping) {
      ::close(fd);
      return;
    }
    ++threads;
    const int number = ++accepted;
    std::thread([this, fd, number] { serve(fd, number); }).detach();
  }
}

void HttpServer::Impl::serve(int fd, int number) {
  // OpenSSL writes without MSG_NOSIGNAL.
  sigset_t pipe_signal;
  ::sigemptyset(&pipe_signal);
  ::sigaddset(&pipe_signal, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe_signal, nullptr);
  {
    HttpConnection connection(fd, tls);
    bool live = false;
    {
      const std::lock_guard lock(mutex);
      live = !stopping;
      if (live) open.insert(&connection);
    }
    if (live && connection.handshake()) answer_requests(connection, number);
    const std::lock_guard lock(mutex);
    open.erase(&connection);
  }
  const std::lock_guard lock(mutex);
  --threads;
  changed.notify_all();
}

void HttpServer::Impl::answer_requests(HttpConnection& connection, int number) {
  for (;;) {
    auto request = connection.read_head();
    if (!request) return;
    request->connection = number;
    const BodyFault fault = fault_for(*request);
    if (!read_body(connection, *request, fault)) return;
    {
      const std::lock_guard lock(mutex);
      if (stopping) return;
      log.push_back(*request);
      peak = std::max(peak, ++in_flight);
      changed.notify_all();
    }
    const bool go_on = answer(connection, *request) && !fault.answer_now;
    const std::lock_guard lock(mutex);
    --in_flight;
    if (!go_on || stopping) return;
  }
}

BodyFault HttpServer::Impl::fault_for(const HttpRequest& head) {
  const std::lock_guard lock(mutex);
  return body_fault ? body_fault(head) : BodyFault{};
}

bool HttpServer::Impl::read_body(HttpConnection& connection, HttpRequest& request,
                                 const BodyFault& fault) {
  if (fault.gate) {
    const std::lock_guard lock(mutex);
    if (stopping) return false;
    waiting.insert(fault.gate);
  }
  const bool read = connection.read_body(request, fault);
  if (fault.gate) {
    const std::lock_guard lock(mutex);
    waiting.erase(waiting.find(fault.gate));
  }
  return read;
}

bool HttpServer::Impl::answer(HttpConnection& connection, const HttpRequest& request) {
  const HttpReply reply = handler(request);
  if (request.is_cut) {
    connection.reset();
    return false;
  }
  {
    std::unique_lock lock(mutex);
    if (reply.latency.count() > 0) {
      changed.wait_for(lock, reply.latency, [this] { return stopping; });
    }
    if (stopping) return false;
    if (reply.before) waiting.insert(reply.before);
    if (reply.gate) waiting.insert(reply.gate);
  }
  if (reply.before) reply.before->pass();
  const bool go_on = connection.send(reply, request, body_bytes);
  const std::lock_guard lock(mutex);
  if (reply.before) waiting.erase(waiting.find(reply.before));
  if (reply.gate) waiting.erase(waiting.find(reply.gate));
  return go_on;
}

void HttpServer::Impl::stop() {
  {
    const std::lock_guard lock(mutex);
    if (listener < 0) return;
    stopping = true;
    changed.notify_all();
    for (HttpConnection* connection : open) connection->shut_down();
    for (const auto& gate : waiting) gate->open();
  }
  ::shutdown(listener, SHUT_RDWR);  // wakes accept(2); close(2) alone would not
  acceptor.join();
  ::close(listener);
  std::unique_lock lock(mutex);
  listener = -1;
  changed.wait(lock, [this] { return threads == 0; });
  stopping = false;
}

HttpServer::HttpServer(Handler handler, HttpServerOptions options)
    : impl_(std::make_shared<Impl>()) {
  impl_->handler = std::move(handler);
  impl_->options = std::move(options);
  impl_->load_tls();
  start();
}

HttpServer::~HttpServer() { stop(); }

void HttpServer::start() {
  if (impl_->listener >= 0) return;
  impl_->listen();
  impl_->acceptor = std::thread([impl = impl_.get()] { impl->accept_loop(); });
}

void HttpServer::stop() { impl_->stop(); }

void HttpServer::reset_connections() {
  const std::lock_guard lock(impl_->mutex);
  for (HttpConnection* connection : impl_->open) connection->reset();
}

void HttpServer::on_body(std::function<BodyFault(const HttpRequest& head)> fault) {
  const std::lock_guard lock(impl_->mutex);
  impl_->body_fault = std::move(fault);
}

std::uint16_t HttpServer::port() const noexcept { return impl_->port; }

std::string HttpServer::host() const {
  return impl_->options.address + ":" + std::to_string(impl_->port);
}

std::string HttpServer::origin() const {
  return (impl_->tls != nullptr ? "https://" : "http://") + host();
}

int HttpServer::connections() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->accepted;
}

int HttpServer::requests() const {
  const std::lock_guard lock(impl_->mutex);
  return static_cast<int>(impl_->log.size());
}

int HttpServer::peak_in_flight() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->peak;
}

std::uint64_t HttpServer::body_bytes_sent() const { return impl_->body_bytes; }

std::uint64_t HttpServer::wait_for_body_bytes(std::uint64_t bytes,
                                              std::chrono::milliseconds timeout) const {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (body_bytes_sent() < bytes && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  return body_bytes_sent();
}

std::vector<HttpRequest> HttpServer::log() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->log;
}

void HttpServer::clear_log() {
  const std::lock_guard lock(impl_->mutex);
  impl_->log.clear();
  impl_->accepted = 0;
  impl_->peak = impl_->in_flight;
  impl_->body_bytes = 0;
}

int HttpServer::count(std::string_view method, std::string_view glob) const {
  const std::lock_guard lock(impl_->mutex);
  return static_cast<int>(std::ranges::count_if(impl_->log, [&](const HttpRequest& request) {
    return (method.empty() || request.method == method) && glob_matches(glob, request.target);
  }));
}

bool HttpServer::wait_for_requests(int count, std::chrono::milliseconds timeout) {
  std::unique_lock lock(impl_->mutex);
  return impl_->changed.wait_for(lock, timeout,
                                 [&] { return static_cast<int>(impl_->log.size()) >= count; });
}

bool glob_matches(std::string_view glob, std::string_view text) {
  const auto star = glob.find('*');
  if (star == std::string_view::npos) return glob == text;
  if (!text.starts_with(glob.substr(0, star))) return false;
  const std::string_view rest = glob.substr(star + 1);
  for (std::size_t at = star; at <= text.size(); ++at) {
    if (glob_matches(rest, text.substr(at))) return true;
  }
  return false;
}

std::string url_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

}  // namespace berth::test
