// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "berth/base/sync.hpp"
#include "berth/base/try.hpp"
#include "berth/http/pinned_transport.hpp"
#include "berth/http/policy.hpp"
#include "berth/http/transport.hpp"

#include "http/curl_error.hpp"
#include "http/curl_library.hpp"
#include "http/curl_loop.hpp"
#include "http/proxy.hpp"
#include "http/tls_files.hpp"

namespace berth::http {
namespace {

class CurlBody final : public Body {
 public:
  CurlBody(std::shared_ptr<CurlLoop> loop, std::shared_ptr<Transfer> transfer, std::string method,
           Url url)
      : loop_(std::move(loop)),
        transfer_(std::move(transfer)),
        method_(std::move(method)),
        url_(std::move(url)) {}
  ~CurlBody() override { loop_->cancel(transfer_); }

  Result<ByteView> next(const Context& context) override {
    Result<Transfer::Step> step = transfer_->next(context);
    if (!step) {
      return std::move(step).error().with_context(fmt::format("{} {}", method_, url_.redacted()));
    }
    if (step->unpause) loop_->unpause(transfer_);
    if (!step->ended) return step->bytes;
    const TransferEnd end = transfer_->end();
    if (!end.ok()) return error_of(end, method_, url_, true);
    return ByteView{};
  }

 private:
  // The loop outlives the transport for those who keep a Response too long: they get an error.
  const std::shared_ptr<CurlLoop> loop_;
  const std::shared_ptr<Transfer> transfer_;
  const std::string method_;
  const Url url_;
};

/// Whether certificates are found in it by their hash: "1a2b3c4d.0".
bool is_hashed(const std::string& folder) {
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failed)) {
    const std::string name = entry.path().filename();
    if (name.size() == 10 && name.ends_with(".0") &&
        name.find_first_not_of("0123456789abcdef") == 8) {
      return true;
    }
  }
  return false;
}

// What curl trusts when nobody says otherwise: the distribution's.
SystemTrust system_trust(const CurlLibrary& curl) {
  CURL* easy = curl.easy_init();
  if (easy == nullptr) return {};
  const auto path = [&](CURLINFO which) {
    char* at = nullptr;
    const bool known = curl.easy_getinfo(easy, which, &at) == CURLE_OK && at != nullptr;
    return std::string(known ? at : "");
  };
  SystemTrust trust{.bundle = path(CURLINFO_CAINFO), .folder = path(CURLINFO_CAPATH)};
  curl.easy_cleanup(easy);
  if (!trust.folder.empty() && !is_hashed(trust.folder)) trust.folder.clear();
  return trust;
}

// Everything that exists only from the first request on.
struct Running {
  const CurlLibrary* curl = nullptr;
  std::shared_ptr<CurlLoop> loop;
  ProxySettings proxies;
  TlsFiles tls_files;
  /// A server was met whose CA is not in the system's folder of certificates: it may be in the
  /// bundle.
  std::atomic<bool> whole_bundle = false;
};

class CurlTransport final : public Transport {
 public:
  explicit CurlTransport(CurlOptions options, CertificateCheck check = {})
      : options_(std::move(options)),
        check_(std::move(check)) {}

  ~CurlTransport() override {
    const MutexLock lock(mutex_);
    if (running_ != nullptr) running_->loop->stop();
  }

  Result<Response> send(const Request& request, const Context& context) override {
    const std::string named = fmt::format("{} {}", request.method, request.url.redacted());
    if (Result<void> ok = context.check(); !ok) return std::move(ok).error().with_context(named);
    if (context.is_nonblocking()) return Error(Errc::would_block, named + " needs the network");
    TRY(url_policy::check_plain_http(request.url, request.allow_plain_http));
    Running* const running = TRY(this->running());
    const std::string proxy = TRY(running->proxies.proxy_for(request.url));
    const bool whole = running->whole_bundle;
    std::shared_ptr<Transfer> transfer = TRY(submit(*running, request, proxy, whole));
    auto head = exchange(*running, transfer, request, context);
    const bool more = !whole && running->tls_files.has_folder();
    if (more && is_unknown_ca(head, *transfer) &&
        (request.source == nullptr || request.source->rewind())) {
      transfer = TRY(submit(*running, request, proxy, true));
      head = exchange(*running, transfer, request, context);
      if (head && *head != nullptr) running->whole_bundle = true;
    }
    if (!head) {
      running->loop->cancel(transfer);
      return std::move(head).error().with_context(named);
    }
    if (*head == nullptr) {
      return error_of(transfer->end(), request.method, request.url, false, without_user(proxy));
    }
    Response response;
    response.status = (*head)->status;
    response.headers = std::move((*head)->headers);
    response.peer = (*head)->peer;
    response.url = request.url;
    response.body =
        std::make_unique<CurlBody>(running->loop, transfer, request.method, request.url);
    return response;
  }

