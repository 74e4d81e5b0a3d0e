// SPDX-License-Identifier: Apache-2.0
#include "credential/registry_key.hpp"

#include "berth/base/text.hpp"
#include "berth/oci/reference.hpp"

namespace berth::credential {
namespace {

std::string_view without_scheme(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (text::equals_ignoring_case(key.substr(0, scheme.size()), scheme)) {
      return key.substr(scheme.size());
    }
  }
  return key;
}

}  // namespace

std::string canonical_host(std::string_view host) {
  std::string lower = text::to_lower(host);
  return oci::is_docker_hub(lower) ? std::string(oci::kDockerHubNames.front()) : lower;
}

std::string_view hostname_of_key(std::string_view key) {
  const std::string_view rest = without_scheme(key);
  return rest.substr(0, rest.find('/'));
}

bool has_scheme(std::string_view key) { return without_scheme(key).size() != key.size(); }

bool is_host_key(std::string_view key) {
  if (has_scheme(key)) return true;
  const std::size_t slash = key.find('/');
  if (slash == std::string_view::npos) return true;
  const std::string_view path = key.substr(slash);
  return path == "/" || path == "/v1" || path == "/v1/" || path == "/v2" || path == "/v2/";
}

std::string docker_server_url(std::string_view registry) {
  if (canonical_host(registry) == "docker.io") return "https://index.docker.io/v1/";
  return std::string(registry);
}

std::vector<std::string> scoped_keys(std::string_view registry, std::string_view repository) {
  std::vector<std::string> keys;
  const std::string host = canonical_host(registry);
  while (!repository.empty()) {
    keys.push_back(host + "/" + std::string(repository));
    const std::size_t slash = repository.rfind('/');
    repository = slash == std::string_view::npos ? "" : repository.substr(0, slash);
  }
  keys.push_back(host);
  return keys;
}

std::string short_name(const std::filesystem::path& file, const Environment& environment) {
  const auto home = home_directory(environment);
  if (!home || home->native().size() < 2) return file.native();
  const std::string prefix = home->native() + "/";
  if (!file.native().starts_with(prefix)) return file.native();
  return "~/" + file.native().substr(prefix.size());
}

}  // namespace berth::credential
