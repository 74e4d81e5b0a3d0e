// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "berth/base/bytes.hpp"
#include "berth/base/result.hpp"
#include "berth/base/secret.hpp"

namespace berth::crypto {

/// `count` bytes from the operating system's generator.
Result<Bytes> random_bytes(std::size_t count);

/// HMAC-SHA-256 (RFC 2104), 32 bytes.
Bytes hmac_sha256(const Secret& key, ByteView message);

}  // namespace berth::crypto
