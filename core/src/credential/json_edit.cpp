// SPDX-License-Identifier: Apache-2.0
#include "credential/json_edit.hpp"

#include <algorithm>
#include <optional>
#include <span>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

namespace berth::credential {
namespace {

using Names = std::span<const std::string>;

constexpr std::string_view kSpace = " \t\r\n";

struct Member {
  std::string name;
  std::size_t key = 0;
  std::size_t key_end = 0;
  std::size_t value = 0;
  std::size_t end = 0;
};

/// Places in the text: of the brace, behind the other brace, and of the members between them.
struct Object {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::vector<Member> members{};
};

std::size_t skip_space(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(kSpace, at), text.size());
}

std::size_t skip_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return std::min(at + 1, text.size());
}

std::size_t skip_value(std::string_view text, std::size_t at) {
  if (at < text.size() && text[at] == '"') return skip_string(text, at);
  if (at >= text.size() || (text[at] != '{' && text[at] != '[')) {
    return std::min(text.find_first_of(",]} \t\r\n", at), text.size());
  }
  int depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    at = c == '"' ? skip_string(text, at) : at + 1;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) break;
  }
  return at;
}

Object scan(std::string_view text, std::size_t begin) {
  Object object{.begin = begin, .end = skip_value(text, begin)};
  std::size_t at = skip_space(text, begin + 1);
  while (at < text.size() && text[at] == '"') {
    Member member{.name = {}, .key = at, .key_end = skip_string(text, at)};
    member.name = nlohmann::json::parse(text.substr(at, member.key_end - at)).get<std::string>();
    member.value = skip_space(text, skip_space(text, member.key_end) + 1);
    member.end = skip_value(text, member.value);
    at = skip_space(text, member.end);
    object.members.push_back(std::move(member));
    if (at < text.size() && text[at] == ',') at = skip_space(text, at + 1);
  }
  return object;
}

Result<const Member*> find(const Object& object, const std::string& name, bool any_case) {
  const Member* found = nullptr;
  for (const Member& member : object.members) {
    if (member.name != name && !(any_case && text::equals_ignoring_case(member.name, name))) {
      continue;
    }
    if (found != nullptr) {
      return Error(Errc::corrupt, fmt::format("\"{}\" stands there twice: remove one of them",
                                              text::escape_for_terminal(name)));
    }
    found = &member;
  }
  return found;
}

/// How the members of an object are laid out: what stands before each, behind the comma and after
/// the colon, as its first ones have it.
struct Layout {
  std::string lead;
  std::string separator;
  std::string colon;
  std::string tail;
};

Layout layout_of(std::string_view text, const Object& object) {
  const Member& first = object.members.front();
  Layout layout;
  layout.lead = text.substr(object.begin + 1, first.key - object.begin - 1);
  layout.colon = text.substr(first.key_end, first.value - first.key_end);
  const bool is_spaced = layout.lead.empty() && layout.colon.ends_with(' ');
  layout.separator = is_spaced ? ", " : "," + layout.lead;
  if (object.members.size() > 1) {
    layout.separator = text.substr(first.end, object.members[1].key - first.end);
  }
  return layout;
}

/// For an object below one that is laid out so: its members stand one step further in.
Layout below(const Layout& outer) {
  const std::size_t line = outer.lead.rfind('\n');
  if (line == std::string::npos) {
    return {.lead = {}, .separator = ",", .colon = outer.colon, .tail = {}};
  }
  const std::string step = outer.lead.substr(line + 1);
  return {.lead = outer.lead + step,
          .separator = "," + outer.lead + step,
          .colon = outer.colon,
          .tail = outer.lead};
}

Layout new_file() { return {.lead = "\n\t", .separator = ",\n\t", .colon = ": ", .tail = "\n"}; }

std::string in_quotes(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// What is new below an object: the value itself, or objects down to it.
std::string new_value(Names names, std::string_view value, const Layout& layout) {
  if (names.empty()) return in_quotes(value);
  return "{" + layout.lead + in_quotes(names.front()) + layout.colon +
         new_value(names.subspan(1), value, below(layout)) + layout.tail + "}";
}

bool is_null(std::string_view text, const Member& member) {
  return text.substr(member.value, member.end - member.value) == "null";
}

Result<void> check_object(std::string_view text, const Member& member) {
  if (text[member.value] == '{') return {};
  return Error(Errc::corrupt,
               fmt::format("\"{}\" must be an object", text::escape_for_terminal(member.name)));
}

Result<std::string> set_in(const std::string& text, const Object& object, Names names,
                           std::string_view value, const Layout& empty, bool is_top) {
  const Member* member = TRY(find(object, names.front(), is_top));
  const Layout layout = object.members.empty() ? empty : layout_of(text, object);
  if (object.members.empty()) {
    return text.substr(0, object.begin) + new_value(names, value, layout) + text.substr(object.end);
  }
  if (member == nullptr) {
    const std::size_t end = object.members.back().end;
    return text.substr(0, end) + layout.separator + in_quotes(names.front()) + layout.colon +
           new_value(names.subspan(1), value, below(layout)) + text.substr(end);
  }
  if (names.size() == 1 || is_null(text, *member)) {
    return text.substr(0, member->value) + new_value(names.subspan(1), value, below(layout)) +
           text.substr(member->end);
  }
  TRY(check_object(text, *member));
  return set_in(text, scan(text, member->value), names.subspan(1), value, below(layout), false);
}

std::string cut(const std::string& text, const Object& object, const Member& member) {
  const auto index = static_cast<std::size_t>(&member - object.members.data());
  if (object.members.size() == 1) {
    return text.substr(0, object.begin) + "{}" + text.substr(object.end);
  }
  if (index == 0) return text.substr(0, member.key) + text.substr(object.members[1].key);
  return text.substr(0, object.members[index - 1].end) + text.substr(member.end);
}

Result<std::string> cut_in(const std::string& text, const Object& object, Names names,
                           bool is_top) {
  const Member* member = TRY(find(object, names.front(), is_top));
  if (member == nullptr || (names.size() > 1 && is_null(text, *member))) return text;
  if (names.size() == 1) return cut(text, object, *member);
  TRY(check_object(text, *member));
  return cut_in(text, scan(text, member->value), names.subspan(1), false);
}

/// Behind a byte order mark, which the readers of these files skip.
std::size_t start_of(std::string_view text) { return std::min(text.find('{'), text.size()); }

}  // namespace

Result<std::string> with_member(const std::string& text, const JsonPath& path,
                                std::string_view value) {
  const std::string whole = text::trim(text).empty() ? "{}\n" : text;
  return set_in(whole, scan(whole, start_of(whole)), path, value, new_file(), true);
}

Result<std::string> without_member(const std::string& text, const JsonPath& path) {
  if (text::trim(text).empty()) return text;
  return cut_in(text, scan(text, start_of(text)), path, true);
}

}  // namespace berth::credential
