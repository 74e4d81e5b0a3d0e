// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "berth/base/bytes.hpp"
#include "berth/base/context.hpp"
#include "berth/digest/digest.hpp"

namespace berth {

/// Computes one digest over bytes that come in order. Not thread safe. Its state is plain data: it
/// can be saved after any update and taken up later, by any process on any machine. The saved form
/// is berth's own, which `kStateFormat` names: it depends neither on OpenSSL nor on the byte order.
class Hasher {
 public:
  /// The state as saved: opaque but for its size. Written to disk by the cache.
  static constexpr std::size_t kStateSize = 256;
  static constexpr std::uint32_t kStateFormat = 1;
  using State = std::array<std::byte, kStateSize>;

  /// Errc::unsupported for blake3.
  static Result<Hasher> create(Algorithm algorithm);
  /// Errc::corrupt when `state` is not one that save() wrote for this algorithm and format.
  static Result<Hasher> resume(Algorithm algorithm, const State& state);

  void update(ByteView bytes) noexcept;
  /// Bytes hashed so far, over all resumptions.
  std::uint64_t count() const noexcept { return count_; }
  void save(State& out) const noexcept;
  /// Ends this hasher: the digest of all that was updated.
  Digest finish() &&;

  Algorithm algorithm() const noexcept { return algorithm_; }

 private:
  explicit Hasher(Algorithm algorithm);

  Algorithm algorithm_;
  std::uint64_t count_ = 0;
  alignas(16) std::array<std::byte, 224> context_{};  // SHA256_CTX or SHA512_CTX
};

/// Hashes on from a file: the bytes from hasher.count() up to `end`, which lie there at the same
/// offsets. `progress` gets the bytes of each step. Errc::io where the file is shorter.
Result<void> update_from_file(Hasher& hasher, int fd, std::uint64_t end, const Context& context,
                              const std::function<void(std::uint64_t)>& progress = nullptr);

/// The digest of one buffer. `algorithm` must be verifiable.
Digest digest_of(ByteView bytes, Algorithm algorithm = Algorithm::sha256);

/// Errc::digest_mismatch, naming both, unless `bytes` have the digest; Errc::unsupported for
/// blake3.
Result<void> verify(ByteView bytes, const Digest& expected);

}  // namespace berth
