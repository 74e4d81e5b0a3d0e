// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "berth/content/hub.hpp"

#include "view.hpp"

namespace berth::fuse {

/// The registries' tree as berthfs shows it: tree::Tree, and in .berth/ the file `pid`, by which
/// `berth refresh` finds this process. Thread safe.
class TreeView final : public View {
 public:
  /// `hub` must outlive it.
  TreeView(content::Hub& hub, tree::Options options);

  tree::NodePtr root() const override { return tree_.root(); }
  Result<tree::Found> lookup(const tree::NodePtr& folder, std::string_view name,
                             const Context& context) override;
  tree::Ttl negative_ttl(const tree::NodePtr& folder, std::string_view name) const override;
  Result<std::vector<tree::Entry>> list(const tree::NodePtr& folder,
                                        const Context& context) override;
  Result<tree::Attributes> attributes(const tree::NodePtr& node, const Context& context) override;
  Result<std::string> read_link(const tree::NodePtr& link, const Context& context) override;
  Result<std::shared_ptr<tree::File>> open(const tree::NodePtr& file,
                                           const Context& context) override;
  Result<void> write(const tree::NodePtr& file, std::string_view text,
                     const Context& context) override;
  std::optional<Digest> content_digest(const tree::NodePtr& file) override;
  Usage usage() override;
  void refresh() override { tree_.refresh(); }

 private:
  bool is_control_folder(const tree::NodePtr& folder) const;
  bool is_pid(const tree::NodePtr& node) const { return node == pid_; }

  content::Hub& hub_;
  tree::Tree tree_;
  tree::NodePtr control_folder_;  ///< .berth; nullptr where there is none
  const tree::NodePtr pid_;
};

}  // namespace berth::fuse
