// SPDX-License-Identifier: Apache-2.0
#include "content/spread.hpp"

#include <algorithm>

#include <fmt/core.h>

#include "berth/base/log.hpp"

namespace berth::content {
namespace {

/// Parts run at most this far ahead of what is hashed, which then is still in memory.
constexpr std::uint64_t kAhead = 512 * 1024 * 1024;
constexpr std::chrono::milliseconds kLook{100};

std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

}  // namespace

Spread::Spread(std::shared_ptr<Core> core, std::shared_ptr<const Origin> origin,
               std::shared_ptr<Attempt> attempt, Context context)
    : core_(std::move(core)),
      origin_(std::move(origin)),
      attempt_(std::move(attempt)),
      context_(std::move(context)) {}

void Spread::watch(std::uint64_t position) {
  const auto now = core_->options.clock->ticks();
  MutexLock lock(mutex_);
  if (begun_ || partial().size() - position < core_->options.spreading.from) return;
  if (!measured_from_) {
    measured_from_ = now;
    measured_at_ = position;
  } else if (is_slow(position, now)) {
    begin(position);
  }
}

bool Spread::is_slow(std::uint64_t position, Clock::SteadyTime now) {
  const Spreading& when = core_->options.spreading;
  if (now - *measured_from_ < when.measured) return false;
  const double seconds = std::chrono::duration<double>(now - *measured_from_).count();
  const double rate = static_cast<double>(position - measured_at_) / std::max(seconds, 1e-9);
  measured_from_ = now;
  measured_at_ = position;
  return rate < static_cast<double>(when.below);
}

void Spread::begin(std::uint64_t position) {
  const Spreading& how = core_->options.spreading;
  begun_ = true;
  next_ = round_up(position + how.part, how.part);
  jobs_ = how.jobs;
  log::debug(fmt::format("{} comes slowly: {} connections more",
                         blob_name(*origin_, partial().digest()), how.jobs));
  for (int i = 0; i < how.jobs; ++i) {
    core_->scheduler.submit(origin_->source->name(), TransferKind::bulk,
                            [self = shared_from_this()] { self->run(); });
  }
}

bool Spread::is_busy() const {
  MutexLock lock(mutex_);
  return jobs_ > 0 && !ended_;
}

void Spread::run() {
  while (const auto part = take()) {
    if (fill(*part)) continue;
    MutexLock lock(mutex_);
    ended_ = true;
  }
  MutexLock lock(mutex_);
  --jobs_;
}

std::optional<Spread::Part> Spread::take() {
  Part part{};
  {
    MutexLock lock(mutex_);
    if (ended_ || next_ >= partial().size()) return std::nullopt;
    part.begin = next_;
    part.end = std::min(part.begin + core_->options.spreading.part, partial().size());
    next_ = part.end;
  }
  for (;;) {
    const std::uint64_t seen = partial().changes();
    if (!context_.check() || partial().state() != cache::State::filling) return std::nullopt;
    if (part.begin <= partial().hashed() + kAhead) return part;
    partial().wait(seen, kLook, context_);
  }
}

bool Spread::no_more(const Error& error) const {
  if (context_.check()) log::debug(fmt::format("no more parts: {}", error.message()));
  return false;
}

bool Spread::fill(Part part) {
  for (std::uint64_t at = part.begin; at < part.end;) {
    {
      const auto missing = attempt_->partial().begin_download(at);
      if (!missing) return false;
      if (!*missing || (*missing)->position() >= part.end) return true;  // others have it
      at = (*missing)->position();
    }
    // First the answer, then the claim that lasts: the stream must not stop at a chunk of somebody
    // who has nothing to put there, as at a server without ranges.
    auto stream =
        open_stream(*origin_, partial().digest(), partial().size(), at,
                    part.end < partial().size() ? std::optional(part.end - at) : std::nullopt,
                    context_, WithoutRanges::fail);
    if (!stream) return no_more(stream.error());
    auto begun = attempt_->partial().begin_download(at);
    if (!begun) return false;
    if (!*begun || (*begun)->position() >= part.end) return true;
    cache::Download& download = **begun;
    const PumpEnd end = pour(
        *origin_, partial().digest(), *stream, download, std::min(download.end(), part.end),
        core_->counting, [](std::uint64_t) {}, context_);
    if (end.error) return no_more(*end.error);
    at = download.position();
  }
  return true;
}

}  // namespace berth::content
