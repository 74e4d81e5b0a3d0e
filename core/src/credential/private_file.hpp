// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "berth/base/context.hpp"
#include "berth/base/fd.hpp"

namespace berth::credential {

/// A small file that is this user's alone: not a link, a pipe or another user's, and closed to
/// others. nullopt when there is none. Errors: denied, with the remedy.
Result<std::optional<std::string>> read_private_file(const std::filesystem::path& path,
                                                     std::size_t limit);

/// An exclusive lock on a file that is made where it is missing, waited for until the Context ends.
/// Held until the descriptor is closed.
Result<Fd> lock_file(const std::filesystem::path& path, const Context& context);

}  // namespace berth::credential
