// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/acr/timestamp.hpp"
#include "berth/digest/digest.hpp"

/// What ACR says about repositories, tags and manifests: the models of the official SDKs under the
/// same names, and the fields that those drop. Values. Text is the registry's: escape it before it
/// reaches a terminal. A permission is nullopt where the registry did not state it.
namespace berth::acr {

/// GET /acr/v1/{name}.
struct ContainerRepositoryProperties {
  std::string registry_login_server;
  std::string name;
  Timestamp created_on;
  Timestamp last_updated_on;  ///< a change of the permissions does not move it
  std::uint64_t manifest_count = 0;
  std::uint64_t tag_count = 0;
  std::optional<bool> can_delete;
  std::optional<bool> can_write;  ///< false refuses deletions too
  std::optional<bool> can_list;
  std::optional<bool> can_read;
};

/// GET /acr/v1/{name}/_tags/{tag}.
struct ArtifactTagProperties {
  std::string registry_login_server;
  std::string repository_name;
  std::string name;
  Digest digest;
  Timestamp created_on;
  Timestamp last_updated_on;
  std::optional<bool> can_delete;
  std::optional<bool> can_write;
  std::optional<bool> can_list;
  std::optional<bool> can_read;
  std::optional<bool> is_signed;  ///< by Docker Content Trust; the SDKs drop it
};

/// One manifest that an index names.
struct ArtifactManifestPlatform {
  Digest digest;
  std::string architecture;  ///< "" when not stated (JSON null)
  std::string operating_system;
};

/// GET /acr/v1/{name}/_manifests/{digest}.
struct ArtifactManifestProperties {
  std::string registry_login_server;
  std::string repository_name;
  Digest digest;
  std::optional<std::uint64_t> size_in_bytes;  ///< of an index: of all that it names
  Timestamp created_on;
  Timestamp last_updated_on;
  std::string architecture;      ///< "amd64"; "" when not stated, as on an index
  std::string operating_system;  ///< "linux"
  /// What an index names. Only the single manifest has it; a list never states it.
  std::vector<ArtifactManifestPlatform> related_artifacts;
  std::vector<std::string> tags;
  std::optional<bool> can_delete;
  std::optional<bool> can_write;
  std::optional<bool> can_list;
  std::optional<bool> can_read;
  std::string media_type;         ///< the SDKs for JavaScript and Python drop it
  std::string config_media_type;  ///< "" when not stated
};

/// What may be changed of each: only what has a value is sent.
struct ChangeableProperties {
  std::optional<bool> can_delete;
  std::optional<bool> can_write;
  std::optional<bool> can_list;
  std::optional<bool> can_read;
};

/// What went with a repository; the SDKs drop it.
struct DeletedRepository {
  bool existed = true;  ///< false: there was none, and the caller asked to ignore that
  std::vector<Digest> manifests_deleted;
  std::vector<std::string> tags_deleted;
};

/// In which order a list comes; `none` leaves it to the service: by name, or by digest.
enum class ArtifactTagOrder : std::uint8_t {
  none,
  last_updated_on_descending,
  last_updated_on_ascending,
};
enum class ArtifactManifestOrder : std::uint8_t {
  none,
  last_updated_on_descending,
  last_updated_on_ascending,
};

/// KnownArtifactArchitecture. What the registry says may be another one: these are for comparing.
namespace known_architecture {
inline constexpr std::string_view k386 = "386", kAmd64 = "amd64", kArm = "arm", kArm64 = "arm64",
                                  kMips = "mips", kMipsle = "mipsle", kMips64 = "mips64",
                                  kMips64le = "mips64le", kPpc64 = "ppc64", kPpc64le = "ppc64le",
                                  kRiscv64 = "riscv64", kS390x = "s390x", kWasm = "wasm";
}  // namespace known_architecture

/// KnownArtifactOperatingSystem.
namespace known_operating_system {
inline constexpr std::string_view kAix = "aix", kAndroid = "android", kDarwin = "darwin",
                                  kDragonFly = "dragonfly", kFreeBsd = "freebsd",
                                  kIllumos = "illumos", kIos = "ios", kJs = "js", kLinux = "linux",
                                  kNetBsd = "netbsd", kOpenBsd = "openbsd", kPlan9 = "plan9",
                                  kSolaris = "solaris", kWindows = "windows";
}  // namespace known_operating_system

/// KnownContainerRegistryAudience: for registries that take Azure Resource Manager's tokens. The
/// default is ACR's own audience, which every cloud takes.
namespace known_audience {
inline constexpr std::string_view kContainerRegistry = "https://containerregistry.azure.net";
inline constexpr std::string_view kPublicCloud = "https://management.azure.com";
inline constexpr std::string_view kGovernment = "https://management.usgovcloudapi.net";
inline constexpr std::string_view kChina = "https://management.chinacloudapi.cn";
inline constexpr std::string_view kGermany = "https://management.microsoftazure.de";
}  // namespace known_audience

}  // namespace berth::acr
