// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace berth::cli {

/// Was the program started as docker-berth, the docker CLI's plugin?
bool is_docker_plugin(std::string_view program);

/// docker runs `docker-berth berth ARGUMENTS`: takes its own name away. Gives what to print when
/// docker asks who this is (docker/cli, cli-plugins/metadata).
std::optional<std::string> docker_plugin(std::vector<std::string>& arguments);

}  // namespace berth::cli
