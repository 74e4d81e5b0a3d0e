// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace berth::tree {

/// A map of at most so many entries and so much cost; the least recently used go first. Not thread
/// safe. Pointers stay valid until the next put().
template <class Value>
class Lru {
 public:
  Lru(std::size_t max_entries, std::size_t max_cost)
      : max_entries_(max_entries),
        max_cost_(max_cost) {}

  /// nullptr when absent; touches it.
  Value* get(std::string_view key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    items_.splice(items_.begin(), items_, found->second);
    return &found->second->value;
  }

  Value& put(std::string key, Value value, std::size_t cost = 1) {
    erase(key);
    items_.push_front({std::move(key), std::move(value), cost});
    index_.emplace(items_.front().key, items_.begin());
    cost_ += cost;
    // The newest always stays: what was just made is about to be used.
    while (items_.size() > 1 && (items_.size() > max_entries_ || cost_ > max_cost_)) drop_last();
    return items_.front().value;
  }

  void erase(std::string_view key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return;
    const auto item = found->second;
    cost_ -= item->cost;
    index_.erase(found);
    items_.erase(item);
  }

  template <class Visit>
  void for_each(Visit&& visit) {
    for (auto& item : items_) visit(item.key, item.value);
  }

  std::size_t size() const noexcept { return items_.size(); }

 private:
  struct Item {
    std::string key;
    Value value;
    std::size_t cost;
  };

  void drop_last() {
    cost_ -= items_.back().cost;
    index_.erase(items_.back().key);
    items_.pop_back();
  }

  std::size_t max_entries_;
  std::size_t max_cost_;
  std::size_t cost_ = 0;
  std::list<Item> items_;
  std::unordered_map<std::string_view, typename std::list<Item>::iterator> index_;
};

}  // namespace berth::tree
