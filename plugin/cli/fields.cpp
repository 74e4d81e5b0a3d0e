// SPDX-License-Identifier: Apache-2.0
#include "fields.hpp"

#include <algorithm>
#include <array>

#include "berth/base/text.hpp"

namespace berth::cli {
namespace {

constexpr std::array<std::string_view, 12> kOrder{
    "digest",         "media_type", "artifact_type", "size",      "created",    "updated",
    "manifest_count", "tag_count",  "can_read",      "can_write", "can_delete", "can_list"};

std::string line(const std::string& name, const json::Node& value) {
  std::string text = value.to_text();
  if (text.size() >= 2 && text.front() == '"') text = text.substr(1, text.size() - 2);
  return name + ":" + std::string(name.size() < 11 ? 12 - name.size() : 1, ' ') +
         text::escape_for_terminal(text) + "\n";
}

json::Node value_of(std::string_view name, const std::string& text) {
  if (name.starts_with("can_")) return text == "true";
  if (name == "size" || name.ends_with("_count")) {
    if (const auto number = text::parse_unsigned(text)) return std::uint64_t{*number};
  }
  return text;
}

}  // namespace

void print_fields(Io& io, const json::Node::Object& fields) {
  for (const auto& [name, value] : fields) io.print(line(name, value));
}

void add_properties(json::Node::Object& fields,
                    const std::vector<std::pair<std::string, std::string>>& properties) {
  for (const std::string_view name : kOrder) {
    const auto told =
        std::ranges::find(properties, name, &std::pair<std::string, std::string>::first);
    if (told == properties.end()) continue;
    const std::string shown(name == "size" ? "image_size" : name);
    const bool there =
        std::ranges::any_of(fields, [&](const auto& field) { return field.first == shown; });
    if (!there) fields.emplace_back(shown, value_of(name, told->second));
  }
}

}  // namespace berth::cli
