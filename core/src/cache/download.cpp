// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/try.hpp"

#include "cache/partial_impl.hpp"

namespace berth::cache {
namespace {

// Written and hashed in steps that stay in the second-level cache between the two.
constexpr std::size_t kStep = 256 * 1024;

}  // namespace

struct Download::Impl {
  std::shared_ptr<Partial::Impl> partial;
  std::uint64_t position = 0;
  std::uint64_t end = 0;
  std::uint64_t index = 0;
  std::optional<Partial::Impl::Owner> owner;
  std::optional<Partial::Impl::Owner> next;  ///< of chunk `index` + 1
  bool keeps_front = false;

  ~Impl() {
    give_back();
    if (next) partial->give_back(index + 1, *next);
    if (keeps_front) partial->release_front();
  }

  void give_back() {
    if (owner) partial->give_back(index, *owner);
    owner.reset();
  }

  /// The chunk at `position`, with its room. False: somebody else's.
  Result<bool> enter() {
    if (!owner) {
      index = position / kChunk;
      owner = partial->claim(index, true);
    }
    if (!owner) return false;
    auto reserved = partial->reserve(index, *owner);
    if (!reserved) {
      give_back();
      return std::move(reserved).error();
    }
    return true;
  }

  Result<bool> step(ByteView bytes) {
    const std::uint64_t after = position + bytes.size();
    // Before the bytes that fill this one: whoever they wake would find the next one free, and
    // begin a second download of what this one is about to bring.
    if (after % kChunk == 0 && after < end) next = partial->claim(index + 1, true);
    if (!TRY(partial->write_chunk(index, *owner, bytes))) return false;
    // While bytes continue the front this process stays the one that hashes.
    const std::uint64_t offset = position;
    position += bytes.size();
    if (!keeps_front && partial->ingest.map.hashed() == offset) {
      partial->keep_front();
      keeps_front = true;
    }
    partial->hash_written(bytes, offset);
    if (partial->is_full(index)) {
      give_back();
      owner = std::exchange(next, std::nullopt);
      ++index;
    }
    return true;
  }
};

Download::Download(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}
Download::Download(Download&&) noexcept = default;
Download::~Download() = default;

std::uint64_t Download::position() const noexcept { return impl_->position; }
std::uint64_t Download::end() const noexcept { return impl_->end; }

void Download::end_at(std::uint64_t end) noexcept { impl_->end = end; }

Result<bool> Download::write(ByteView bytes) {
  Partial::Impl& partial = *impl_->partial;
  while (!bytes.empty()) {
    if (impl_->position >= partial.size()) {
      partial.drop();
      return Error(Errc::digest_mismatch,
                   fmt::format("{} is longer than the {} bytes that were promised",
                               partial.digest.text(), partial.size()));
    }
    if (!TRY(impl_->enter())) {
      return partial.state() == State::failed ? Result<bool>(partial.dropped())
                                              : Result<bool>(false);
    }
    const std::uint64_t left =
        impl_->index * kChunk + partial.chunk_size(impl_->index) - impl_->position;
    const ByteView part =
        bytes.first(std::min({bytes.size(), kStep, static_cast<std::size_t>(left)}));
    if (!TRY(impl_->step(part))) return false;
    bytes = bytes.subspan(part.size());
  }
  if (partial.nearly_done()) TRY(partial.advance(Context{}));
  return true;
}

Result<std::optional<Download>> Partial::begin_download(std::uint64_t offset,
                                                        std::uint64_t own_rate) {
  if (state() == State::failed) return impl_->dropped();
  for (std::uint64_t index = offset / kChunk; index < impl_->ingest.map.chunks(); ++index) {
    if (state() != State::filling) break;
    if (impl_->is_full(index)) continue;
    auto owner = impl_->claim(index, false, own_rate);
    // It may have become full meanwhile: then the next one counts.
    if (!owner && impl_->is_full(index)) continue;
    if (!owner && own_rate > 0 && impl_->is_slow(index)) continue;
    if (!owner) break;
    auto download = std::make_unique<Download::Impl>();
    download->partial = impl_;
    download->index = index;
    download->owner = owner;
    TRY(impl_->reserve(index, *owner));
    download->position = index * kChunk + impl_->ingest.map.chunk(index).written;
    download->end = impl_->free_until(index);
    return std::optional<Download>(Download(std::move(download)));
  }
  return std::optional<Download>();
}

}  // namespace berth::cache
