// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string_view>

#include "berth/base/result.hpp"
#include "berth/base/secret.hpp"

namespace berth::auth {

/// Azure Arc lets those ask who may read a file that its agent names in a challenge,
/// `Basic realm=/var/opt/azcmagent/tokens/NAME.key`: the file's content. Only a file of that very
/// folder with that very ending, of at most 4 KiB and no link, is read: else whoever answers at the
/// port could have any file of the user. The error says what was wrong.
Result<Secret> answer_arc_challenge(std::string_view challenge,
                                    const std::filesystem::path& folder);

}  // namespace berth::auth
