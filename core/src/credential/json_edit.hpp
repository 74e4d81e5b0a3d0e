// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "berth/base/result.hpp"

namespace berth::credential {

/// Changes one member of a JSON object in its text: numbers, order, spaces and members that stand
/// twice stay as somebody wrote them. `text` must be valid JSON; an empty one is an empty object.
/// `path` is the member's name, after those of the objects that it stands in. A name at the top is
/// found in any case, as docker's and podman's readers do; further down as it is written.
///
/// Errors: corrupt when a name of the path stands twice, so that nobody knows which one counts, and
/// when what should hold the member is no object (null is as if absent).
using JsonPath = std::vector<std::string>;

/// With the member set to a string; objects on the way to it are made.
Result<std::string> with_member(const std::string& text, const JsonPath& path,
                                std::string_view value);

/// Without it; the same text when it is not there.
Result<std::string> without_member(const std::string& text, const JsonPath& path);

}  // namespace berth::credential
