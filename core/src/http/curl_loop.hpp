// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <thread>
#include <unordered_map>
#include <vector>

#include "berth/base/result.hpp"
#include "berth/base/sync.hpp"

#include "http/curl_easy.hpp"
#include "http/curl_library.hpp"
#include "http/curl_transfer.hpp"

namespace berth::http {

/// The thread that owns the curl multi handle, and everything that happens on it: nothing else
/// calls curl_multi_* but for the wake-up. It never hashes, inflates or touches a file. Thread
/// safe.
class CurlLoop {
 public:
  /// Starts the thread.
  static Result<std::shared_ptr<CurlLoop>> start(const CurlLibrary& curl,
                                                 std::chrono::milliseconds stall_timeout);
  ~CurlLoop();
  CurlLoop(const CurlLoop&) = delete;
  CurlLoop& operator=(const CurlLoop&) = delete;

  void submit(std::unique_ptr<EasyHandle> handle);
  /// The reader has made room.
  void unpause(std::shared_ptr<Transfer> transfer);
  /// Nobody waits for it any more: its connection is closed, unless it has ended already.
  void cancel(std::shared_ptr<Transfer> transfer);
  /// Ends every transfer with Verdict::shut_down and the thread. Later calls do nothing.
  void stop();

 private:
  CurlLoop(const CurlLibrary& curl, CURLM* multi, std::chrono::milliseconds stall_timeout);

  struct Commands {
    std::vector<std::unique_ptr<EasyHandle>> submitted;
    std::vector<std::shared_ptr<Transfer>> unpaused;
    std::vector<std::shared_ptr<Transfer>> cancelled;
    bool stop = false;
  };

  void run();
  void apply(Commands commands);
  void add(std::unique_ptr<EasyHandle> handle);
  void collect_ended();
  void after_round();
  void end(Transfer* transfer, CURLcode code, Verdict verdict = Verdict::none);
  void wake() BERTH_REQUIRES(mutex_);
  std::chrono::milliseconds stall_period() const;
  int poll_time() const;  ///< the longest sleep, in milliseconds

  const CurlLibrary& curl_;
  CURLM* const multi_;
  const std::chrono::milliseconds stall_timeout_;

  // The loop thread's alone.
  std::unordered_map<Transfer*, std::unique_ptr<EasyHandle>> active_;
  Transfer::TimePoint next_stall_check_{};

  Mutex mutex_;
  Commands commands_ BERTH_GUARDED_BY(mutex_);
  bool stopped_ BERTH_GUARDED_BY(mutex_) = false;
  bool woken_ BERTH_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace berth::http
