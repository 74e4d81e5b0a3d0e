// SPDX-License-Identifier: Apache-2.0
#include "berth/json/value.hpp"

#include <algorithm>
#include <bit>
#include <type_traits>

#include <simdjson.h>

#include "berth/base/try.hpp"

#include "json/place.hpp"

namespace berth::json {

namespace dom = simdjson::dom;

namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

/// What a Value holds, and what a dom::element is: a document and an index into its tape. The
/// header may not name simdjson, and an element has no public constructor from its parts.
struct Parts {
  const void* document;
  std::size_t index;
};
static_assert(sizeof(Parts) == sizeof(dom::element) && std::is_trivially_copyable_v<dom::element>);

dom::element element_of(const void* document, std::size_t index) noexcept {
  return std::bit_cast<dom::element>(Parts{document, index});
}

std::string_view name_of(Type type) noexcept {
  switch (type) {
    case Type::null:
      return "null";
    case Type::boolean:
      return "a boolean";
    case Type::number:
      return "a number";
    case Type::string:
      return "a string";
    case Type::array:
      return "an array";
    case Type::object:
      return "an object";
  }
  return "nothing";
}

Error expected(std::string_view wanted, Type found) {
  return Error(Errc::corrupt,
               std::string(wanted) + " was expected, not " + std::string(name_of(found)));
}

/// What simdjson gives for an element as a T; `wanted` names it.
template <class T>
Result<T> get(const dom::element& element, std::string_view wanted, Type found) {
  T value{};
  switch (element.get(value)) {
    case simdjson::SUCCESS:
      return value;
    case simdjson::NUMBER_OUT_OF_RANGE:
      return Error(Errc::corrupt,
                   std::string(wanted) + " was expected; the number is out of range");
    default:
      if (found == Type::number) {
        return Error(Errc::corrupt,
                     std::string(wanted) + " was expected; the number is no integer");
      }
      return expected(wanted, found);
  }
}

Result<void> check_keys(const dom::element& element);

Result<void> check_object_keys(const dom::object& object) {
  std::vector<std::string_view> keys;
  keys.reserve(object.size());
  for (const dom::key_value_pair member : object) {
    keys.push_back(member.key);
    TRY(check_keys(member.value));
  }
  // Sorting, not hashing: a hostile text cannot make it slow.
  std::ranges::sort(keys);
  const auto twice = std::ranges::adjacent_find(keys);
  if (twice == keys.end()) return {};
  return Error(Errc::corrupt, "an object has the key '" + std::string(twice->substr(0, 128)) +
                                  "' twice: programs disagree on which one counts");
}

/// Recursive: the parser has already refused what is deeper than the limit.
Result<void> check_keys(const dom::element& element) {
  if (element.is_object()) return check_object_keys(element.get_object().value_unsafe());
  if (element.is_array()) {
    // Named: the temporary in a range-for's head is gone before its first turn.
    const dom::array array = element.get_array().value_unsafe();
    for (const dom::element item : array) TRY(check_keys(item));
  }
  return {};
}

Error parse_error(simdjson::error_code failure, std::string_view text, const Limits& limits) {
  if (failure == simdjson::DEPTH_ERROR) {
    return Error(Errc::corrupt,
                 "the JSON text is nested deeper than " + std::to_string(limits.depth) + " levels");
  }
  if (failure == simdjson::MEMALLOC) return Error(Errc::internal, "no memory to read a JSON text");
  if (text.empty()) return Error(Errc::corrupt, "the text is empty, and not JSON");
  const Stumble stumble = find_stumble(text);
  if (!stumble.byte && stumble.big_integer) {
    return Error(Errc::corrupt, "a number in the JSON text is beyond what 64 bits hold");
  }
  std::string message = "the text is not JSON";
  if (stumble.byte) message += ": byte " + std::to_string(*stumble.byte);
  return Error(Errc::corrupt, message + ": " + simdjson::error_message(failure));
}

}  // namespace

struct Document::Impl {
  dom::parser parser;
  dom::element root;
};

