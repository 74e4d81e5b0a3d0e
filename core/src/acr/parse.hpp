// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "berth/acr/deleted.hpp"
#include "berth/acr/models.hpp"

/// The bodies of acr.md 2.3. What the service is known to leave out or to send as null is let pass
/// (lists, architecture, os, permissions); anything else that is not as it should be is
/// Errc::corrupt: a digest or a time that cannot be read is nothing to act upon.
namespace berth::acr {

Result<ContainerRepositoryProperties> parse_repository(std::string_view body);
Result<ArtifactTagProperties> parse_tag(std::string_view body);
Result<ArtifactManifestProperties> parse_manifest(std::string_view body);
Result<DeletedRepository> parse_deleted_repository(std::string_view body);

/// Of one page of a list.
Result<std::vector<std::string>> parse_names(std::string_view body);
Result<std::vector<ArtifactTagProperties>> parse_tags(std::string_view body);
Result<std::vector<ArtifactManifestProperties>> parse_manifests(std::string_view body);
Result<std::vector<DeletedManifest>> parse_deleted_manifests(std::string_view body);
Result<std::vector<DeletedTag>> parse_deleted_tags(std::string_view body);

/// What PATCH takes, in the order of the SDK for JavaScript.
std::string changes_text(const ChangeableProperties& changes);

}  // namespace berth::acr
