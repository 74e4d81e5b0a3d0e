// SPDX-License-Identifier: Apache-2.0
#include "berth/digest/hasher.hpp"

// EVP hides the state of a hash, and a partial blob is taken up by saving it. OpenSSL 3 calls these
// functions deprecated and keeps them; they run the same assembly, at the same speed.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <algorithm>
#include <cstring>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#include <openssl/sha.h>

#include "berth/base/fd.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

namespace berth {
namespace {

// The saved form, little-endian throughout and free of OpenSSL's own layout:
//   0 "berthhs" and the format, 8 algorithm, 16 count, 24 the eight words of the chain, 88 the
//   bytes of the last, incomplete block, 248 a checksum against torn writes. All else is zero.
constexpr std::string_view kMagic = "berthhs";
constexpr std::size_t kAlgorithmAt = 8;
constexpr std::size_t kCountAt = 16;
constexpr std::size_t kChainAt = 24;
constexpr std::size_t kBlockAt = 88;
constexpr std::size_t kChecksumAt = 248;

void put(Hasher::State& state, std::size_t at, std::uint64_t value) noexcept {
  for (std::size_t i = 0; i < 8; ++i) state[at + i] = static_cast<std::byte>(value >> (8 * i));
}

std::uint64_t get(const Hasher::State& state, std::size_t at) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;)
    value = (value << 8) | std::to_integer<std::uint8_t>(state[at + i]);
  return value;
}

/// FNV-1a: it finds a torn or damaged state. Against an attacker the final digest stands.
std::uint64_t checksum(const Hasher::State& state) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (std::size_t i = 0; i < kChecksumAt; ++i) {
    hash = (hash ^ std::to_integer<std::uint8_t>(state[i])) * 0x100000001b3;
  }
  return hash;
}

struct Sha256 {
  using Context = SHA256_CTX;
  static constexpr std::size_t kBlock = SHA256_CBLOCK;
  static auto block(auto& context) noexcept { return &context.data[0]; }
};

struct Sha512 {
  using Context = SHA512_CTX;
  static constexpr std::size_t kBlock = SHA512_CBLOCK;
  static auto block(auto& context) noexcept { return &context.u.p[0]; }
};

template <class Kind>
void save_context(const typename Kind::Context& context, Hasher::State& out) noexcept {
  for (std::size_t i = 0; i < 8; ++i) put(out, kChainAt + 8 * i, context.h[i]);
  std::memcpy(&out[kBlockAt], Kind::block(context), context.num);
}

/// `context` is freshly initialised: only what the count and the bytes so far decide is set.
template <class Kind>
bool load_context(typename Kind::Context& context, const Hasher::State& state,
                  std::uint64_t count) noexcept {
  using Word = std::remove_reference_t<decltype(context.h[0])>;
  for (std::size_t i = 0; i < 8; ++i) {
    const std::uint64_t word = get(state, kChainAt + 8 * i);
    context.h[i] = static_cast<Word>(word);
    if (context.h[i] != word) return false;
  }
  // The length in bits, in two words.
  constexpr unsigned kWordBits = 8 * sizeof(Word);
  const std::uint64_t bits = count << 3;
  context.Nl = static_cast<Word>(bits);
  context.Nh = static_cast<Word>(kWordBits == 32 ? count >> 29 : count >> 61);
  context.num = static_cast<unsigned>(count % Kind::kBlock);
  std::memcpy(Kind::block(context), &state[kBlockAt], context.num);
  return true;
}

Error cannot_compute(Algorithm algorithm) {
  return Error(Errc::unsupported, "berth cannot compute " + std::string(to_string(algorithm)) +
                                      " digests; sha256, sha384 and sha512 it can");
}

static_assert(sizeof(SHA256_CTX) <= 224 && sizeof(SHA512_CTX) <= 224);
static_assert(alignof(SHA256_CTX) <= 16 && alignof(SHA512_CTX) <= 16);

template <class Context>
Context& as(std::array<std::byte, 224>& storage) noexcept {
  return *std::launder(reinterpret_cast<Context*>(storage.data()));
}
template <class Context>
const Context& as(const std::array<std::byte, 224>& storage) noexcept {
  return *std::launder(reinterpret_cast<const Context*>(storage.data()));
}
}  // namespace

Hasher::Hasher(Algorithm algorithm)
    : algorithm_(algorithm) {
  if (algorithm == Algorithm::sha256) {
    ::SHA256_Init(new (context_.data()) SHA256_CTX);
  } else if (algorithm == Algorithm::sha384) {
    ::SHA384_Init(new (context_.data()) SHA512_CTX);
  } else {
    ::SHA512_Init(new (context_.data()) SHA512_CTX);
  }
}

