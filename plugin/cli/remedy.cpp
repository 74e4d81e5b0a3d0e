// SPDX-License-Identifier: Apache-2.0
#include "remedy.hpp"

#include <array>
#include <string_view>

#include "berth/acr/paging.hpp"

namespace berth::cli {
namespace {

/// By what the registry said: its code, and a part of its message or of the error's. The first row
/// that fits.
struct Row {
  std::string_view code;  ///< "" for any
  std::string_view part;  ///< "" for any
  std::string_view remedy;
};

constexpr std::array kRows{
    Row{"REGISTRY_DISALLOWED_OPERATION", "can_read is false",
        "`berth set PLACE can_read=true` does, of the tag, its manifest and its repository, "
        "whichever is locked (`berth stat PLACE` shows it)"},
    Row{"REGISTRY_DISALLOWED_OPERATION", "",
        "`berth set PLACE can_write=true can_delete=true` does, of the tag, its manifest and its "
        "repository, whichever is locked (`berth stat PLACE` shows it)"},
    Row{"DENIED", "aka.ms/acr/firewall",
        "this is the registry's firewall, not your login: let the address in under Networking of "
        "the registry, or go by its private endpoint"},
    Row{"DENIED", "retrieving permissions failed",
        "the registry could not look up your rights: try again; if it stays so, the identity or "
        "its "
        "role assignment was removed"},
    Row{"", "registry:catalog:",
        "on a registry whose rights are per repository (ABAC) the list needs the role Container "
        "Registry Repository Catalog Lister: name the repository, REGISTRY/NAME, without it"},
    Row{"", ":metadata_write",
        "setting properties needs the right metadata/write: of the role AcrPush alone it is no "
        "part "
        "on a registry whose rights are per repository (ABAC), where Container Registry Repository "
        "Writer or Contributor has it"},
    Row{"", ":metadata_read",
        "properties need the right metadata/read: on a registry whose rights are per repository "
        "(ABAC) the role Container Registry Repository Reader has it, for that repository"},
    Row{"", ":deleted_re",
        "deleted content needs the rights deleted/read and deleted/restore/action"},
    Row{"", ":delete",
        "deleting needs the right content/delete: of the role AcrDelete, or of Container Registry "
        "Repository Contributor on a registry whose rights are per repository (ABAC)"},
    Row{"BLOB_UPLOAD_INVALID", "",
        "the upload went out of step with the registry after a broken connection: start it again"},
    Row{"CONFLICT", "restoring ",
        "another manifest has the tag by now: `berth deleted restore --force` moves it"},
    Row{"BLOB_UPLOAD_UNKNOWN", "", "the registry gave the upload up: start it again"},
};

/// Only a purge holds a list against what the repository counts.
constexpr std::string_view kTrustLists =
    "; if something in it is hidden (can_list=false), `berth purge --trust-lists` goes by what is "
    "listed, and what only a hidden index needs goes too";

bool is_about_rights(const Error& error) {
  return error.code() == Errc::denied || error.code() == Errc::unauthenticated;
}

}  // namespace

std::string remedy(const Error& error) {
  const HttpInfo* http = error.http();
  const std::string text = error.describe();
  if (error.code() == Errc::corrupt && text.find(acr::kShortList) != text.npos) {
    return std::string(kTrustLists);
  }
  for (const Row& row : kRows) {
    if (row.code.empty() ? !is_about_rights(error) || text.find("lacks that right") == text.npos
                         : http == nullptr || http->registry_code != row.code) {
      continue;
    }
    if (text.find(row.part) != std::string::npos) return "; " + std::string(row.remedy);
  }
  return {};
}

}  // namespace berth::cli
