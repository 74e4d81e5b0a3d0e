// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace berth::json {

/// A tree to be written: null, booleans, numbers, strings, arrays, objects (in insertion order).
/// Invalid UTF-8 is replaced by U+FFFD when written.
class Node {
 public:
  using Array = std::vector<Node>;
  using Object = std::vector<std::pair<std::string, Node>>;

  Node() = default;
  Node(std::nullptr_t) {}  // NOLINT(google-explicit-constructor)
  Node(bool value)
      : value_(value) {}  // NOLINT(google-explicit-constructor)
  Node(int value)
      : value_(std::int64_t{value}) {}  // NOLINT(google-explicit-constructor)
  Node(std::int64_t value)
      : value_(value) {}  // NOLINT(google-explicit-constructor)
  Node(std::uint64_t value)
      : value_(value) {}  // NOLINT(google-explicit-constructor)
  Node(double value)
      : value_(value) {}  // NOLINT(google-explicit-constructor)
  Node(const char* value)
      : value_(std::string(value)) {}  // NOLINT(google-explicit-constructor)
  Node(std::string value)
      : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Node(std::string_view value)
      : value_(std::string(value)) {}  // NOLINT(google-explicit-constructor)
  Node(Array value)
      : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Node(Object value)
      : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor)

  static Node object(Object members = {}) { return Node(std::move(members)); }
  static Node array(Array items = {}) { return Node(std::move(items)); }
  /// Appends to an object (or array); this must be one.
  void set(std::string key, Node value);
  void push_back(Node value);

  /// Compact when `indent` < 0. No trailing newline.
  std::string to_text(int indent = -1) const;

 private:
  friend struct NodeWriter;
  std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string, Array,
               Object>
      value_ = nullptr;
};

}  // namespace berth::json