Result<Hasher> Hasher::create(Algorithm algorithm) {
  if (algorithm == Algorithm::blake3) return cannot_compute(algorithm);
  return Hasher(algorithm);
}

void Hasher::update(ByteView bytes) noexcept {
  count_ += bytes.size();
  if (algorithm_ == Algorithm::sha256) {
    ::SHA256_Update(&as<SHA256_CTX>(context_), bytes.data(), bytes.size());
  } else {  // sha384 is sha512 with another start and a shorter end
    ::SHA512_Update(&as<SHA512_CTX>(context_), bytes.data(), bytes.size());
  }
}

void Hasher::save(State& out) const noexcept {
  out.fill(std::byte{0});
  std::memcpy(out.data(), kMagic.data(), kMagic.size());
  out[kMagic.size()] = static_cast<std::byte>(kStateFormat);
  out[kAlgorithmAt] = static_cast<std::byte>(algorithm_);
  put(out, kCountAt, count_);
  if (algorithm_ == Algorithm::sha256) {
    save_context<Sha256>(as<SHA256_CTX>(context_), out);
  } else {
    save_context<Sha512>(as<SHA512_CTX>(context_), out);
  }
  put(out, kChecksumAt, checksum(out));
}

Result<Hasher> Hasher::resume(Algorithm algorithm, const State& state) {
  Hasher hasher = TRY(create(algorithm));
  const bool ours = as_text(state).starts_with(kMagic) &&
                    state[kMagic.size()] == static_cast<std::byte>(kStateFormat) &&
                    state[kAlgorithmAt] == static_cast<std::byte>(algorithm) &&
                    get(state, kChecksumAt) == checksum(state);
  hasher.count_ = get(state, kCountAt);
  if (!ours ||
      !(algorithm == Algorithm::sha256
            ? load_context<Sha256>(as<SHA256_CTX>(hasher.context_), state, hasher.count_)
            : load_context<Sha512>(as<SHA512_CTX>(hasher.context_), state, hasher.count_))) {
    return Error(Errc::corrupt, "the saved state of a " + std::string(to_string(algorithm)) +
                                    " hash is damaged or of another version");
  }
  return hasher;
}

Digest Hasher::finish() && {
  std::array<std::byte, SHA512_DIGEST_LENGTH> out{};
  auto* const raw = reinterpret_cast<unsigned char*>(out.data());
  std::size_t length = SHA256_DIGEST_LENGTH;
  if (algorithm_ == Algorithm::sha256) {
    ::SHA256_Final(raw, &as<SHA256_CTX>(context_));
  } else {
    ::SHA512_Final(raw, &as<SHA512_CTX>(context_));
    length = algorithm_ == Algorithm::sha384 ? SHA384_DIGEST_LENGTH : SHA512_DIGEST_LENGTH;
  }
  return *Digest::from_parts(to_string(algorithm_), text::to_hex(ByteView(out).first(length)));
}

Result<void> update_from_file(Hasher& hasher, int fd, std::uint64_t end, const Context& context,
                              const std::function<void(std::uint64_t)>& progress) {
  // Fits the second-level cache beside the hash, so that the bytes are hashed where they were read.
  constexpr std::uint64_t kBlock = 256 * 1024;
  Bytes block(static_cast<std::size_t>(std::min(kBlock, end - std::min(end, hasher.count()))));
  while (hasher.count() < end) {
    TRY(context.check());
    const auto piece = std::span(block).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), end - hasher.count())));
    TRY(pread_exact(fd, piece, hasher.count()));
    hasher.update(piece);
    if (progress) progress(piece.size());
  }
  return {};
}

Digest digest_of(ByteView bytes, Algorithm algorithm) {
  Hasher hasher = Hasher::create(algorithm).value();  // the caller's duty, and ours to notice
  hasher.update(bytes);
  return std::move(hasher).finish();
}

Result<void> verify(ByteView bytes, const Digest& expected) {
  if (!expected.is_verifiable()) return cannot_compute(expected.algorithm());
  const Digest actual = digest_of(bytes, expected.algorithm());
  if (actual == expected) return {};
  return Error(Errc::digest_mismatch, "the " + std::to_string(bytes.size()) +
                                          " bytes received have the digest " + actual.text() +
                                          ", not " + expected.text());
}

}  // namespace berth
