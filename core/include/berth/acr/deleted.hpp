// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "berth/acr/options.hpp"
#include "berth/acr/timestamp.hpp"
#include "berth/digest/digest.hpp"

/// ACR's soft delete: what was deleted stays for the days that the registry's policy says, and can
/// be had back. The service has it, its published API (2021-07-01) and the SDKs do not; the
/// requests are those of `az acr manifest list-deleted` and `restore`. A registry without the
/// policy has empty lists. Needs the rights deleted/read and deleted/restore/action.
namespace berth::acr {

/// GET /acr/v1/_deleted/{name}/_manifests.
struct DeletedManifest {
  Digest digest;
  std::optional<Timestamp> deleted_at;
  std::vector<std::string> tags;  ///< that it had
};

/// GET /acr/v1/_deleted/{name}/_tags.
struct DeletedTag {
  std::string name;
  Digest digest;  ///< that it led to
  std::optional<Timestamp> deleted_at;
};

/// POST /acr/v1/_deleted/{name}/_manifests/{digest}?force=.
struct RestoreOptions : OperationOptions {
  std::string tag{};   ///< of restore_manifest: which tag to give back with it; "" for none
  bool force = false;  ///< also where the tag exists and leads elsewhere: it is moved
};

}  // namespace berth::acr
