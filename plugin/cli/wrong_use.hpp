// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "berth/base/error.hpp"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own name
class App;
class ParseError;
}  // namespace CLI

namespace berth::cli {

/// The one of `known` that was probably meant by `typed`: at most a third of its letters are wrong,
/// missing, too many or changed places. "" where nothing is near.
std::string nearest(std::string_view typed, const std::vector<std::string>& known);

/// The sentence for a first word that is no command of `app`.
Error unknown_command(const CLI::App& app, std::string_view typed);

/// The sentence for what the parser of `app` refused: names the command, what was wrong with it,
/// what may have been meant, and where the help is.
Error wrong_use(const CLI::App& app, const CLI::ParseError& error);

/// The sentence for an operand of `command` that is "".
Error empty_operand(const std::string& command);

/// The sentence for a URL (it holds "://") where a place was wanted: how it is written instead.
Error pasted_url(std::string_view text);

}  // namespace berth::cli
