// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "berth/base/result.hpp"

namespace berth::json {

enum class Type : std::uint8_t { null, boolean, number, string, array, object };

/// Limits on what is parsed; the defaults suit manifests.
struct Limits {
  std::size_t bytes = 8 * 1024 * 1024;
  std::size_t depth = 64;  ///< a manifest needs 5; 64 stops stack attacks
};

/// A view of a value inside a Document, which must outlive it. Cheap to copy.
class Value {
 public:
  Type type() const noexcept;
  bool is_null() const noexcept { return type() == Type::null; }

  /// The value, or Errc::corrupt that says what was found instead.
  Result<std::string_view> as_string() const;
  Result<bool> as_bool() const;
  Result<std::int64_t> as_int() const;        ///< no fractions, no overflow
  Result<std::uint64_t> as_unsigned() const;  ///< no sign, no fractions, no overflow
  Result<double> as_double() const;
  Result<std::vector<Value>> as_array() const;
  /// In the order of the text. Keys are unique: the parser refused duplicates.
  Result<std::vector<std::pair<std::string_view, Value>>> as_object() const;

  /// A member of an object; nullopt when absent, null, or when this is no object.
  std::optional<Value> find(std::string_view key) const;
  /// find() and as_string(): "" when absent. A member of another type is Errc::corrupt naming
  /// `key`.
  Result<std::string> string_or_empty(std::string_view key) const;

 private:
  friend class Document;
  static Value from(const void* element) noexcept;

  const void* document_ = nullptr;  // simdjson::dom::element: a document and an index into its tape
  std::size_t index_ = 0;
};

/// A parsed text. Refused with Errc::corrupt and the place: anything that RFC 8259 forbids, invalid
/// UTF-8, duplicate keys in any object (CVE-2021-41190), too deep, too large (Errc::too_large).
/// Movable; values stay valid when it moves.
class Document {
 public:
  static Result<Document> parse(std::string_view text, const Limits& limits = {});
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();

  Value root() const;

 private:
  struct Impl;
  explicit Document(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace berth::json
