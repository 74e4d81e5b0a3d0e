// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "berth/base/sync.hpp"
#include "berth/tree/tree.hpp"

namespace berth::fuse {

using Ino = std::uint64_t;
inline constexpr Ino kRootIno = 1;

/// A name in a folder, as the kernel knows it.
struct Name {
  Ino folder = 0;
  std::string name;
  friend auto operator<=>(const Name&, const Name&) = default;
};

/// The nodes that the kernel knows, by inode number. A number is a keyed hash of the node's
/// identity: the same after a remount, another one when a tag moved. Two identities with one hash
/// get different numbers. Thread safe.
class Inodes {
 public:
  /// The number to try for an identity: attempt 0 first, 1 when that is taken, and so on.
  using Hash = std::function<std::uint64_t(std::string_view identity, unsigned attempt)>;
  static Hash machine_hash();

  explicit Inodes(tree::NodePtr root, Hash hash = machine_hash());

  /// Counts one more lookup of the node, found as `name`. `moves`: the name has a time to live, and
  /// changing_names() gives it.
  Ino remember(const tree::NodePtr& node, Name name, bool moves);
  /// nullptr when the kernel was never told of it, or forgot it.
  tree::NodePtr find(Ino ino) const;
  /// Takes back `count` lookups; true when that was the last.
  bool forget(Ino ino, std::uint64_t count);

  /// The number under which the kernel knows a node now.
  std::optional<Ino> number_of(const tree::Node& node) const;
  /// What readdir shows before a name was looked up: stable, and unlike every other name's.
  Ino guess(const tree::Node& folder, std::string_view name) const;
  /// The kernel was told that there is no such name. The last kAbsentMost are kept.
  void remember_absent(Name name);
  /// The name is there after all: true when the kernel may believe otherwise.
  bool forget_absent(Ino folder, std::string_view name);
  /// All of them; none is kept any more.
  std::vector<Name> take_absent();
  static constexpr std::size_t kAbsentMost = 4096;

  /// Names that may lead elsewhere by now.
  std::vector<Name> changing_names() const;
  std::size_t size() const;

 private:
  struct Inode {
    tree::NodePtr node;
    std::uint64_t lookups = 0;
    std::optional<Name> changing;
  };
  std::uint64_t number(std::string_view identity, unsigned attempt) const;

  const Hash hash_;
  mutable Mutex mutex_;
  std::unordered_map<Ino, Inode> inodes_ BERTH_GUARDED_BY(mutex_);
  std::set<Name, std::less<>> absent_ BERTH_GUARDED_BY(mutex_);
  std::deque<Name> absent_order_ BERTH_GUARDED_BY(mutex_);  ///< oldest first; may name some no more
};

}  // namespace berth::fuse