 private:
  Result<Running*> running() {
    const MutexLock lock(mutex_);
    if (running_ != nullptr) return running_.get();
    const CurlLibrary* curl = TRY(curl_library());
    auto loop = TRY(CurlLoop::start(*curl, options_.stall_timeout));
    running_.reset(new Running{
        .curl = curl,
        .loop = std::move(loop),
        .proxies =
            options_.use_proxy_environment ? ProxySettings(options_.environment) : ProxySettings(),
        .tls_files = TlsFiles(system_trust(*curl)),
    });
    return running_.get();
  }

  /// The body, block by block, on this thread: reading and hashing are not the network's work.
  /// Until it is complete, or an answer came before its end.
  static Result<void> feed(Running& running, const std::shared_ptr<Transfer>& transfer,
                           const Request& request, const Context& context) {
    Outgoing* const outgoing = transfer->outgoing();
    if (outgoing == nullptr) return {};
    const auto size = request.source->size();
    std::uint64_t given = 0;
    for (Outgoing::Step step; step.wanted;) {
      const ByteView bytes = TRY(request.source->next(context));
      given += bytes.size();
      // Content-Length is sent already: the server would wait for the rest, or take it for another
      // request.
      if (size && (given > *size || (bytes.empty() && given < *size))) {
        return Error(Errc::io, fmt::format("what is sent was said to have {} bytes, and has {}",
                                           *size, bytes.empty() ? "fewer" : "more"));
      }
      step = bytes.empty() ? outgoing->finish() : TRY(outgoing->push(bytes, context));
      if (step.unpause) running.loop->unpause(transfer);
      if (bytes.empty()) break;
    }
    return {};
  }

  /// Sends the body and waits for the answer's head; nullptr when there is none.
  static Result<std::unique_ptr<ResponseHead>> exchange(Running& running,
                                                        const std::shared_ptr<Transfer>& transfer,
                                                        const Request& request,
                                                        const Context& context) {
    const Result<void> fed = feed(running, transfer, request, context);
    if (!fed) return fed.error();
    return transfer->wait_for_head(context);
  }

  static bool is_unknown_ca(const Result<std::unique_ptr<ResponseHead>>& head,
                            const Transfer& transfer) {
    return head && *head == nullptr && transfer.end().curl_code == CURLE_PEER_FAILED_VERIFICATION;
  }

  Result<std::shared_ptr<Transfer>> submit(Running& running, const Request& request,
                                           const std::string& proxy, bool whole) {
    EasySettings settings;
    settings.user_agent = options_.user_agent;
    settings.connect_timeout = options_.connect_timeout;
    settings.proxy = proxy;
    settings.check = check_;
    const ConnectionOptions plain;
    const bool own = request.connection != nullptr;
    settings.tls = TRY(running.tls_files.load(own ? *request.connection : plain, whole));
    auto transfer = std::make_shared<Transfer>(request, !settings.proxy.empty());
    auto handle = TRY(EasyHandle::make(*running.curl, request, std::move(settings), transfer));
    running.loop->submit(std::move(handle));
    return transfer;
  }

  const CurlOptions options_;
  const CertificateCheck check_;
  Mutex mutex_;
  std::unique_ptr<Running> running_ BERTH_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<Transport> make_curl_transport(CurlOptions options) {
  return std::make_unique<CurlTransport>(std::move(options));
}

std::unique_ptr<Transport> make_pinned_transport(CertificateCheck check, CurlOptions options) {
  return std::make_unique<CurlTransport>(std::move(options), std::move(check));
}

}  // namespace berth::http
