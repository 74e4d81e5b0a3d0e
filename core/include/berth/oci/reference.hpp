// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "berth/base/result.hpp"
#include "berth/digest/digest.hpp"

namespace berth::oci {

/// Grammars of distribution-spec 1.1, "Pulling manifests". All are whole-string matches.
bool is_repository(std::string_view text) noexcept;            ///< "library/hello-world"
bool is_repository_component(std::string_view text) noexcept;  ///< "hello-world"
bool is_tag(std::string_view text) noexcept;
/// host, host:port, [v6]:port. A host that is no address or `localhost` needs a dot or a port to be
/// told from a repository (as docker's reference grammar does); see looks_like_registry.
bool is_registry(std::string_view text) noexcept;
/// is_registry, and has a dot, a colon or is "localhost".
bool looks_like_registry(std::string_view text) noexcept;

/// Docker Hub's names: one registry, and one account. The first is the one that people write.
inline constexpr std::array<std::string_view, 4> kDockerHubNames = {
    "docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"};
bool is_docker_hub(std::string_view host) noexcept;  ///< `host` in lower case

/// registry/repository[:tag][@digest]. Always has a registry: berth never supplies docker.io.
struct Reference {
  std::string registry;
  std::string repository;
  std::optional<std::string> tag;
  std::optional<Digest> digest;

  /// Errc::invalid_argument, saying which part breaks which rule; Errc::unsupported for a digest of
  /// an unknown algorithm. The registry is put into lower case: a host is the same in any.
  static Result<Reference> parse(std::string_view text);
  std::string text() const;
  friend bool operator==(const Reference&, const Reference&) = default;
};

}  // namespace berth::oci
