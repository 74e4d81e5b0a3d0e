// SPDX-License-Identifier: Apache-2.0
#include "credential/json_text.hpp"

#include <algorithm>
#include <sstream>

#include <fmt/format.h>

#include "berth/base/text.hpp"

namespace berth::credential {
namespace {

Error broken(std::string_view text, std::size_t byte, std::string_view name) {
  const std::string_view before = text.substr(0, byte == 0 ? 0 : byte - 1);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t start = before.rfind('\n');
  const std::size_t column = before.size() - (start == std::string_view::npos ? 0 : start + 1) + 1;
  return {Errc::corrupt,
          fmt::format("{} is not valid JSON (line {}, column {})", name, line, column)};
}

}  // namespace

Result<nlohmann::json> parse_json(std::string_view text, std::string_view name,
                                  bool allow_trailing) {
  try {
    if (!allow_trailing) return nlohmann::json::parse(text);
    std::istringstream stream{std::string(text)};
    nlohmann::json value;
    stream >> value;  // stops behind the first value
    return value;
  } catch (const nlohmann::json::parse_error& error) {
    return broken(text, std::min(error.byte, text.size()), name);
  } catch (const nlohmann::json::exception&) {
    return broken(text, 0, name);  // a number out of range: no place is told
  }
}

Result<nlohmann::ordered_json> parse_ordered_json(std::string_view text, std::string_view name) {
  try {
    return nlohmann::ordered_json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    return broken(text, std::min(error.byte, text.size()), name);
  } catch (const nlohmann::json::exception&) {
    return broken(text, 0, name);
  }
}

const nlohmann::json* find_ignoring_case(const nlohmann::json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  if (const auto exact = object.find(name); exact != object.end()) return &*exact;
  for (const auto& [key, value] : object.items()) {
    if (text::equals_ignoring_case(key, name)) return &value;
  }
  return nullptr;
}

std::string string_member(const nlohmann::json& object, std::string_view name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace berth::credential
