// SPDX-License-Identifier: Apache-2.0
#include "credential/certs.hpp"

#include <algorithm>

namespace berth::credential {
namespace {

using std::filesystem::path;

/// Files of a folder by extension, sorted, `preferred` first. A folder that is not there, or may
/// not be read, has none.
std::vector<path> files_with(const path& folder, const char* extension, const char* preferred) {
  std::vector<path> files;
  std::error_code failed;
  std::filesystem::directory_iterator entries(folder, failed);
  for (; !failed && entries != std::filesystem::directory_iterator(); entries.increment(failed)) {
    if (entries->path().extension() == extension) files.push_back(entries->path());
  }
  std::sort(files.begin(), files.end());
  const auto first = std::find_if(files.begin(), files.end(),
                                  [&](const path& file) { return file.filename() == preferred; });
  if (first != files.end()) std::rotate(files.begin(), first, first + 1);
  return files;
}

void add_ca(const path& folder, RegistryConfig& config) {
  const std::vector<path> files = files_with(folder, ".crt", "ca.crt");
  if (files.empty()) return;
  config.ca_file = files.front().native();
  for (std::size_t i = 1; i < files.size(); ++i) config.more_ca_files.push_back(files[i].native());
}

void add_client(const path& folder, RegistryConfig& config) {
  for (const path& certificate : files_with(folder, ".cert", "client.cert")) {
    path key = certificate;
    key.replace_extension(".key");
    std::error_code ignored;
    if (!std::filesystem::exists(key, ignored)) continue;
    config.client_cert_file = certificate.native();
    config.client_key_file = key.native();
    return;
  }
}

}  // namespace

std::vector<path> certs_folders(const Environment& environment) {
  std::vector<path> folders;
  if (const auto home = home_directory(environment)) {
    folders.push_back(*home / ".config" / "containers" / "certs.d");
  }
  folders.emplace_back("/etc/containers/certs.d");
  folders.emplace_back("/etc/docker/certs.d");
  return folders;
}

void add_certs(const std::vector<path>& folders, const std::string& registry,
               RegistryConfig& config) {
  for (const path& folder : folders) {
    if (config.ca_file.empty()) add_ca(folder / registry, config);
    if (config.client_cert_file.empty()) add_client(folder / registry, config);
  }
}

}  // namespace berth::credential
