// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "berth/base/environment.hpp"
#include "berth/base/result.hpp"

namespace berth::credential {

/// One file as it is and as it shall be; nullopt: absent.
struct FileChange {
  std::filesystem::path file;
  std::optional<std::string> before;
  std::optional<std::string> after;
  /// What to show of the change, where the file's own lines would tell secrets.
  std::optional<std::vector<std::string>> shown{};
};

/// What making a tool ask berth, or undoing it, comes to.
struct SetupPlan {
  std::vector<FileChange> files;   ///< "" of them: nothing to do
  std::vector<std::string> notes;  ///< sentences for the person
};

struct SetupRequest {
  Environment environment = real_environment;
  std::vector<std::string> registries{};  ///< patterns; none: every registry
  std::filesystem::path file{};           ///< of the kubelet
  bool undo = false;
};

/// docker's config.json ($DOCKER_CONFIG, else ~/.docker): credsStore, or credHelpers for registries
/// that are named whole. The members that berth replaces are kept in config.json.berth-undo beside
/// it. All else stays as its bytes are. Errors: invalid_argument for a pattern, which docker cannot
/// match; corrupt for a file that is no JSON object, or has one of these members twice.
Result<SetupPlan> plan_docker(const SetupRequest& request);

/// podman, buildah and skopeo: a file of berth's own, registries.conf.d/50-berth.conf, that names
/// the helper after their files; or credHelpers in containers/auth.json for registries that are
/// named whole.
Result<SetupPlan> plan_podman(const SetupRequest& request);

/// The kubelet's CredentialProviderConfig (YAML): a provider between two comments of berth's,
/// before the ones that are there. Without --registry for ACR's hosts. Errors: invalid_argument for
/// what is no pattern; unsupported where the list of providers cannot be found.
Result<SetupPlan> plan_kubelet(const SetupRequest& request);

/// What goes and comes, "-" and "+" before it: lines, or members of a file that may hold secrets.
std::string show_change(const FileChange& change);

/// Writes what the plan says, each file complete or not at all, and a link's target in its place.
/// Errors: conflict when a file changed since it was read.
Result<void> apply_plan(const SetupPlan& plan);

}  // namespace berth::credential
