// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "berth/base/context.hpp"
#include "berth/base/environment.hpp"

#include "streams.hpp"

namespace berth::helper {

/// docker-credential-berth: the protocol of docker-credential-helpers to the letter. Answers and
/// errors go to standard output, words for people to the error stream; exits 0 or 1. `berth` is the
/// command that fetches tokens, "" for none.
int run_docker_helper(const std::vector<std::string>& arguments, const Streams& streams,
                      const Environment& environment, const std::string& berth,
                      const Context& context);

}  // namespace berth::helper
