// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "berth/base/sync.hpp"

#include "content/attempt.hpp"
#include "content/core.hpp"
#include "content/pump.hpp"

namespace berth::content {

/// Fetches a large blob over several connections when one is slow (DESIGN section 5): many servers
/// and networks bound a connection, not a client. The stream goes on from the front; jobs beside it
/// fetch parts that lie ahead. A server without ranges ends that, and the stream alone brings the
/// blob in order; so does any other failure of a part. Thread safe.
class Spread : public std::enable_shared_from_this<Spread> {
 public:
  /// `context` ends the jobs, too.
  Spread(std::shared_ptr<Core> core, std::shared_ptr<const Origin> origin,
         std::shared_ptr<Attempt> attempt, Context context);

  /// Told how far the stream has come; begins when that was slow and much is left.
  void watch(std::uint64_t position) BERTH_EXCLUDES(mutex_);
  /// Parts are on their way: who finds nothing to download waits for them, and hashes.
  bool is_busy() const BERTH_EXCLUDES(mutex_);

 private:
  struct Part {
    std::uint64_t begin;
    std::uint64_t end;
  };
  bool is_slow(std::uint64_t position, Clock::SteadyTime now) BERTH_REQUIRES(mutex_);
  void begin(std::uint64_t position) BERTH_REQUIRES(mutex_);
  void run() BERTH_EXCLUDES(mutex_);
  std::optional<Part> take() BERTH_EXCLUDES(mutex_);
  /// False: parts cannot be had.
  bool fill(Part part);
  /// Says why; false.
  bool no_more(const Error& error) const;
  const cache::Partial& partial() const noexcept { return attempt_->partial(); }

  const std::shared_ptr<Core> core_;
  const std::shared_ptr<const Origin> origin_;
  const std::shared_ptr<Attempt> attempt_;
  const Context context_;

  mutable Mutex mutex_;
  std::optional<Clock::SteadyTime> measured_from_ BERTH_GUARDED_BY(mutex_);
  std::uint64_t measured_at_ BERTH_GUARDED_BY(mutex_) = 0;  ///< position then
  std::uint64_t next_ BERTH_GUARDED_BY(mutex_) = 0;         ///< the next part's beginning
  int jobs_ BERTH_GUARDED_BY(mutex_) = 0;
  bool begun_ BERTH_GUARDED_BY(mutex_) = false;
  bool ended_ BERTH_GUARDED_BY(mutex_) = false;
};

}  // namespace berth::content
