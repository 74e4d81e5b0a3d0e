// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "berth/digest/hasher.hpp"

#include "content/attempt.hpp"
#include "content/pump.hpp"
#include "content/turn.hpp"

namespace berth::content {

/// How much is fetched to get at an offset that the hash has not reached.
inline constexpr std::uint64_t kBypassSkip = 64 * 1024 * 1024;

/// Reads a blob past a cache that cannot take it, verified as it goes: pieces are hashed in order,
/// and the last one is given only when the digest is right. What was given before is fetched again
/// when it is asked for again, and must then be the same. Holds two pieces of at most 4 MiB and a
/// saved hash state for each. Thread safe; reads wait for one another.
class Bypass {
 public:
  /// `attempt`: bytes that the cache did take, or nullptr. `bound`: the reader was given some of
  /// them, so that they are what is hashed, and nothing is right once that attempt has failed.
  Bypass(std::shared_ptr<Core> core, std::shared_ptr<const Origin> origin, Digest digest,
         std::uint64_t size, std::shared_ptr<Attempt> attempt, bool bound);

  /// Fills `out`, which must not go beyond the end. Errc::no_space, with the remedy, when more than
  /// kBypassSkip bytes lie between it and what is hashed.
  Result<void> read(std::uint64_t offset, std::span<std::byte> out, const Context& context);

 private:
  struct Piece {
    std::uint64_t index = UINT64_MAX;
    std::uint64_t used = 0;  ///< higher: later
    Bytes bytes;
  };

  Result<const Piece*> piece(std::uint64_t index, const Context& context);
  Result<void> reach(std::uint64_t index, const Context& context);
  Result<void> hash_next(Piece& into, const Context& context);
  Result<void> load_again(Piece& into, std::uint64_t index, const Context& context);
  Result<void> load(Piece& into, std::uint64_t index, const Context& context);
  /// The bytes of the attempt that lie at the beginning of a piece. Returns how many.
  Result<std::size_t> load_from_attempt(std::span<std::byte> out, std::uint64_t offset);
  Result<void> load_from_source(std::span<std::byte> out, std::uint64_t offset,
                                const Context& context);
  Piece& oldest();
  Error wrong(std::string_view what);

  const std::shared_ptr<Core> core_;
  const std::shared_ptr<const Origin> origin_;
  const Digest digest_;
  const std::uint64_t size_;
  const std::uint64_t piece_size_;
  const std::uint64_t pieces_;
  const std::shared_ptr<Attempt> attempt_;

  Turns turns_;
  // All that follows belongs to whoever has the turn.
  bool took_;  ///< bytes of the attempt
  /// Before piece i; one more than the pieces that are hashed.
  std::vector<Hasher::State> states_;
  Piece slots_[2];
  std::uint64_t uses_ = 0;
  std::optional<registry::BlobStream> stream_;
  std::uint64_t stream_at_ = 0;
  ByteView rest_;  ///< of what the stream gave last
  std::optional<Error> failed_;
};

}  // namespace berth::content
