// SPDX-License-Identifier: Apache-2.0
#include "http/curl_easy.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

#include "http/ip_address.hpp"
#include "http/proxy.hpp"

namespace berth::http {
namespace {

constexpr long kReceiveBuffer = 512L * 1024;
constexpr long kSendBuffer = 512L * 1024;

bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    const bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    return alnum || kMarks.find(c) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

// --- What curl calls, on the loop thread. Nothing may be thrown through curl's frames.

std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* context) noexcept {
  auto* transfer = static_cast<Transfer*>(context);
  try {
    return transfer->on_header({bytes, size * count}) ? size * count : 0;
  } catch (...) {
    transfer->on_exhausted();
    return 0;
  }
}

std::size_t on_data(char* bytes, std::size_t size, std::size_t count, void* context) noexcept {
  auto* transfer = static_cast<Transfer*>(context);
  try {
    const bool taken = transfer->on_data(as_bytes({bytes, size * count}));
    return taken ? size * count : std::size_t{CURL_WRITEFUNC_PAUSE};
  } catch (...) {
    transfer->on_exhausted();
    return 0;
  }
}

std::size_t on_send(char* bytes, std::size_t size, std::size_t count, void* context) noexcept {
  const auto portion =
      static_cast<Transfer*>(context)->on_send({reinterpret_cast<std::byte*>(bytes), size * count});
  switch (portion.what) {
    case Outgoing::Taken::bytes:
      return portion.size;
    case Outgoing::Taken::pause:
      return CURL_READFUNC_PAUSE;
    case Outgoing::Taken::refused:
      return CURL_READFUNC_ABORT;
    case Outgoing::Taken::end:
      break;
  }
  return 0;
}

// The one place where the address behind a name is known before anything is sent to it.
curl_socket_t open_socket(void* context, curlsocktype, curl_sockaddr* address) noexcept {
  if (!static_cast<Transfer*>(context)->on_address(classify(address->addr))) {
    return CURL_SOCKET_BAD;
  }
  // curl 7.88 leaves its sockets open across exec.
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// Called before each request, also on a connection that another request opened under other rules.
int before_request(void* context, char* remote, char*, int, int) noexcept {
  try {
    const auto* handle = static_cast<const EasyHandle*>(context);
    Transfer* transfer = handle->transfer().get();
    if (!transfer->on_address(classify_address(remote))) return CURL_PREREQFUNC_ABORT;
    if (!handle->accepts_certificate()) {
      transfer->on_certificate_refused();
      return CURL_PREREQFUNC_ABORT;
    }
    transfer->on_connected(std::chrono::steady_clock::now());
    return CURL_PREREQFUNC_OK;
  } catch (...) {
    return CURL_PREREQFUNC_ABORT;
  }
}

}  // namespace

EasyHandle::EasyHandle(const CurlLibrary& curl, EasySettings settings,
                       std::shared_ptr<Transfer> transfer)
    : curl_(curl),
      easy_(curl.easy_init()),
      settings_(std::move(settings)),
      transfer_(std::move(transfer)) {}

EasyHandle::~EasyHandle() {
  if (easy_ != nullptr) curl_.easy_cleanup(easy_);
  curl_.slist_free_all(headers_);
}

Result<std::unique_ptr<EasyHandle>> EasyHandle::make(const CurlLibrary& curl,
                                                     const Request& request, EasySettings settings,
                                                     std::shared_ptr<Transfer> transfer) {
  std::unique_ptr<EasyHandle> handle(
      new EasyHandle(curl, std::move(settings), std::move(transfer)));
  if (handle->easy_ == nullptr) return Error(Errc::internal, "libcurl gave no handle");
  if (!is_token(request.method)) {
    return Error(Errc::invalid_argument, "the method of a request is not one");
  }
  handle->set_general();
  handle->set_target(request);
  handle->set_method(request);
  handle->set_tls(request.connection != nullptr ? *request.connection : ConnectionOptions{});
  handle->set_callbacks();
  TRY(handle->set_headers(request));
  if (handle->failed_ != CURLE_OK) {
    return Error(Errc::internal,
                 fmt::format("libcurl refused an option: {}", curl.easy_strerror(handle->failed_)));
  }
  return handle;
}

template <class Value>
void EasyHandle::set(CURLoption option, Value value) {
  const CURLcode code = curl_.easy_setopt(easy_, option, value);
  if (code != CURLE_OK && failed_ == CURLE_OK) failed_ = code;
}

void EasyHandle::set_general() {
  set(CURLOPT_ERRORBUFFER, words_.data());
  set(CURLOPT_PRIVATE, static_cast<void*>(transfer_.get()));
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);  // redirects are the Client's: it knows what may go where
  set(CURLOPT_BUFFERSIZE, kReceiveBuffer);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(settings_.connect_timeout.count()));
  set(CURLOPT_TCP_KEEPALIVE, 1L);  // a paused transfer notices a peer that is gone
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  // Without it the loop thread would wait for a slow DNS answer when a transfer is cancelled.
  set(CURLOPT_QUICK_EXIT, 1L);
  set(CURLOPT_USERAGENT, settings_.user_agent.c_str());
}