Document::Document(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

Result<Document> Document::parse(std::string_view text, const Limits& limits) {
  if (text.size() > limits.bytes) {
    return Error(Errc::too_large, "a JSON text of " + std::to_string(text.size()) +
                                      " bytes; at most " + std::to_string(limits.bytes) +
                                      " are read");
  }
  // Some versions of the parser pass it over, others do not.
  if (text.starts_with(kByteOrderMark)) {
    return Error(Errc::corrupt, "the text is not JSON: it begins with a byte order mark");
  }
  auto impl = std::make_unique<Impl>();
  simdjson::error_code failure = impl->parser.allocate(text.size(), limits.depth);
  // The parser copies the text, with the padding that it needs, and strings into a buffer of its
  // own: nothing refers to `text` afterwards.
  if (failure == simdjson::SUCCESS) {
    failure = impl->parser.parse(text.data(), text.size(), true).get(impl->root);
  }
  if (failure != simdjson::SUCCESS) return parse_error(failure, text, limits);
  TRY(check_keys(impl->root));
  return Document(std::move(impl));
}

Value Document::root() const { return Value::from(&impl_->root); }

Value Value::from(const void* element) noexcept {
  const auto parts = std::bit_cast<Parts>(*static_cast<const dom::element*>(element));
  Value value;
  value.document_ = parts.document;
  value.index_ = parts.index;
  return value;
}

Type Value::type() const noexcept {
  if (document_ == nullptr) return Type::null;
  switch (element_of(document_, index_).type()) {
    case dom::element_type::ARRAY:
      return Type::array;
    case dom::element_type::OBJECT:
      return Type::object;
    case dom::element_type::INT64:
    case dom::element_type::UINT64:
    case dom::element_type::DOUBLE:
      return Type::number;
    case dom::element_type::STRING:
      return Type::string;
    case dom::element_type::BOOL:
      return Type::boolean;
    case dom::element_type::NULL_VALUE:
      return Type::null;
  }
  return Type::null;
}

Result<std::string_view> Value::as_string() const {
  if (type() != Type::string) return expected("a string", type());
  return get<std::string_view>(element_of(document_, index_), "a string", Type::string);
}

Result<bool> Value::as_bool() const {
  if (type() != Type::boolean) return expected("a boolean", type());
  return get<bool>(element_of(document_, index_), "a boolean", Type::boolean);
}

Result<std::int64_t> Value::as_int() const {
  if (type() != Type::number) return expected("an integer", type());
  return get<std::int64_t>(element_of(document_, index_), "an integer", Type::number);
}

Result<std::uint64_t> Value::as_unsigned() const {
  constexpr std::string_view kWanted = "an integer of 0 or more";
  if (type() != Type::number) return expected(kWanted, type());
  return get<std::uint64_t>(element_of(document_, index_), kWanted, Type::number);
}

Result<double> Value::as_double() const {
  if (type() != Type::number) return expected("a number", type());
  return get<double>(element_of(document_, index_), "a number", Type::number);
}

Result<std::vector<Value>> Value::as_array() const {
  if (type() != Type::array) return expected("an array", type());
  const dom::array array = element_of(document_, index_).get_array().value_unsafe();
  std::vector<Value> items;
  items.reserve(array.size());
  for (const dom::element item : array) items.push_back(from(&item));
  return items;
}

Result<std::vector<std::pair<std::string_view, Value>>> Value::as_object() const {
  if (type() != Type::object) return expected("an object", type());
  const dom::object object = element_of(document_, index_).get_object().value_unsafe();
  std::vector<std::pair<std::string_view, Value>> members;
  members.reserve(object.size());
  for (const dom::key_value_pair member : object) {
    members.emplace_back(member.key, from(&member.value));
  }
  return members;
}

std::optional<Value> Value::find(std::string_view key) const {
  if (type() != Type::object) return std::nullopt;
  const dom::object object = element_of(document_, index_).get_object().value_unsafe();
  dom::element found;
  if (object.at_key(key).get(found) != simdjson::SUCCESS || found.is_null()) return std::nullopt;
  return from(&found);
}

Result<std::string> Value::string_or_empty(std::string_view key) const {
  const std::optional<Value> member = find(key);
  if (!member) return std::string();
  Result<std::string_view> text = member->as_string();
  if (!text) return std::move(text).error().with_context("'" + std::string(key) + "'");
  return std::string(*text);
}

}  // namespace berth::json
