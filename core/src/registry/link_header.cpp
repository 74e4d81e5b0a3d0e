// SPDX-License-Identifier: Apache-2.0
#include "registry/link_header.hpp"

#include <algorithm>

#include "berth/base/text.hpp"

namespace berth::registry {
namespace {

/// Reads one header value from left to right; every function moves on or fails.
class Reader {
 public:
  explicit Reader(std::string_view rest)
      : rest_(rest) {}

  std::optional<std::string> next_target() {
    for (;;) {
      skip(" \t,");
      if (rest_.empty() || rest_.front() != '<') return std::nullopt;
      const auto end = rest_.find('>');
      if (end == std::string_view::npos) return std::nullopt;
      const std::string_view target = rest_.substr(1, end - 1);
      rest_.remove_prefix(end + 1);
      if (parameters_say_next()) return std::string(target);
    }
  }

 private:
  void skip(std::string_view characters) {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(characters), rest_.size()));
  }

  std::string_view token() {
    const std::string_view taken = rest_.substr(0, rest_.find_first_of(" \t;,=\""));
    rest_.remove_prefix(taken.size());
    return taken;
  }

  std::string value() {
    skip(" \t");
    if (rest_.empty() || rest_.front() != '"') return std::string(token());
    rest_.remove_prefix(1);
    std::string text;
    while (!rest_.empty() && rest_.front() != '"') {
      if (rest_.front() == '\\' && rest_.size() > 1) rest_.remove_prefix(1);
      text += rest_.front();
      rest_.remove_prefix(1);
    }
    if (!rest_.empty()) rest_.remove_prefix(1);
    return text;
  }

  // ;rel="next" among others; a relation may be a list of words.
  bool parameters_say_next() {
    bool found = false;
    for (;;) {
      skip(" \t");
      if (rest_.empty() || rest_.front() != ';') return found;
      rest_.remove_prefix(1);
      skip(" \t");
      const std::string_view name = token();
      skip(" \t");
      if (rest_.empty() || rest_.front() != '=') {
        if (name.empty() && (rest_.empty() || rest_.front() != ';')) return found;
        continue;
      }
      rest_.remove_prefix(1);
      const std::string relation = value();
      if (!text::equals_ignoring_case(name, "rel")) continue;
      for (const auto word : text::split(relation, ' ')) {
        found = found || text::equals_ignoring_case(word, "next");
      }
    }
  }

  std::string_view rest_;
};

}  // namespace

std::optional<std::string> next_link(const std::vector<std::string_view>& values) {
  for (const auto value : values) {
    if (auto target = Reader(value).next_target()) return target;
  }
  return std::nullopt;
}

}  // namespace berth::registry
