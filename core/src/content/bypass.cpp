// SPDX-License-Identifier: Apache-2.0
#include "content/bypass.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/core.h>

#include "berth/base/log.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

namespace berth::content {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;

// A blob that is verified before its first byte is one piece. Larger pieces for huge blobs keep the
// saved states few: 256 bytes each.
std::uint64_t piece_size_of(std::uint64_t size) {
  if (size <= kVerifyFirst) return std::max<std::uint64_t>(size, 1);
  return size <= 4096 * kMiB ? kMiB : 4 * kMiB;
}

// Equal states end in equal digests; the bytes of a state need not be equal.
Result<bool> same_state(Algorithm algorithm, const Hasher& a, const Hasher::State& b) {
  Hasher other = TRY(Hasher::resume(algorithm, b));
  return Hasher(a).finish() == std::move(other).finish();
}

}  // namespace

Bypass::Bypass(std::shared_ptr<Core> core, std::shared_ptr<const Origin> origin, Digest digest,
               std::uint64_t size, std::shared_ptr<Attempt> attempt, bool bound)
    : core_(std::move(core)),
      origin_(std::move(origin)),
      digest_(std::move(digest)),
      size_(size),
      piece_size_(piece_size_of(size)),
      pieces_((size + piece_size_ - 1) / piece_size_),
      attempt_(std::move(attempt)),
      took_(bound) {}

Result<void> Bypass::read(std::uint64_t offset, std::span<std::byte> out, const Context& context) {
  TRY(turns_.begin(context));
  const Turns::Held turn(turns_);
  if (failed_) return *failed_;
  // One piece is verified before its first byte by being fetched.
  if (pieces_ > 1 && core_->verifies_first(digest_, size_)) TRY(reach(pieces_ - 1, context));
  while (!out.empty()) {
    const std::uint64_t index = offset / piece_size_;
    const Piece* held = TRY(piece(index, context));
    const Piece& from = *held;
    const std::uint64_t begin = offset - index * piece_size_;
    const std::size_t count = std::min<std::size_t>(out.size(), from.bytes.size() - begin);
    std::memcpy(out.data(), from.bytes.data() + begin, count);
    out = out.subspan(count);
    offset += count;
  }
  return {};
}

Result<const Bypass::Piece*> Bypass::piece(std::uint64_t index, const Context& context) {
  const auto held = std::ranges::find(slots_, index, &Piece::index);
  if (held != std::end(slots_)) {
    held->used = ++uses_;
    return &*held;
  }
  if (states_.empty()) {
    Hasher hasher = TRY(Hasher::create(digest_.algorithm()));
    hasher.save(states_.emplace_back());
  }
  const std::uint64_t front = states_.size() - 1;
  if (index < front) {
    Piece& again = oldest();
    TRY(load_again(again, index, context));
    return &again;
  }
  if ((index - front) * piece_size_ > kBypassSkip) {
    const std::string sentence = fmt::format(
        "{}: byte {} cannot be read, because the cache has no room to keep what lies before it; "
        "{}",
        blob_name(*origin_, digest_), index * piece_size_, core_->cache.remedy());
    log::warning(sentence);
    return Error(Errc::no_space, sentence);
  }
  TRY(reach(index, context));
  return &*std::ranges::find(slots_, index, &Piece::index);
}

// Hashes on until the piece is the last one that was hashed.
Result<void> Bypass::reach(std::uint64_t index, const Context& context) {
  if (states_.empty()) {
    Hasher hasher = TRY(Hasher::create(digest_.algorithm()));
    hasher.save(states_.emplace_back());
  }
  while (states_.size() - 1 <= index) TRY(hash_next(oldest(), context));
  return {};
}