void EasyHandle::set_target(const Request& request) {
  set(CURLOPT_URL, request.url.text().c_str());  // curl keeps a copy
  set(CURLOPT_PATH_AS_IS, 1L);
  const bool http2 =
      request.connection != nullptr && request.connection->http2 && !request.http1_only;
  set(CURLOPT_HTTP_VERSION,
      static_cast<long>(http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
  // Both always set, so that curl does not look into the environment itself.
  set(CURLOPT_PROXY, settings_.proxy.c_str());
  set(CURLOPT_NOPROXY, "");
}

void EasyHandle::set_method(const Request& request) {
  if (request.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
    return;
  }
  if (request.source != nullptr) {
    set_source(*request.source);
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    return;
  }
  const bool sends_body = !request.body.empty() || request.method == "POST" ||
                          request.method == "PUT" || request.method == "PATCH";
  if (sends_body) {
    body_ = request.body;
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_.size()));
    set(CURLOPT_POSTFIELDS, body_.c_str());
  } else {
    set(CURLOPT_HTTPGET, 1L);
  }
  set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

void EasyHandle::set_source(const BodySource& source) {
  set(CURLOPT_UPLOAD, 1L);
  set(CURLOPT_UPLOAD_BUFFERSIZE, kSendBuffer);
  set(CURLOPT_READFUNCTION, &on_send);
  set(CURLOPT_READDATA, static_cast<void*>(transfer_.get()));
  const auto size = source.size();
  // -1: chunked, as HTTP/1.1 has it.
  set(CURLOPT_INFILESIZE_LARGE, size ? static_cast<curl_off_t>(*size) : curl_off_t{-1});
}

void EasyHandle::set_blob(CURLoption option, const std::shared_ptr<const std::string>& bytes) {
  if (bytes == nullptr) return;
  curl_blob blob{};
  blob.data = const_cast<char*>(bytes->data());  // curl only reads; settings_ keeps it alive
  blob.len = bytes->size();
  blob.flags = CURL_BLOB_NOCOPY;
  set(option, &blob);
}

void EasyHandle::set_tls(const ConnectionOptions& options) {
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (options.insecure_skip_verify || settings_.check) {
    set(CURLOPT_SSL_VERIFYPEER, 0L);
    set(CURLOPT_SSL_VERIFYHOST, 0L);
  }
  if (settings_.check) {
    // Neither a connection nor a session that somebody else shook hands for: both show no
    // certificate.
    set(CURLOPT_CERTINFO, 1L);
    set(CURLOPT_FRESH_CONNECT, 1L);
    set(CURLOPT_FORBID_REUSE, 1L);
    set(CURLOPT_SSL_SESSIONID_CACHE, 0L);
  }
  set_blob(CURLOPT_CAINFO_BLOB, settings_.tls.ca);
  char* bundle = nullptr;
  if (!settings_.tls.ca_folder.empty()) {
    if (!settings_.tls.bundle) set(CURLOPT_CAINFO, static_cast<char*>(nullptr));
    set(CURLOPT_CAPATH, settings_.tls.ca_folder.c_str());
  } else if (curl_.easy_getinfo(easy_, CURLINFO_CAINFO, &bundle) == CURLE_OK && bundle != nullptr) {
    // curl keeps the parsed bundle between connections only when no folder is searched as well.
    set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
  }
  if (settings_.tls.client_cert == nullptr) return;
  set(CURLOPT_SSLCERTTYPE, settings_.tls.client_key == nullptr ? "P12" : "PEM");
  set(CURLOPT_SSLKEYTYPE, "PEM");  // not looked at when there is no key of its own
  set_blob(CURLOPT_SSLCERT_BLOB, settings_.tls.client_cert);
  set_blob(CURLOPT_SSLKEY_BLOB, settings_.tls.client_key);
  // Set though it be empty: an encrypted key is an error, not a question on the terminal.
  set(CURLOPT_KEYPASSWD, settings_.tls.client_key_password.reveal().c_str());
}

void EasyHandle::set_callbacks() {
  void* transfer = transfer_.get();
  set(CURLOPT_HEADERFUNCTION, &on_header);
  set(CURLOPT_HEADERDATA, transfer);
  set(CURLOPT_WRITEFUNCTION, &on_data);
  set(CURLOPT_WRITEDATA, transfer);
  set(CURLOPT_OPENSOCKETFUNCTION, &open_socket);
  set(CURLOPT_OPENSOCKETDATA, transfer);
  set(CURLOPT_PREREQFUNCTION, &before_request);
  set(CURLOPT_PREREQDATA, static_cast<void*>(this));
}

bool EasyHandle::accepts_certificate() const {
  if (!settings_.check) return true;
  constexpr std::string_view kField = "Cert:";
  curl_certinfo* shown = nullptr;
  if (curl_.easy_getinfo(easy_, CURLINFO_CERTINFO, &shown) != CURLE_OK || shown == nullptr ||
      shown->num_of_certs < 1) {
    return false;
  }
  for (const curl_slist* field = shown->certinfo[0]; field != nullptr; field = field->next) {
    const std::string_view text = field->data;
    if (text.starts_with(kField)) return settings_.check(text.substr(kField.size()));
  }
  return false;
}

void EasyHandle::add_header(const std::string& line) {
  curl_slist* longer = curl_.slist_append(headers_, line.c_str());
  if (longer == nullptr) {
    failed_ = CURLE_OUT_OF_MEMORY;
  } else {
    headers_ = longer;
  }
}

Result<void> EasyHandle::set_headers(const Request& request) {
  for (const auto& [name, value] : request.headers.fields()) {
    if (!is_token(name) || !is_field_value(value)) {
      return Error(Errc::invalid_argument,
                   fmt::format("the header '{}' of a request holds a character that no header may",
                               text::escape_for_terminal(name)));
    }
    // "Name:" removes a header in curl, "Name;" sends an empty one.
    add_header(text::trim(value).empty() ? fmt::format("{};", name)
                                         : fmt::format("{}: {}", name, value));
  }
  if (!request.authorization.empty()) {
    if (!is_field_value(request.authorization.reveal())) {
      return Error(Errc::invalid_argument, "a credential holds a line end");
    }
    add_header("Authorization: " + request.authorization.reveal());
  }
  // curl's own ideas: a wait for 100 Continue, and a form where nobody said so.
  if (request.headers.find("Expect") == nullptr) add_header("Expect:");
  if (request.headers.find("Content-Type") == nullptr) add_header("Content-Type:");
  set(CURLOPT_HTTPHEADER, headers_);
  return {};
}

std::string EasyHandle::detail(CURLcode code) const {
  if (code == CURLE_OK) return {};
  std::string words = words_[0] != '\0' ? words_.data() : curl_.easy_strerror(code);
  // It may quote a certificate, a host or the proxy's URL.
  return text::escape_for_terminal(without_user_of(std::move(words), settings_.proxy));
}

}  // namespace berth::http
