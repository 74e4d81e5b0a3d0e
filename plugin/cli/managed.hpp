// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "berth/content/management.hpp"

#include "workspace.hpp"

namespace berth::cli {

/// A registry, or something of it, that is named and not looked up: deleted things are in no tree.
struct Managed {
  std::string registry;
  std::string repository;  ///< "" for the registry itself
  std::string tag;
  std::optional<Digest> digest;
  content::Management* management = nullptr;  ///< belongs to the Workspace

  /// "R/a:v1", as berth prints it.
  std::string text() const;
};

/// Errc::unsupported, naming the capability, where the registry has no properties. Whether it has
/// may cost one request where only its answers can tell.
Result<Managed> find_managed(const std::string& text, Workspace& workspace);

}  // namespace berth::cli
