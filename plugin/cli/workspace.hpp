// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "berth/tree/tree.hpp"

#include "io.hpp"
#include "options.hpp"
#include "place.hpp"
#include "scratch.hpp"

namespace berth::cli {

/// What a place leads to, and the tree that it was found in.
struct Located {
  tree::Tree* tree = nullptr;  ///< belongs to the Workspace
  tree::Found found;
  Place place;
};

/// The hub of one command and a tree for each registry or layout that its operands name. Opened
/// when first needed, so that
/// `--help` and local work cost nothing. Not thread safe.
class Workspace {
 public:
  Workspace(const CommonOptions& options, Io& io, Context context);
  ~Workspace();

  const CommonOptions& options() const noexcept { return options_; }
  Io& io() const noexcept { return io_; }
  const Context& context() const noexcept { return context_; }

  /// Hosts that operands name: known to the mount of every registry, and those that command-line
  /// TLS settings are for.
  void name_hosts(const std::vector<std::string>& places);
  /// Trees that are opened from now on list their dot folders, as with -o list=all.
  void list_all() noexcept { list_all_ = true; }
  Result<content::Hub*> hub();
  /// The cache of the mounts that this user makes where it is another one than this command's:
  /// root's, unless a folder was named.
  std::optional<std::filesystem::path> cache_of_mounts() const;
  /// The tree below a registry, or of a layout.
  Result<tree::Tree*> tree_of(const Place& place);
  /// The tree of every registry that is known.
  Result<tree::Tree*> tree_of_all();
  /// Walks to a place. `follow`: through a link at its end. Messages name the place as typed.
  Result<Located> locate(const std::string& text, bool follow);

 private:
  Result<std::filesystem::path> unpacked(const std::filesystem::path& archive);
  Result<content::HubOptions> hub_options();
  Result<tree::Tree*> open_tree(const std::string& key, tree::Root root);

  const CommonOptions& options_;
  Io& io_;
  Context context_;
  std::vector<std::string> hosts_;
  std::map<std::string, Scratch> unpacked_;  ///< archives, by their paths
  bool list_all_ = false;
  std::unique_ptr<content::Hub> hub_;
  std::map<std::string, std::unique_ptr<tree::Tree>> trees_;
};

}  // namespace berth::cli
