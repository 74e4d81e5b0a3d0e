// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/tree/tree.hpp"

namespace berth::fuse {

/// What df(1) shows: the cache's quota and how much of it is used, in bytes.
struct Usage {
  std::uint64_t limit = 0;
  std::uint64_t used = 0;
};

/// What berthfs asks of the tree that it shows: tree::Tree behind a seam, so that tests can mount a
/// tree of their own. Every call may be made from any thread, and answers would_block for a
/// non-blocking Context where it would have to wait. Errors as tree::Tree's.
class View {
 public:
  virtual ~View() = default;

  virtual tree::NodePtr root() const = 0;
  virtual Result<tree::Found> lookup(const tree::NodePtr& folder, std::string_view name,
                                     const Context& context) = 0;
  virtual tree::Ttl negative_ttl(const tree::NodePtr& folder, std::string_view name) const = 0;
  virtual Result<std::vector<tree::Entry>> list(const tree::NodePtr& folder,
                                                const Context& context) = 0;
  virtual Result<tree::Attributes> attributes(const tree::NodePtr& node,
                                              const Context& context) = 0;
  virtual Result<std::string> read_link(const tree::NodePtr& link, const Context& context) = 0;
  virtual Result<std::shared_ptr<tree::File>> open(const tree::NodePtr& file,
                                                   const Context& context) = 0;
  /// As Tree::write.
  virtual Result<void> write(const tree::NodePtr& /*file*/, std::string_view /*text*/,
                             const Context& /*context*/) {
    return Error(Errc::denied, "nothing can be written here");
  }

  /// The digest of the bytes that a file shows, when it is known without asking anybody.
  virtual std::optional<Digest> content_digest(const tree::NodePtr& file) = 0;
  virtual Usage usage() = 0;
  virtual void refresh() = 0;
};

}  // namespace berth::fuse
