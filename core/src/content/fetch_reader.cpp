// SPDX-License-Identifier: Apache-2.0
#include "content/fetch_reader.hpp"

#include <algorithm>

#include <fmt/core.h>

#include "berth/base/log.hpp"
#include "berth/base/try.hpp"

namespace berth::content {
namespace {

/// What lies this little beyond the stream is waited for.
constexpr std::uint64_t kNear = 8 * 1024 * 1024;
/// The longest range that a reader far from the stream asks for at once.
constexpr std::uint64_t kLongestSeek = 32 * 1024 * 1024;
/// Attempts that one read makes before it says that the registry lies.
constexpr int kAttempts = 2;
/// A failed transfer does not wake the waiter of a partial blob: it looks in these steps.
constexpr std::chrono::milliseconds kFirstLook{10};
constexpr std::chrono::milliseconds kLastLook{100};

}  // namespace

/// One read() that waits.
struct FetchReader::Wait {
  std::uint64_t offset;
  std::uint64_t length;
  std::span<std::byte> out;          ///< `length` bytes; empty: they need only be there
  std::uint64_t failures;            ///< of the fetch, when the read began
  std::shared_ptr<Attempt> attempt;  ///< that it waits for, while the reader is not bound
  int failed_attempts = 0;
  std::chrono::milliseconds look = kFirstLook;

