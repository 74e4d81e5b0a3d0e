// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/base/context.hpp"

namespace berth {

/// A program to run without a shell.
struct ProcessSpec {
  std::vector<std::string> argv;  ///< argv[0] is looked up in the PATH that it is given, absolute
                                  ///< folders of it only, unless it has a slash
  std::string folder;             ///< where it runs; "" is this process's own
  std::string input;              ///< written to its stdin, which is then closed
  std::optional<std::vector<std::string>> env;  ///< "NAME=value"; absent: this process's own
  std::vector<std::string> extra_env;           ///< added to or replacing entries of env
  std::size_t output_limit = 1024 * 1024;       ///< of stdout; more is Errc::too_large
  bool inherit_stderr = true;                   ///< else captured, at most output_limit
};

struct ProcessResult {
  int exit_code = 0;  ///< 128 + signal when it was killed
  std::string output;
  std::string error_output;
};

/// Runs it in a process group of its own and waits. When the Context ends, or the output passes its
/// limit, the whole group is killed. Children that it leaves running when it ends are not, and what
/// they write later is not waited for. Errc::not_found when there is no such program.
Result<ProcessResult> run_process(const ProcessSpec& spec, const Context& context);

/// The PATH of an environment that has none.
inline constexpr std::string_view kDefaultPath = "/usr/local/bin:/usr/bin:/bin";
/// An executable file in the folders of `path`, as PATH lists them. Empty and relative ones are
/// passed over: what runs with a user's credentials must not depend on the folder one happens to be
/// in. nullopt when none of them has it.
std::optional<std::string> find_program(std::string_view name, std::string_view path);

}  // namespace berth
