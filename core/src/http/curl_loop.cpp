// SPDX-License-Identifier: Apache-2.0
#include "http/curl_loop.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <limits>
#include <system_error>
#include <utility>

#include "berth/base/log.hpp"
#include "berth/http/limits.hpp"

namespace berth::http {
namespace {

using std::chrono::milliseconds;

// Signals belong to the program's own threads; and a write by OpenSSL to a closed socket, which
// curl does not guard under CURLOPT_NOSIGNAL, must not end the process by SIGPIPE.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

CurlLoop::CurlLoop(const CurlLibrary& curl, CURLM* multi, milliseconds stall_timeout)
    : curl_(curl),
      multi_(multi),
      stall_timeout_(stall_timeout) {}

Result<std::shared_ptr<CurlLoop>> CurlLoop::start(const CurlLibrary& curl,
                                                  milliseconds stall_timeout) {
  CURLM* multi = curl.multi_init();
  if (multi == nullptr) return Error(Errc::internal, "libcurl gave no multi handle");
  curl.multi_setopt(multi, CURLMOPT_MAXCONNECTS, static_cast<long>(limits::kIdleConnections));
  std::shared_ptr<CurlLoop> loop(new CurlLoop(curl, multi, stall_timeout));
  try {
    const AllSignalsBlocked inherited;
    loop->thread_ = std::thread([raw = loop.get()] { raw->run(); });
  } catch (const std::system_error& failure) {
    return Error::from_errno(failure.code().value(), "cannot start the network thread");
  }
  ::pthread_setname_np(loop->thread_.native_handle(), "berth-http");
  return loop;
}

CurlLoop::~CurlLoop() {
  stop();
  curl_.multi_cleanup(multi_);
}

void CurlLoop::wake() {
  // One write to the pipe however many commands come before the loop looks.
  if (!std::exchange(woken_, true)) curl_.multi_wakeup(multi_);
}

void CurlLoop::submit(std::unique_ptr<EasyHandle> handle) {
  const std::shared_ptr<Transfer> transfer = handle->transfer();
  const MutexLock lock(mutex_);
  if (stopped_) {
    transfer->finish(CURLE_ABORTED_BY_CALLBACK, {}, Verdict::shut_down);
    return;
  }
  commands_.submitted.push_back(std::move(handle));
  wake();
}

void CurlLoop::unpause(std::shared_ptr<Transfer> transfer) {
  const MutexLock lock(mutex_);
  if (stopped_) return;
  commands_.unpaused.push_back(std::move(transfer));
  wake();
}

void CurlLoop::cancel(std::shared_ptr<Transfer> transfer) {
  if (transfer->has_ended()) return;
  const MutexLock lock(mutex_);
  if (stopped_) return;
  commands_.cancelled.push_back(std::move(transfer));
  wake();
}

void CurlLoop::stop() {
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    commands_.stop = true;
    wake();
  }
  if (thread_.joinable()) thread_.join();
}

void CurlLoop::run() {
  for (;;) {
    Commands commands;
    {
      const MutexLock lock(mutex_);
      commands = std::exchange(commands_, {});
      woken_ = false;
    }
    const bool stop = commands.stop;
    apply(std::move(commands));
    if (stop) break;
    int running = 0;
    curl_.multi_perform(multi_, &running);
    collect_ended();
    after_round();
    curl_.multi_poll(multi_, nullptr, 0, poll_time(), nullptr);
  }
  while (!active_.empty()) {
    end(active_.begin()->first, CURLE_ABORTED_BY_CALLBACK, Verdict::shut_down);
  }
}

void CurlLoop::apply(Commands commands) {
  for (auto& handle : commands.submitted) add(std::move(handle));
  for (const auto& transfer : commands.cancelled) {
    end(transfer.get(), CURLE_ABORTED_BY_CALLBACK);
  }
  for (const auto& transfer : commands.unpaused) {
    const auto found = active_.find(transfer.get());
    // curl hands over what it kept at once, from inside this call.
    if (found != active_.end()) curl_.easy_pause(found->second->get(), CURLPAUSE_CONT);
  }
}

void CurlLoop::add(std::unique_ptr<EasyHandle> handle) {
  const std::shared_ptr<Transfer> transfer = handle->transfer();
  const CURLMcode code = curl_.multi_add_handle(multi_, handle->get());
  if (code != CURLM_OK) {
    transfer->finish(CURLE_FAILED_INIT, "libcurl did not take the request");
    return;
  }
  active_.emplace(transfer.get(), std::move(handle));
}

void CurlLoop::collect_ended() {
  int left = 0;
  while (const CURLMsg* message = curl_.multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    char* transfer = nullptr;
    curl_.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    const CURLcode code = message->data.result;  // the message dies with its handle
    end(reinterpret_cast<Transfer*>(transfer), code);
  }
}

void CurlLoop::after_round() {
  for (const auto& [transfer, handle] : active_) transfer->flush();
  const auto now = std::chrono::steady_clock::now();
  if (now < next_stall_check_) return;
  next_stall_check_ = now + stall_period() / 2;
  std::vector<Transfer*> stalled;
  for (const auto& [transfer, handle] : active_) {
    if (transfer->check_stalled(now, stall_timeout_)) stalled.push_back(transfer);
  }
  for (Transfer* transfer : stalled) end(transfer, CURLE_OPERATION_TIMEDOUT, Verdict::stalled);
}

void CurlLoop::end(Transfer* transfer, CURLcode code, Verdict verdict) {
  const auto found = active_.find(transfer);
  if (found == active_.end()) return;
  const std::unique_ptr<EasyHandle> handle = std::move(found->second);
  active_.erase(found);
  std::string detail = handle->detail(code);
  // First out of curl: a transfer that is not over loses its connection here.
  curl_.multi_remove_handle(multi_, handle->get());
  transfer->finish(code, std::move(detail), verdict);
}

milliseconds CurlLoop::stall_period() const {
  return std::clamp(stall_timeout_ / 4, milliseconds(10), milliseconds(1000));
}

int CurlLoop::poll_time() const {
  if (active_.empty()) return std::numeric_limits<int>::max();
  return static_cast<int>(stall_period().count());
}

}  // namespace berth::http
