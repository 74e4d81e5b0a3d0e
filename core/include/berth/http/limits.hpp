// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>

namespace berth::http {

/// Every limit on what a server may make berth do, each with its reason.
namespace limits {
inline constexpr std::size_t kHeaderBytes =
    256 * 1024;  ///< of one answer; curl's own limit is 300 KiB
inline constexpr std::size_t kErrorBody = 64 * 1024;  ///< enough for any OCI error list
inline constexpr std::size_t kTokenBody =
    128 * 1024;  ///< ACR tokens are 1-3 KiB; peers allow 64-128 KiB
inline constexpr std::size_t kPageBody =
    8 * 1024 * 1024;                   ///< one page of a list; 1000 names of 255 bytes are 0.3 MiB
inline constexpr int kPages = 10'000;  ///< of one list: 100 names each is a million
inline constexpr int kRedirects = 10;  ///< as browsers and peers
inline constexpr std::size_t kQueueBytes =
    2 * 1024 * 1024;  ///< received and not yet read, of one transfer
inline constexpr std::size_t kProgressBytes =
    1024 * 1024;  ///< between two breaks of a body; less, and the server is one that does not work
inline constexpr std::size_t kSkipBytes =
    64 * 1024 * 1024;  ///< read and dropped when a server answers a Range with the whole
inline constexpr std::size_t kPasswordFile = 4 * 1024;     ///< of a client key: one line
inline constexpr std::size_t kTlsFile = 16 * 1024 * 1024;  ///< a CA bundle; Debian's has 0.2 MiB
inline constexpr std::size_t kIdleConnections = 32;        ///< kept open for reuse
inline constexpr std::chrono::seconds kRetryAfterCap{
    60};  ///< a server may not park a client for longer
inline constexpr std::chrono::seconds kConnectTimeout{15};
inline constexpr std::chrono::seconds kStallTimeout{
    30};  ///< no byte for this long breaks the transfer
}  // namespace limits

}  // namespace berth::http
