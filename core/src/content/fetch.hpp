// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "content/attempt.hpp"
#include "content/core.hpp"
#include "content/pump.hpp"

namespace berth::content {

/// The download of one blob for all readers of this process. A stream fills the partial blob from
/// its front on at the network's pace while a reader is open; readers far ahead of it ask for
/// ranges of their own. Which process may write what is decided by cache::Partial. Thread safe.
class Fetch : public std::enable_shared_from_this<Fetch> {
 public:
  Fetch(std::shared_ptr<Core> core, Digest digest, std::uint64_t size);
  ~Fetch();

  const Digest& digest() const noexcept { return digest_; }
  std::uint64_t size() const noexcept { return size_; }
  Core& core() noexcept { return *core_; }

  /// A reader opens; it may be the one whose origin serves them all. Give the result to close().
  std::shared_ptr<const Origin> open(Origin origin) BERTH_EXCLUDES(mutex_);
  /// The last one stops what runs; what came stays in the partial blob.
  void close(const std::shared_ptr<const Origin>& origin) BERTH_EXCLUDES(mutex_);

  /// Why nothing comes. What failed for one range says nothing to who waits for other bytes.
  struct Failure {
    Error error;
    bool past_cache = false;  ///< the cache cannot take it: read past it
    std::shared_ptr<const Origin> origin;
  };

  /// The current attempt, or the next one when it failed. Errc::would_block for a non-blocking
  /// Context where one must be begun.
  std::expected<std::shared_ptr<Attempt>, Failure> attempt(const Context& context)
      BERTH_EXCLUDES(mutex_);

  /// Sees to it that the stream runs, or will when its turn comes. `now`: also when it has only
  /// just seen that another process is ahead.
  void want_stream(bool now = false) BERTH_EXCLUDES(mutex_);
  /// Downloads [begin, end) beside the stream. False when that is under way already.
  bool want_range(std::uint64_t begin, std::uint64_t end) BERTH_EXCLUDES(mutex_);
  /// How far the stream has come: bytes that lie little beyond this will be there soon.
  std::uint64_t front(const Attempt& attempt) const BERTH_EXCLUDES(mutex_);

  /// How often a transfer ended with an error so far.
  std::uint64_t failures() const BERTH_EXCLUDES(mutex_);
  /// The last error since there were `seen` that keeps `byte` away; `origin`'s own where it was
  /// asked.
  std::optional<Failure> failure(std::uint64_t seen, std::uint64_t byte,
                                 const std::shared_ptr<const Origin>& origin) const
      BERTH_EXCLUDES(mutex_);

  /// An attempt was found failed: on_dropped is told, once.
  void note_failed(Attempt& attempt);

  /// Stops what runs, for good.
  void stop() BERTH_EXCLUDES(mutex_);

 private:
  enum class StreamState : unsigned char { idle, queued, parked, running };
  enum class Outcome : unsigned char { ended, parked };
  struct Range {
    std::uint64_t begin;
    std::uint64_t end;
    bool has(std::uint64_t byte) const noexcept { return begin <= byte && byte < end; }
  };
  /// The stream serves all: its failure is everybody's, also of who waits for the digest alone.
  static constexpr Range kEverything{0, UINT64_MAX};
  struct FailedTransfer {
    Range range;
    std::vector<Failure> failures;  ///< never empty: one for each origin that was asked
  };
  using Origins = std::vector<std::shared_ptr<const Origin>>;

  void submit_stream(std::chrono::nanoseconds delay) BERTH_REQUIRES(mutex_);
  void run_stream(std::uint64_t ticket) BERTH_EXCLUDES(mutex_);
  void run_range(Range range) BERTH_EXCLUDES(mutex_);
  /// Fills from the front on: until the blob is complete, nobody wants it or another fills it.
  Outcome fill(const std::shared_ptr<Attempt>& attempt, const Context& context);
  Outcome fill_from(const std::shared_ptr<Attempt>& attempt,
                    const std::shared_ptr<const Origin>& origin, std::vector<Failure>& failures,
                    const Context& context);
  /// pump(), timed: how fast the sources of this process are.
  PumpEnd transfer(const Origin& origin, cache::Download& download, std::uint64_t end,
                   const std::function<void(std::uint64_t)>& moved, const Context& context);
  /// Bytes a second of the last transfer that tells; cache::kUnknownRate before.
  std::uint64_t own_rate() const BERTH_EXCLUDES(mutex_);
  void fill_range(Attempt& attempt, Range range, const Context& context);
  /// What others left to hash.
  Outcome advance(Attempt& attempt, const Context& context);
  void cache_failed(Attempt& attempt, Error error, Range range);
  void record(std::vector<Failure> failures, Range range) BERTH_EXCLUDES(mutex_);
  /// The attempt, or why there is none to be had, as far as it is known without asking the cache.
  std::optional<std::expected<std::shared_ptr<Attempt>, Failure>> known_attempt()
      BERTH_EXCLUDES(mutex_);
  Origins origins() const BERTH_EXCLUDES(mutex_);
  std::optional<Context> running_context() const BERTH_EXCLUDES(mutex_);

  const std::shared_ptr<Core> core_;
  const Digest digest_;
  const std::uint64_t size_;

  mutable Mutex mutex_;
  Origins origins_ BERTH_GUARDED_BY(mutex_);
  std::stop_source stop_ BERTH_GUARDED_BY(mutex_);
  std::shared_ptr<Attempt> attempt_ BERTH_GUARDED_BY(mutex_);
  StreamState stream_state_ BERTH_GUARDED_BY(mutex_) = StreamState::idle;
  std::uint64_t stream_ticket_ BERTH_GUARDED_BY(mutex_) = 0;  ///< of the job that counts
  Clock::SteadyTime parked_at_ BERTH_GUARDED_BY(mutex_){};
  std::optional<std::uint64_t> stream_position_ BERTH_GUARDED_BY(mutex_);
  std::vector<Range> ranges_ BERTH_GUARDED_BY(mutex_);
  std::uint64_t own_rate_ BERTH_GUARDED_BY(mutex_) = cache::kUnknownRate;
  std::uint64_t failures_ BERTH_GUARDED_BY(mutex_) = 0;
  /// The last ones, the newest at the end: it is number `failures_`.
  std::deque<FailedTransfer> last_failures_ BERTH_GUARDED_BY(mutex_);
  std::optional<Error> refused_ BERTH_GUARDED_BY(mutex_);
  Clock::SteadyTime refused_until_ BERTH_GUARDED_BY(mutex_){};
};

}  // namespace berth::content
