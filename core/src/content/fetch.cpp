// SPDX-License-Identifier: Apache-2.0
#include "content/fetch.hpp"

#include <algorithm>

#include <fmt/core.h>

#include "berth/base/log.hpp"

#include "content/spread.hpp"

namespace berth::content {
namespace {

/// How soon a stream that another process is ahead of looks again.
constexpr std::chrono::milliseconds kParked{200};
constexpr std::chrono::milliseconds kParkedAtLeast{20};  ///< however many readers urge it
/// How long readers go past a cache that had no room before it is asked again.
constexpr std::chrono::seconds kRefused{5};
/// What is shorter, in bytes and in time, says little about how fast its source is.
constexpr std::uint64_t kTellingBytes = 1024 * 1024;
constexpr std::chrono::seconds kTellingTime{1};
/// Ranges of one blob beside its stream.
constexpr std::size_t kRanges = 8;
/// Failures that are remembered for who has not looked yet.
constexpr std::size_t kFailures = 4 * kRanges;

}  // namespace

Fetch::Fetch(std::shared_ptr<Core> core, Digest digest, std::uint64_t size)
    : core_(std::move(core)),
      digest_(std::move(digest)),
      size_(size) {}

Fetch::~Fetch() = default;

std::shared_ptr<const Origin> Fetch::open(Origin origin) {
  auto shared = std::make_shared<const Origin>(std::move(origin));
  MutexLock lock(mutex_);
  if (origins_.empty() && !core_->closed) stop_ = std::stop_source();
  origins_.push_back(shared);
  return shared;
}

void Fetch::close(const std::shared_ptr<const Origin>& origin) {
  std::stop_source last(std::nostopstate);
  {
    MutexLock lock(mutex_);
    std::erase(origins_, origin);
    if (origins_.empty()) last = stop_;
  }
  last.request_stop();  // runs callbacks of other layers: not under the lock
}

void Fetch::stop() {
  std::stop_source all(std::nostopstate);
  {
    MutexLock lock(mutex_);
    all = stop_;
  }
  all.request_stop();
}

std::optional<std::expected<std::shared_ptr<Attempt>, Fetch::Failure>> Fetch::known_attempt() {
  MutexLock lock(mutex_);
  if (attempt_ && attempt_->partial().state() != cache::State::failed) return attempt_;
  if (attempt_) note_failed(*attempt_);
  attempt_ = nullptr;
  if (refused_ && core_->options.clock->ticks() < refused_until_) {
    return std::unexpected(Failure{*refused_, true, nullptr});
  }
  return std::nullopt;
}

std::expected<std::shared_ptr<Attempt>, Fetch::Failure> Fetch::attempt(const Context& context) {
  if (auto known = known_attempt()) return *std::move(known);
  // Not under the lock: joining may evict, wait and hash, and others need only look.
  auto joined = core_->cache.join(digest_, size_, context);
  MutexLock lock(mutex_);
  if (joined) {
    if (!attempt_ || &attempt_->partial() != joined->get()) {
      if (attempt_) note_failed(*attempt_);
      attempt_ = std::make_shared<Attempt>(std::move(*joined));
    }
    return attempt_;
  }
  const Errc code = joined.error().code();
  const bool local = code != Errc::unsupported && code != Errc::would_block &&
                     code != Errc::cancelled && code != Errc::timeout;
  if (local) {
    refused_ = joined.error();
    refused_until_ = core_->options.clock->ticks() + kRefused;
  }
  return std::unexpected(Failure{std::move(joined).error(), local, nullptr});
}

void Fetch::want_stream(bool now) {
  MutexLock lock(mutex_);
  if (origins_.empty()) return;
  const bool rested = now || core_->options.clock->ticks() - parked_at_ >= kParkedAtLeast;
  if (stream_state_ == StreamState::idle || (stream_state_ == StreamState::parked && rested)) {
    submit_stream({});
  }
}

void Fetch::submit_stream(std::chrono::nanoseconds delay) {
  stream_state_ = delay.count() > 0 ? StreamState::parked : StreamState::queued;
  const TransferKind kind = size_ <= kVerifyFirst ? TransferKind::brief : TransferKind::bulk;
  const bool submitted = core_->scheduler.submit(
      origins_.front()->source->name(), kind,
      [self = shared_from_this(), ticket = ++stream_ticket_] { self->run_stream(ticket); }, delay);
  if (!submitted) stream_state_ = StreamState::idle;  // whoever waits asks again
}

bool Fetch::want_range(std::uint64_t begin, std::uint64_t end) {
  MutexLock lock(mutex_);
  const auto covers = [begin](const Range& range) { return range.has(begin); };
  if (origins_.empty() || ranges_.size() >= kRanges || std::ranges::any_of(ranges_, covers)) {
    return false;
  }
  const Range range{begin, std::min(end, size_)};
  ranges_.push_back(range);
  const bool submitted =
      core_->scheduler.submit(origins_.front()->source->name(), TransferKind::brief,
                              [self = shared_from_this(), range] { self->run_range(range); });
  if (!submitted) ranges_.pop_back();
  return submitted;
}

std::uint64_t Fetch::front(const Attempt& attempt) const {
  {
    MutexLock lock(mutex_);
    if (stream_position_) return *stream_position_;
  }
  return attempt.partial().available(0);
}

std::uint64_t Fetch::failures() const {
  MutexLock lock(mutex_);
  return failures_;
}

std::optional<Fetch::Failure> Fetch::failure(std::uint64_t seen, std::uint64_t byte,
                                             const std::shared_ptr<const Origin>& origin) const {
  MutexLock lock(mutex_);
  std::uint64_t number = failures_;
  for (auto it = last_failures_.rbegin(); it != last_failures_.rend() && number > seen;
       ++it, --number) {
    if (!it->range.has(byte)) continue;
    const auto own = std::ranges::find(it->failures, origin, &Failure::origin);
    return own == it->failures.end() ? it->failures.back() : *own;
  }
  return std::nullopt;
}

void Fetch::note_failed(Attempt& attempt) {
  if (attempt.end()) core_->notifier.post(digest_, attempt.reads());
}

Fetch::Origins Fetch::origins() const {
  MutexLock lock(mutex_);
  return origins_;
}

std::optional<Context> Fetch::running_context() const {
  MutexLock lock(mutex_);
  if (origins_.empty() || core_->closed) return std::nullopt;
  return Context().with_stop(stop_.get_token());
}

void Fetch::record(std::vector<Failure> failures, Range range) {
  if (failures.empty()) return;
  MutexLock lock(mutex_);
  ++failures_;
  if (failures.back().past_cache) {
    refused_ = failures.back().error;
    refused_until_ = core_->options.clock->ticks() + kRefused;
  }
  last_failures_.push_back({range, std::move(failures)});
  if (last_failures_.size() > kFailures) last_failures_.pop_front();
}

void Fetch::run_stream(std::uint64_t ticket) {
  {
    MutexLock lock(mutex_);
    if (ticket != stream_ticket_) return;
    stream_state_ = StreamState::running;
  }
  Outcome outcome = Outcome::ended;
  const auto context = running_context();
  if (context) {
    auto current = attempt(*context);
    if (!current && context->check()) {
      record({std::move(current).error()}, kEverything);
    } else if (current) {
      outcome = fill(*current, *context);
    }
  }
  MutexLock lock(mutex_);
  stream_position_.reset();
  stream_state_ = StreamState::idle;
  if (origins_.empty() || core_->closed) return;
  if (outcome == Outcome::parked) {
    parked_at_ = core_->options.clock->ticks();
    submit_stream(kParked);
  } else if (context && !context->check()) {
    submit_stream({});  // a reader came while the stop for the last one was carried out
  }
}

// Each origin that a reader came by may serve all of them: the digest says what is right.
Fetch::Outcome Fetch::fill(const std::shared_ptr<Attempt>& attempt, const Context& context) {
  std::vector<Failure> failures;
  for (const auto& origin : origins()) {
    const std::size_t before = failures.size();
    const Outcome outcome = fill_from(attempt, origin, failures, context);
    if (failures.size() == before) return outcome;
    if (!context.check()) return outcome;
  }
  record(std::move(failures), kEverything);
  return Outcome::ended;
}

Fetch::Outcome Fetch::fill_from(const std::shared_ptr<Attempt>& shared,
                                const std::shared_ptr<const Origin>& origin,
                                std::vector<Failure>& failures, const Context& context) {
  Attempt& attempt = *shared;
  cache::Partial& partial = attempt.partial();
  const auto spread = std::make_shared<Spread>(core_, origin, shared, context);
  const auto moved = [&](std::uint64_t position) {
    spread->watch(position);
    core_->sync_when_due();
    MutexLock lock(mutex_);
    stream_position_ = position;
  };
  while (context.check() && partial.state() == cache::State::filling) {
    const std::uint64_t changes = partial.changes();
    auto begun = partial.begin_download(0, own_rate());
    if (!begun) {
      cache_failed(attempt, std::move(begun).error(), kEverything);
      return Outcome::ended;
    }
    if (!*begun) {
      // All is there, or another process is filling on, and is not found slow: one download, not
      // two that take turns. Of parts that are on their way the bytes are hashed as they come.
      const Outcome outcome = advance(attempt, context);
      if (outcome != Outcome::parked || !spread->is_busy()) return outcome;
      moved(partial.available(0));
      partial.wait(changes, kParked, context);
      continue;
    }
    cache::Download& download = **begun;
    moved(download.position());
    PumpEnd end = transfer(*origin, download, download.end(), moved, context);
    if (end.kind == PumpEnd::Kind::source_failed) {
      failures.push_back({std::move(*end.error), false, origin});
      return Outcome::ended;
    }
    if (end.kind == PumpEnd::Kind::cache_failed) {
      cache_failed(attempt, std::move(*end.error), kEverything);
      return Outcome::ended;
    }
  }
  if (partial.state() == cache::State::failed) note_failed(attempt);
  return Outcome::ended;
}

PumpEnd Fetch::transfer(const Origin& origin, cache::Download& download, std::uint64_t end,
                        const std::function<void(std::uint64_t)>& moved, const Context& context) {
  const std::uint64_t from = download.position();
  const Clock::SteadyTime began = core_->options.clock->ticks();
  PumpEnd ended = pump(origin, digest_, size_, download, end, core_->counting, moved, context);
  const std::uint64_t bytes = download.position() - from;
  const std::chrono::duration<double> took = core_->options.clock->ticks() - began;
  // A source that failed says how long it failed, and not how fast another is.
  const bool failed = ended.kind == PumpEnd::Kind::source_failed;
  if (bytes < kTellingBytes && (failed || took < kTellingTime)) return ended;
  const double rate = static_cast<double>(bytes) / std::max(took.count(), 1e-3);
  MutexLock lock(mutex_);
  own_rate_ = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(rate));
  return ended;
}

