// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "berth/base/environment.hpp"

namespace berth::credential {

/// What two names of the same registry have in common: lower case, and "docker.io" for each of
/// Docker Hub's names.
std::string canonical_host(std::string_view host);

/// docker's ConvertToHostname: a key of `auths` without scheme and path.
std::string_view hostname_of_key(std::string_view key);

bool has_scheme(std::string_view key);

/// A key that stands for its whole host: a bare host, a URL, or one of the old API paths (/v1/).
bool is_host_key(std::string_view key);

/// What docker asks a helper for: the host, or Docker Hub's historical URL.
std::string docker_server_url(std::string_view registry);

/// host/ns/repo, host/ns, host: the keys that podman tries, longest first.
std::vector<std::string> scoped_keys(std::string_view registry, std::string_view repository);

/// "~/.docker/config.json" reads better than where somebody's home is.
std::string short_name(const std::filesystem::path& file, const Environment& environment);

}  // namespace berth::credential
