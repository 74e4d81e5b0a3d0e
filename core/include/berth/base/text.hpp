// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/base/bytes.hpp"
#include "berth/base/result.hpp"

namespace berth::text {

/// Control characters, and the bidirectional ones of Unicode (CVE-2021-42574), as \xNN or \u{NNNN};
/// invalid UTF-8 bytes as \xNN. What a registry says is printed through this and no other way.
std::string escape_for_terminal(std::string_view untrusted);

std::string_view trim(std::string_view text) noexcept;  ///< of ASCII white space
std::string to_lower(std::string_view text);            ///< ASCII only
bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept;  ///< ASCII only
std::vector<std::string_view> split(std::string_view text, char separator);  ///< keeps empty parts

/// Is one of the lines this word, with no more than white space around it?
bool has_line(std::string_view text, std::string_view word);

/// RFC 4648 section 4, padded. Decoding accepts missing padding and the URL alphabet, nothing else.
std::string to_base64(ByteView bytes);
std::string to_base64url(ByteView bytes);  ///< section 5, without padding
Result<std::string> from_base64(std::string_view text);

std::string to_hex(ByteView bytes);  ///< lower case

/// RFC 3986: everything but unreserved characters and those of `keep`.
std::string percent_encode(std::string_view text, std::string_view keep = {});
Result<std::string> percent_decode(std::string_view text);

/// Decimal, the whole text, no sign; Errc::invalid_argument else.
Result<unsigned long long> parse_unsigned(std::string_view text);

/// "1.5 GiB", "312 B"; and back: "10GiB", "500M", "1048576". K, M, G and KiB, MiB, GiB are powers
/// of 1024, KB, MB, GB of 1000, in any case; Errc::invalid_argument else.
std::string format_size(unsigned long long bytes);
Result<unsigned long long> parse_size(std::string_view text);

/// RFC 3339 in UTC, with seconds; `parse_rfc3339` takes any offset and fraction.
std::string format_rfc3339(long long unix_seconds);
std::optional<long long> parse_rfc3339(std::string_view text);

}  // namespace berth::text