std::uint64_t Fetch::own_rate() const {
  MutexLock lock(mutex_);
  return own_rate_;
}

Fetch::Outcome Fetch::advance(Attempt& attempt, const Context& context) {
  auto hashed = attempt.partial().advance(context);
  if (!hashed && context.check()) {
    cache_failed(attempt, std::move(hashed).error(), kEverything);
    return Outcome::ended;
  }
  if (attempt.partial().state() == cache::State::filling) return Outcome::parked;
  if (attempt.partial().state() == cache::State::failed) note_failed(attempt);
  return Outcome::ended;
}

void Fetch::cache_failed(Attempt& attempt, Error error, Range range) {
  if (error.code() == Errc::digest_mismatch) {
    ++core_->counting.digest_mismatches;
    log::warning(fmt::format("blob {}: {}", digest_.text(), error.message()));
  }
  if (attempt.partial().state() == cache::State::failed) {
    note_failed(attempt);
    return;  // readers see it by the state: those that got bytes end, the others begin again
  }
  const bool past_cache = error.code() != Errc::digest_mismatch;
  record({Failure{std::move(error), past_cache, nullptr}}, range);
}

void Fetch::run_range(Range range) {
  if (const auto context = running_context()) {
    if (auto current = attempt(*context)) {
      fill_range(**current, range, *context);
    }
  }
  {
    MutexLock lock(mutex_);
    std::erase_if(ranges_, [&](const Range& other) { return other.begin == range.begin; });
  }
  want_stream(true);  // it may have waited for this range, or be needed to hash it
}

void Fetch::fill_range(Attempt& attempt, Range range, const Context& context) {
  cache::Partial& partial = attempt.partial();
  std::vector<Failure> failures;
  for (const auto& origin : origins()) {
    std::uint64_t at = range.begin;
    while (at < range.end && context.check() && partial.state() == cache::State::filling) {
      auto begun = partial.begin_download(at, own_rate());
      if (!begun) return cache_failed(attempt, std::move(begun).error(), range);
      if (!*begun || (*begun)->position() >= range.end) return;
      cache::Download& download = **begun;
      PumpEnd end = transfer(
          *origin, download, std::min(download.end(), range.end),
          [this](std::uint64_t) { core_->sync_when_due(); }, context);
      at = download.position();
      if (end.kind == PumpEnd::Kind::cache_failed) {
        return cache_failed(attempt, std::move(*end.error), range);
      }
      if (end.kind != PumpEnd::Kind::source_failed) continue;
      failures.push_back({std::move(*end.error), false, origin});
      break;
    }
    if (failures.empty() || failures.back().origin != origin) return;
  }
  if (context.check()) record(std::move(failures), range);
}

}  // namespace berth::content
