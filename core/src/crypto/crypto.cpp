// SPDX-License-Identifier: Apache-2.0
#include "berth/crypto/crypto.hpp"

#include <sys/random.h>

#include <cerrno>
#include <new>

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace berth::crypto {

Result<Bytes> random_bytes(std::size_t count) {
  Bytes bytes(count);
  // getrandom(2) and not a generator in this process: nothing to seed, nothing to share over fork.
  for (std::size_t have = 0; have < count;) {
    const ssize_t got = ::getrandom(bytes.data() + have, count - have, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error::from_errno(errno, "cannot get random bytes");
    have += static_cast<std::size_t>(got);
  }
  return bytes;
}

Bytes hmac_sha256(const Secret& key, ByteView message) {
  const std::string& k = key.reveal();
  Bytes out(32);
  unsigned length = 0;
  // Fails only when OpenSSL has no SHA-256 or no memory left.
  const auto* const done =
      ::HMAC(::EVP_sha256(), k.data(), static_cast<int>(k.size()),
             reinterpret_cast<const unsigned char*>(message.data()), message.size(),
             reinterpret_cast<unsigned char*>(out.data()), &length);
  if (done == nullptr) throw std::bad_alloc();
  return out;
}

}  // namespace berth::crypto