Result<void> Bypass::hash_next(Piece& into, const Context& context) {
  const std::uint64_t index = states_.size() - 1;
  Hasher hasher = TRY(Hasher::resume(digest_.algorithm(), states_.back()));
  TRY(load(into, index, context));
  hasher.update(into.bytes);
  if (index + 1 == pieces_ && Hasher(hasher).finish() != digest_) {
    return wrong("its bytes do not have this digest");
  }
  hasher.save(states_.emplace_back());
  into.index = index;
  return {};
}

// What was given once is given again only when it is the same: the digest speaks of all of it.
Result<void> Bypass::load_again(Piece& into, std::uint64_t index, const Context& context) {
  Hasher hasher = TRY(Hasher::resume(digest_.algorithm(), states_[index]));
  TRY(load(into, index, context));
  hasher.update(into.bytes);
  const bool same = TRY(same_state(digest_.algorithm(), hasher, states_[index + 1]));
  if (!same) {
    return wrong("the registry sent other bytes than the first time");
  }
  into.index = index;
  return {};
}

Result<void> Bypass::load(Piece& into, std::uint64_t index, const Context& context) {
  const std::uint64_t begin = index * piece_size_;
  into.index = UINT64_MAX;
  into.used = ++uses_;
  into.bytes.resize(std::min(piece_size_, size_ - begin));
  const std::size_t held = TRY(load_from_attempt(into.bytes, begin));
  const auto rest = std::span(into.bytes).subspan(held);
  auto loaded = rest.empty() ? Result<void>() : load_from_source(rest, begin + held, context);
  if (!loaded) stream_.reset();
  return loaded;
}

// What a reader was given before it went past the cache is available still, unless the attempt has
// failed: fetched again it might be other bytes, and the digest would speak of those.
Result<std::size_t> Bypass::load_from_attempt(std::span<std::byte> out, std::uint64_t offset) {
  if (!attempt_) return std::size_t{0};
  cache::Partial& partial = attempt_->partial();
  std::size_t held = std::min<std::uint64_t>(partial.available(offset), out.size());
  if (held > 0 && !partial.read(out.first(held), offset)) held = 0;
  took_ |= held > 0;
  if (partial.state() != cache::State::failed) return held;
  if (took_) return wrong("the download that it was read from so far was dropped");
  return std::size_t{0};
}

Result<void> Bypass::load_from_source(std::span<std::byte> out, std::uint64_t offset,
                                      const Context& context) {
  if (!stream_ || stream_at_ != offset) {
    stream_.reset();
    rest_ = {};
    stream_ = TRY(open_stream(*origin_, digest_, size_, offset, std::nullopt, context));
    stream_at_ = stream_->offset;
  }
  const std::uint64_t end = offset + out.size();
  while (stream_at_ < end) {
    if (rest_.empty()) {
      rest_ = TRY(stream_->body->next(context));
      core_->counting.bytes_fetched += rest_.size();
    }
    if (rest_.empty()) {
      return Error(Errc::unavailable, fmt::format("{}: the body ended after {} of {} bytes",
                                                  blob_name(*origin_, digest_), stream_at_, size_));
    }
    if (stream_at_ < offset) {  // a server without ranges begins at 0
      const std::size_t skipped = std::min<std::size_t>(rest_.size(), offset - stream_at_);
      rest_ = rest_.subspan(skipped);
      stream_at_ += skipped;
      continue;
    }
    const std::size_t count = std::min<std::size_t>(rest_.size(), end - stream_at_);
    std::memcpy(out.data() + (stream_at_ - offset), rest_.data(), count);
    rest_ = rest_.subspan(count);
    stream_at_ += count;
  }
  return {};
}

Bypass::Piece& Bypass::oldest() { return slots_[0].used <= slots_[1].used ? slots_[0] : slots_[1]; }

Error Bypass::wrong(std::string_view what) {
  ++core_->counting.digest_mismatches;
  failed_ = Error(Errc::digest_mismatch, fmt::format("{}: {}", blob_name(*origin_, digest_), what));
  log::warning(failed_->message());
  return *failed_;
}

}  // namespace berth::content
