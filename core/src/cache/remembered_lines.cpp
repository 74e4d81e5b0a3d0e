// SPDX-License-Identifier: Apache-2.0
#include "cache/remembered_lines.hpp"

#include <charconv>

#include <fmt/format.h>

#include "berth/base/text.hpp"

#include "cache/append_file.hpp"

namespace berth::cache {
namespace {

constexpr std::string_view kListHeader = "berth-list 1 ";
constexpr std::size_t kNameMax = 255;

// An empty field would make two spaces, which split() tells apart; readable all the same.
std::string encode(std::string_view field) {
  return text::percent_encode(field, "!\"#$&'()*+,/:;<=>?@[]^{|}");
}

std::optional<std::string> decode(std::string_view field) {
  auto text = text::percent_decode(field);
  if (!text) return {};
  return std::move(*text);
}

std::int64_t to_number(Clock::SystemTime time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}

template <class Number>
std::optional<Number> number(std::string_view field) {
  Number value{};
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (error != std::errc() || end != field.data() + field.size()) return {};
  return value;
}

std::optional<Clock::SystemTime> time(std::string_view field) {
  const auto value = number<std::int64_t>(field);
  if (!value) return {};
  return Clock::SystemTime(std::chrono::microseconds(*value));
}

/// In the order of "read write delete list": '+' may, '-' may not, '?' not told.
std::string properties_text(const std::optional<RememberedProperties>& properties) {
  if (!properties) return {};
  std::string may;
  for (const auto& can : {properties->can_read, properties->can_write, properties->can_delete,
                          properties->can_list}) {
    may += !can ? '?' : *can ? '+' : '-';
  }
  return fmt::format(" {} {} {}", properties->created, properties->updated, may);
}

std::optional<RememberedProperties> parse_properties(std::string_view created,
                                                     std::string_view updated,
                                                     std::string_view may) {
  const auto made = number<std::int64_t>(created);
  const auto changed = number<std::int64_t>(updated);
  if (!made || !changed || may.size() != 4) return {};
  const auto can = [&](std::size_t at) -> std::optional<bool> {
    if (may[at] == '?') return std::nullopt;
    return may[at] == '+';
  };
  return RememberedProperties{*made, *changed, can(0), can(1), can(2), can(3)};
}

}  // namespace

std::string tag_line(std::string_view tag, const RememberedTag& value) {
  return fmt::format("T {} {} {} {} {} {} {}{}\n", encode(tag), value.digest.text(), value.size,
                     encode(value.media_type), encode(value.etag), to_number(value.first_seen),
                     to_number(value.checked), properties_text(value.properties));
}

std::string forget_line(std::string_view tag) { return fmt::format("D {}\n", encode(tag)); }

std::string seen_line(const Digest& digest, const SeenDigest& value) {
  return fmt::format("S {} {} {} {}\n", digest.text(), value.size, encode(value.media_type),
                     to_number(value.first_seen));
}

std::string distrust_line(Clock::SystemTime time) { return fmt::format("N {}\n", to_number(time)); }

std::string forget_seen_line(const Digest& digest) { return fmt::format("F {}\n", digest.text()); }

std::string forget_all_line() { return "X\n"; }

void RepositoryRecords::apply(std::string_view line) {
  const auto fields = text::split(line, ' ');
  ++lines;
  if (fields.size() == 2 && fields[0] == "D") {
    if (const auto tag = decode(fields[1])) tags.erase(*tag);
  } else if (fields.size() == 2 && fields[0] == "N") {
    if (const auto since = time(fields[1])) trusted_since = *since;
  } else if (fields.size() == 2 && fields[0] == "F") {
    if (const auto digest = Digest::parse(fields[1])) seen.erase(*digest);
  } else if (fields.size() == 1 && fields[0] == "X") {
    tags.clear();
    seen.clear();
  } else if ((fields.size() == 8 || fields.size() == 11) && fields[0] == "T") {
    const auto tag = decode(fields[1]);
    const auto digest = Digest::parse(fields[2]);
    const auto size = number<std::uint64_t>(fields[3]);
    const auto media_type = decode(fields[4]);
    const auto etag = decode(fields[5]);
    const auto first_seen = time(fields[6]);
    const auto checked = time(fields[7]);
    if (!tag || !digest || !size || !media_type || !etag || !first_seen || !checked) return;
    RememberedTag value{*digest, *size, *media_type, *etag, *first_seen, *checked};
    if (fields.size() == 11) value.properties = parse_properties(fields[8], fields[9], fields[10]);
    tags.insert_or_assign(*tag, std::move(value));
  } else if (fields.size() == 5 && fields[0] == "S") {
    const auto digest = Digest::parse(fields[1]);
    const auto size = number<std::uint64_t>(fields[2]);
    const auto media_type = decode(fields[3]);
    const auto first_seen = time(fields[4]);
    if (!digest || !size || !media_type || !first_seen) return;
    seen.insert_or_assign(*digest, SeenDigest{*size, *media_type, *first_seen});
  }
}

std::string RepositoryRecords::text() const {
  std::string out;
  if (trusted_since != Clock::SystemTime::min()) out += distrust_line(trusted_since);
  for (const auto& [tag, value] : tags) out += tag_line(tag, value);
  for (const auto& [digest, value] : seen) out += seen_line(digest, value);
  return out;
}

std::string list_text(const std::vector<std::string>& names, Clock::SystemTime fetched) {
  std::string out = fmt::format("{}{}\n", kListHeader, to_number(fetched));
  for (const std::string& name : names) out += encode(name) + '\n';
  return out;
}

std::optional<RememberedList> parse_list(std::string_view text) {
  RememberedList list;
  bool first = true;
  bool valid = false;
  for_each_line(text, [&](std::string_view line) {
    if (std::exchange(first, false)) {
      if (!line.starts_with(kListHeader)) return;
      const auto fetched = time(line.substr(kListHeader.size()));
      if (!fetched) return;
      list.fetched = *fetched;
      valid = true;
      return;
    }
    if (auto name = decode(line); name && !name->empty()) list.names.push_back(std::move(*name));
  });
  if (!valid) return {};
  return list;
}

std::optional<std::string> file_name_of(std::string_view name, std::string_view suffix) {
  std::string file;
  if (name.empty()) file = "+";
  // A leading dot is encoded: "." and ".." are no names, and hidden files are temporaries.
  for (const char c : name) {
    if (c == '/') {
      file += '+';
    } else if (c == '.' && file.empty()) {
      file += "%2E";
    } else {
      file += text::percent_encode(std::string_view(&c, 1));
    }
  }
  file += suffix;
  if (file.size() > kNameMax) return {};
  return file;
}

std::optional<std::string> name_of_file(std::string_view file, std::string_view suffix) {
  if (file.starts_with('.') || !file.ends_with(suffix)) return {};
  file.remove_suffix(suffix.size());
  if (file == "+") return std::string();
  std::string plain(file);
  for (char& c : plain) {
    if (c == '+') c = '/';
  }
  return decode(plain);
}

}  // namespace berth::cache
