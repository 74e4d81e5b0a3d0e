// SPDX-License-Identifier: Apache-2.0
#include "content/crew.hpp"

#include <algorithm>
#include <atomic>
#include <optional>
#include <stop_token>
#include <system_error>
#include <thread>
#include <vector>

#include "berth/base/sync.hpp"
#include "berth/base/try.hpp"

namespace berth::content {
namespace {

class Crew {
 public:
  Crew(std::size_t count, const std::function<Result<void>(std::size_t, const Context&)>& work)
      : count_(count),
        work_(work) {}

  Result<void> run(std::size_t jobs, const Context& outer) BERTH_EXCLUDES(mutex_) {
    const std::stop_callback link(outer.stop(), [this] { stop_.request_stop(); });
    const Context context = outer.with_stop(stop_.get_token());
    {
      std::vector<std::jthread> threads;
      for (std::size_t i = 1; i < std::min(jobs, count_); ++i) {
        try {
          threads.emplace_back([&]() noexcept { work(context); });
        } catch (const std::system_error&) {
          break;  // fewer threads do the same work
        }
      }
      work(context);
    }
    TRY(outer.check());
    const MutexLock lock(mutex_);
    if (error_) return *error_;
    return {};
  }

 private:
  void work(const Context& context) BERTH_EXCLUDES(mutex_) {
    for (std::size_t i = next_++; i < count_ && context.check(); i = next_++) {
      auto done = work_(i, context);
      if (done) continue;
      const MutexLock lock(mutex_);
      if (!error_) error_ = std::move(done).error();
      stop_.request_stop();
    }
  }

  const std::size_t count_;
  const std::function<Result<void>(std::size_t, const Context&)>& work_;
  std::atomic<std::size_t> next_ = 0;
  std::stop_source stop_;
  Mutex mutex_;
  std::optional<Error> error_ BERTH_GUARDED_BY(mutex_);
};

}  // namespace

Result<void> work_together(int jobs, std::size_t count, const Context& context,
                           const std::function<Result<void>(std::size_t, const Context&)>& work) {
  return Crew(count, work).run(static_cast<std::size_t>(std::max(jobs, 1)), context);
}

}  // namespace berth::content
