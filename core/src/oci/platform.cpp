// SPDX-License-Identifier: Apache-2.0
#include "berth/oci/platform.hpp"

#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "berth/base/text.hpp"

namespace berth::oci {
namespace {

struct Machine {
  std::string_view name;
  std::string_view architecture;
  std::string_view variant;
};

/// What uname(2), Debian and people call them, and what Go does (GOARCH, GOARM).
constexpr std::array<Machine, 17> kMachines{{
    {"x86_64", "amd64", ""},
    {"x86-64", "amd64", ""},
    {"aarch64", "arm64", "v8"},
    {"armv8l", "arm", "v8"},
    {"armv7l", "arm", "v7"},
    {"armv7", "arm", "v7"},
    {"armhf", "arm", "v7"},
    {"armv6l", "arm", "v6"},
    {"armv6", "arm", "v6"},
    {"armel", "arm", "v6"},
    {"armv5tel", "arm", "v5"},
    {"armv5tejl", "arm", "v5"},
    {"i386", "386", ""},
    {"i486", "386", ""},
    {"i586", "386", ""},
    {"i686", "386", ""},
    {"loongarch64", "loong64", ""},
}};

void normalise(Platform& platform) {
  platform.os = text::to_lower(platform.os);
  if (platform.os == "macos") platform.os = "darwin";
  platform.architecture = text::to_lower(platform.architecture);
  platform.variant = text::to_lower(platform.variant);
  const auto* const known = std::ranges::find(kMachines, platform.architecture, &Machine::name);
  if (known == kMachines.end()) return;
  platform.architecture = known->architecture;
  if (platform.variant.empty()) platform.variant = known->variant;
}

bool is_part(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '.' || c == '-';
  });
}

/// "v8.2" as 82, with the default where none is stated; nullopt for a variant that is no version or
/// an architecture whose variants are none.
std::optional<int> version_of(std::string_view architecture, std::string_view variant) {
  if (variant.empty()) {
    if (architecture == "arm64") return 80;
    if (architecture == "arm") return 70;
    if (architecture == "amd64") return 10;
    return std::nullopt;
  }
  if (architecture != "arm64" && architecture != "arm" && architecture != "amd64") {
    return std::nullopt;
  }
  if (variant.starts_with('v')) variant.remove_prefix(1);
  const std::string_view major = variant.substr(0, variant.find('.'));
  const std::string_view minor =
      major.size() == variant.size() ? std::string_view("0") : variant.substr(major.size() + 1);
  if (major.size() != 1 || minor.size() != 1) return std::nullopt;
  if (major[0] < '0' || major[0] > '9' || minor[0] < '0' || minor[0] > '9') return std::nullopt;
  return (major[0] - '0') * 10 + (minor[0] - '0');
}

/// 0 when `wanted` cannot run `candidate`, else 1 to 100.
int variant_quality(const Platform& wanted, const Platform& candidate) {
  if (wanted.variant == candidate.variant) return 100;
  const auto mine = version_of(wanted.architecture, wanted.variant);
  const auto theirs = version_of(candidate.architecture, candidate.variant);
  // Without an order, only a candidate that states nothing is as good as none at all.
  if (!mine || !theirs) return candidate.variant.empty() ? 1 : 0;
  return *theirs > *mine ? 0 : std::max(1, 100 - (*mine - *theirs));
}

/// Windows: the wish "10.0.17763" is served by "10.0.17763.1234".
int os_version_quality(std::string_view wanted, std::string_view candidate) {
  if (wanted.empty() || candidate.empty()) return 1;
  if (wanted == candidate) return 3;
  return candidate.starts_with(wanted) && candidate[wanted.size()] == '.' ? 2 : 0;
}

}  // namespace

Result<Platform> Platform::parse(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::vector<std::string_view> parts = text::split(text.substr(0, colon), '/');
  const std::string_view os_version = colon < text.size() ? text.substr(colon + 1) : "";
  if (parts.size() < 2 || parts.size() > 3 || !std::ranges::all_of(parts, is_part) ||
      (colon < text.size() && !is_part(os_version))) {
    return Error(Errc::invalid_argument,
                 "'" + std::string(text) +
                     "' is not a platform; write os/architecture[/variant], such as linux/amd64 "
                     "or linux/arm/v7");
  }
  Platform platform{std::string(parts[0]), std::string(parts[1]),
                    std::string(parts.size() > 2 ? parts[2] : ""), std::string(os_version)};
  normalise(platform);
  return platform;
}

std::string Platform::text() const {
  std::string out = os + "/" + architecture;
  if (!variant.empty()) out.append("/").append(variant);
  if (!os_version.empty()) out.append(":").append(os_version);
  return out;
}

std::string Platform::file_name() const {
  std::string out =
      (os.empty() ? "unknown" : os) + "-" + (architecture.empty() ? "unknown" : architecture);
  for (const std::string& part : {variant, os_version}) {
    if (!part.empty()) out.append("-").append(part);
  }
  // It comes from an index, and so from anybody: a name must fit a folder and hide from nobody.
  out.resize(std::min<std::size_t>(out.size(), 200));
  for (char& c : out) {
    if (!is_part(std::string_view(&c, 1))) c = '_';
  }
  if (out[0] == '.') out[0] = '_';
  return out;
}

Platform host_platform() {
  utsname names{};
  ::uname(&names);
  Platform platform{
      .os = names.sysname, .architecture = names.machine, .variant = {}, .os_version = {}};
  normalise(platform);
  return platform;
}

int match_quality(const Platform& wanted, const Platform& candidate) {
  Platform a = wanted;
  Platform b = candidate;
  normalise(a);
  normalise(b);
  if (a.os != b.os || a.architecture != b.architecture) return 0;
  const int variant = variant_quality(a, b);
  const int os_version = os_version_quality(a.os_version, b.os_version);
  return variant == 0 || os_version == 0 ? 0 : os_version * 1000 + variant;
}

}  // namespace berth::oci
