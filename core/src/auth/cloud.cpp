// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/cloud.hpp"

#include <array>

#include "berth/base/text.hpp"

namespace berth::auth {
namespace {

constexpr std::array kClouds = {
    Cloud{.name = "public",
          .authority_host = "https://login.microsoftonline.com",
          .resource_manager = "https://management.azure.com",
          .registry_suffix = "azurecr.io"},
    Cloud{.name = "government",
          .authority_host = "https://login.microsoftonline.us",
          .resource_manager = "https://management.usgovcloudapi.net",
          .registry_suffix = "azurecr.us"},
    Cloud{.name = "china",
          .authority_host = "https://login.chinacloudapi.cn",
          .resource_manager = "https://management.chinacloudapi.cn",
          .registry_suffix = "azurecr.cn"},
    Cloud{.name = "germany",
          .authority_host = "https://login.microsoftonline.de",
          .resource_manager = "https://management.microsoftazure.de",
          .registry_suffix = "azurecr.de"},
};

}  // namespace

std::span<const Cloud> clouds() { return kClouds; }

const Cloud* cloud_of_registry(std::string_view registry) {
  const std::string host = text::to_lower(registry.substr(0, registry.find(':')));
  for (const Cloud& cloud : kClouds) {
    // A registry's name and then the suffix as a whole: "notazurecr.io" is somebody else's.
    const std::size_t size = cloud.registry_suffix.size();
    if (host.size() > size + 1 && host.ends_with(cloud.registry_suffix) &&
        host[host.size() - size - 1] == '.') {
      return &cloud;
    }
  }
  return nullptr;
}

}  // namespace berth::auth
