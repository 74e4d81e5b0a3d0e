// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "berth/base/environment.hpp"
#include "berth/credential/config.hpp"

namespace berth::credential {

/// The certs.d folders of containers/image and docker, the user's own first.
std::vector<std::filesystem::path> certs_folders(const Environment& environment);

/// Fills what `config` leaves open from FOLDER/registry of the first folder that has it: each *.crt
/// is a CA (ca.crt before others), NAME.cert with NAME.key a client's certificate (client before
/// others).
void add_certs(const std::vector<std::filesystem::path>& folders, const std::string& registry,
               RegistryConfig& config);

}  // namespace berth::credential
