// SPDX-License-Identifier: Apache-2.0
#include "inodes.hpp"

#include "siphash.hpp"

namespace berth::fuse {

Inodes::Hash Inodes::machine_hash() {
  return [key = machine_key()](std::string_view identity, unsigned attempt) {
    return siphash({key[0], key[1] + attempt}, identity);
  };
}

Inodes::Inodes(tree::NodePtr root, Hash hash)
    : hash_(std::move(hash)) {
  inodes_.emplace(kRootIno, Inode{.node = std::move(root), .lookups = 1, .changing = {}});
}

std::uint64_t Inodes::number(std::string_view identity, unsigned attempt) const {
  const std::uint64_t value = hash_(identity, attempt);
  // 0 is "no such file" and 1 the root to the kernel; 2^32-1 is what libfuse shows for "unknown".
  return value <= kRootIno || value == 0xffffffff ? value + 2 : value;
}

Ino Inodes::remember(const tree::NodePtr& node, Name name, bool moves) {
  MutexLock lock(mutex_);
  for (unsigned attempt = 0;; ++attempt) {
    const Ino ino = number(node->identity(), attempt);
    auto [place, is_new] = inodes_.try_emplace(ino);
    Inode& inode = place->second;
    if (!is_new && inode.node->identity() != node->identity()) continue;
    if (is_new) inode.node = node;
    ++inode.lookups;
    if (moves) inode.changing = std::move(name);
    return ino;
  }
}

tree::NodePtr Inodes::find(Ino ino) const {
  MutexLock lock(mutex_);
  const auto place = inodes_.find(ino);
  return place == inodes_.end() ? nullptr : place->second.node;
}

bool Inodes::forget(Ino ino, std::uint64_t count) {
  // The node's destructor may be anything: it runs after the lock is gone.
  Inode gone;
  MutexLock lock(mutex_);
  const auto place = inodes_.find(ino);
  if (place == inodes_.end() || ino == kRootIno) return false;
  if (place->second.lookups > count) {
    place->second.lookups -= count;
    return false;
  }
  gone = std::move(place->second);
  inodes_.erase(place);
  return true;
}

std::optional<Ino> Inodes::number_of(const tree::Node& node) const {
  MutexLock lock(mutex_);
  if (inodes_.at(kRootIno).node->identity() == node.identity()) return kRootIno;
  for (unsigned attempt = 0;; ++attempt) {
    const Ino ino = number(node.identity(), attempt);
    const auto place = inodes_.find(ino);
    if (place == inodes_.end()) return std::nullopt;
    if (place->second.node->identity() == node.identity()) return ino;
  }
}

Ino Inodes::guess(const tree::Node& folder, std::string_view name) const {
  std::string text = folder.identity();
  text += '\0';
  text += name;
  return number(text, 0);
}

void Inodes::remember_absent(Name name) {
  MutexLock lock(mutex_);
  if (!absent_.insert(name).second) return;
  absent_order_.push_back(std::move(name));
  if (absent_order_.size() <= kAbsentMost) return;
  absent_.erase(absent_order_.front());
  absent_order_.pop_front();
}

bool Inodes::forget_absent(Ino folder, std::string_view name) {
  MutexLock lock(mutex_);
  return !absent_.empty() && absent_.erase(Name{folder, std::string(name)}) > 0;
}

std::vector<Name> Inodes::take_absent() {
  MutexLock lock(mutex_);
  std::vector<Name> names(absent_.begin(), absent_.end());
  absent_.clear();
  absent_order_.clear();
  return names;
}

std::vector<Name> Inodes::changing_names() const {
  MutexLock lock(mutex_);
  std::vector<Name> names;
  for (const auto& [ino, inode] : inodes_) {
    if (inode.changing) names.push_back(*inode.changing);
  }
  return names;
}

std::size_t Inodes::size() const {
  MutexLock lock(mutex_);
  return inodes_.size();
}

}  // namespace berth::fuse