  std::uint64_t end() const { return offset + length; }
};

FetchReader::FetchReader(std::shared_ptr<Core> core, std::shared_ptr<Fetch> fetch, Origin origin)
    : core_(std::move(core)),
      fetch_(std::move(fetch)),
      origin_(fetch_->open(std::move(origin))),
      verifies_first_(core_->verifies_first(fetch_->digest(), fetch_->size())) {}

FetchReader::~FetchReader() { fetch_->close(origin_); }

Result<std::size_t> FetchReader::read(std::uint64_t offset, std::span<std::byte> out,
                                      const Context& context) {
  if (offset >= size()) return std::size_t{0};
  out = out.first(std::min<std::uint64_t>(out.size(), size() - offset));
  if (out.empty()) return std::size_t{0};
  Wait wait{.offset = offset,
            .length = out.size(),
            .out = out,
            .failures = fetch_->failures(),
            .attempt = nullptr};
  const bool past_cache = TRY(wait_in_cache(wait, context));
  if (past_cache) {
    if (context.is_nonblocking()) return Error(Errc::would_block, "the network is needed");
    TRY(bypass()->read(offset, out, context));
  }
  return out.size();
}

Result<std::optional<FetchReader::FileRange>> FetchReader::wait_for_range(std::uint64_t offset,
                                                                          std::uint64_t length,
                                                                          const Context& context) {
  if (offset + length > size() || length == 0) return std::optional<FileRange>();
  Wait wait{.offset = offset,
            .length = length,
            .out = {},
            .failures = fetch_->failures(),
            .attempt = nullptr};
  const bool past_cache = TRY(wait_in_cache(wait, context));
  return past_cache ? std::optional<FileRange>() : file_range(offset, length);
}

Result<bool> FetchReader::wait_in_cache(Wait& wait, const Context& context) {
  for (;;) {
    if (core_->closed) return Error(Errc::cancelled, "the store was closed");
    std::shared_ptr<Attempt> attempt = bound();
    if (attempt && attempt->partial().state() == cache::State::failed) {
      fetch_->note_failed(*attempt);
      return dropped();
    }
    if (bypass()) return true;
    if (!attempt && !wait.attempt) {
      auto current = fetch_->attempt(context);
      if (!current && !current.error().past_cache) {
        // The transfer begins all the same: its thread may wait where this one must not.
        if (current.error().error.code() == Errc::would_block) fetch_->want_stream();
        return std::move(current).error().error;
      }
      if (!current) {
        go_past(nullptr, current.error().error);
        continue;
      }
      wait.attempt = std::move(*current);
    }
    if (!attempt) attempt = wait.attempt;
    const ReadGuard guard(*attempt->reads());
    if (auto result = step(*attempt, attempt, wait, context)) {
      if (!*result) return std::move(*result).error();
      return false;
    }
  }
}

bool FetchReader::settled() const noexcept {
  MutexLock lock(mutex_);
  if (bypass_) return false;
  return !bound_ || bound_->partial().settled();
}

std::optional<int> FetchReader::cache_file() const {
  const std::shared_ptr<Attempt> attempt = bound();
  if (!attempt || bypass() || !attempt->partial().settled()) return std::nullopt;
  return attempt->partial().fd();
}

std::optional<Result<void>> FetchReader::step(Attempt& attempt,
                                              const std::shared_ptr<Attempt>& shared, Wait& wait,
                                              const Context& context) {
  // Asked before anything is looked at, so that no change is slept over.
  const std::uint64_t seen = attempt.partial().changes();
  if (attempt.partial().state() == cache::State::failed) {
    fetch_->note_failed(attempt);
    if (bound()) return dropped();
    if (++wait.failed_attempts >= kAttempts) return lied(wait.failed_attempts);
    wait.attempt = nullptr;
    return std::nullopt;
  }
  if (may_give(attempt, wait.offset, wait.length)) {
    if (!bind(shared)) return std::nullopt;
    auto got = wait.out.empty() ? Result<void>() : attempt.partial().read(wait.out, wait.offset);
    if (attempt.partial().state() == cache::State::failed) return std::nullopt;
    if (got) read_ahead(attempt, wait.end());
    return got;
  }
  const std::uint64_t missing =
      std::min(wait.offset + attempt.partial().available(wait.offset), wait.end());
  if (auto failure = fetch_->failure(wait.failures, missing, origin_)) {
    if (!failure->past_cache) return std::move(failure->error);
    go_past(shared, failure->error);
    return std::nullopt;
  }
  drive(attempt, wait, missing);
  if (context.is_nonblocking()) {
    return Error(Errc::would_block, "the bytes are not there yet");
  }
  if (auto running = context.check(); !running) return std::move(running).error();
  attempt.partial().wait(seen, wait.look, context, wait.end() - 1);
  wait.look = std::min(wait.look * 2, kLastLook);
  return std::nullopt;
}

bool FetchReader::may_give(const Attempt& attempt, std::uint64_t offset,
                           std::uint64_t length) const {
  if (attempt.partial().state() == cache::State::complete) return true;
  if (verifies_first_ || offset + length >= size()) return false;
  // In this order: bytes that were there before a writer was passed by are nobody's to change.
  return attempt.partial().available(offset) >= length && !attempt.partial().tainted();
}

bool FetchReader::bind(const std::shared_ptr<Attempt>& attempt) {
  MutexLock lock(mutex_);
  if (!bound_) bound_ = attempt;
  return bound_ == attempt;
}

std::shared_ptr<Attempt> FetchReader::bound() const {
  MutexLock lock(mutex_);
  return bound_;
}

std::shared_ptr<Bypass> FetchReader::bypass() const {
  MutexLock lock(mutex_);
  return bypass_;
}

std::shared_ptr<Bypass> FetchReader::go_past(const std::shared_ptr<Attempt>& attempt,
                                             const Error& why) {
  MutexLock lock(mutex_);
  if (bypass_) return bypass_;
  ++core_->counting.bypassed;
  log::warning(fmt::format("{} is read past the cache, and not kept: {}",
                           blob_name(*origin_, fetch_->digest()), why.message()));
  bypass_ = std::make_shared<Bypass>(core_, origin_, fetch_->digest(), size(),
                                     bound_ ? bound_ : attempt, bound_ != nullptr);
  return bypass_;
}

// Sees to it that somebody brings what this read waits for.
void FetchReader::drive(const Attempt& attempt, const Wait& wait, std::uint64_t missing) {
  fetch_->want_stream();
  // The last byte waits for all others, and what is verified first is short: the stream does both.
  if (missing == wait.end() || wait.end() >= size() || verifies_first_) return;
  // Also bytes that trickle: another process's slow source is nobody's to wait for.
  const bool stuck = attempt.partial().is_slow(missing);
  if (missing <= fetch_->front(attempt) + kNear && !stuck) return;
  const std::uint64_t begin = missing / cache::kChunk * cache::kChunk;
  MutexLock lock(mutex_);
  // One that goes on where the last range ended asks for twice as much: it may be reading on.
  const std::uint64_t last = seek_end_ - seek_begin_;
  const std::uint64_t length =
      begin == seek_end_ && last > 0 ? std::min(2 * last, kLongestSeek) : cache::kChunk;
  if (!fetch_->want_range(begin, begin + length)) return;
  seek_begin_ = begin;
  seek_end_ = begin + length;
}

// Past the middle of its own range a reader gets the next one ready.
void FetchReader::read_ahead(const Attempt& attempt, std::uint64_t end) {
  MutexLock lock(mutex_);
  if (seek_end_ >= size() || end <= seek_begin_ + (seek_end_ - seek_begin_) / 2 ||
      end > seek_end_ || attempt.partial().state() != cache::State::filling ||
      fetch_->front(attempt) + kNear >= seek_end_ || attempt.partial().available(seek_end_) > 0) {
    return;
  }
  const std::uint64_t length = std::min(2 * (seek_end_ - seek_begin_), kLongestSeek);
  if (!fetch_->want_range(seek_end_, seek_end_ + length)) return;
  seek_begin_ = seek_end_;
  seek_end_ += length;
}

std::optional<BlobReader::FileRange> FetchReader::file_range(std::uint64_t offset,
                                                             std::uint64_t length) {
  if (offset + length > size() || length == 0 || bypass()) return std::nullopt;
  std::shared_ptr<Attempt> attempt = bound();
  if (!attempt) {
    auto current = fetch_->attempt(Context().nonblocking());
    if (!current) return std::nullopt;
    attempt = std::move(*current);
  }
  if (attempt->partial().state() == cache::State::failed || !may_give(*attempt, offset, length) ||
      !bind(attempt)) {
    return std::nullopt;
  }
  const int fd = attempt->partial().fd();
  if (fd < 0) return std::nullopt;
  read_ahead(*attempt, offset + length);
  return FileRange{fd, offset};
}

Error FetchReader::dropped() const {
  return Error(Errc::digest_mismatch,
               fmt::format("{}: the download that this reader began with was dropped, because its "
                           "bytes did not have the digest or were removed; open it again",
                           blob_name(*origin_, fetch_->digest())));
}

Error FetchReader::lied(int attempts) const {
  return Error(Errc::digest_mismatch,
               fmt::format("{}: the bytes that came did not have this digest, {} times in a row; "
                           "the registry, or something on the way to it, changes them",
                           blob_name(*origin_, fetch_->digest()), attempts));
}

}  // namespace berth::content
