// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/challenge.hpp"

#include <optional>

#include "berth/base/text.hpp"

namespace berth::auth {
namespace {

/// No registry sends more than three; a header of a quarter megabyte could hold many.
constexpr std::size_t kMaxChallenges = 16;
constexpr std::size_t kMaxParameters = 32;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool is_token_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte <= 0x20 || byte >= 0x7f) return false;
  return std::string_view("()<>@,;:\\\"/[]?={}").find(c) == std::string_view::npos;
}

/// A cursor over the header. The grammar is ambiguous at a comma (the next parameter, or the next
/// scheme?): a token followed by "=" is a parameter.
class Parser {
 public:
  explicit Parser(std::string_view text)
      : rest_(text) {}

  std::vector<Challenge> run() {
    while (next_item()) {
    }
    return std::move(challenges_);
  }

 private:
  void skip_spaces() {
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
  }
  void skip_separators() {
    while (!rest_.empty() && (is_space(rest_.front()) || rest_.front() == ',')) {
      rest_.remove_prefix(1);
    }
  }
  std::string_view take_token() {
    std::size_t length = 0;
    while (length < rest_.size() && is_token_char(rest_[length])) ++length;
    const std::string_view token = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return token;
  }

  /// One scheme or one parameter; false at the end, or where the text makes no sense any more.
  bool next_item() {
    skip_separators();
    const std::string_view token = take_token();
    if (token.empty()) return false;
    const bool spaced = !rest_.empty() && is_space(rest_.front());
    skip_spaces();
    if (!rest_.empty() && rest_.front() == '=') return parameter(token);
    if (challenges_.size() == kMaxChallenges) return false;
    challenges_.push_back({.scheme = text::to_lower(token), .parameters = {}});
    if (spaced) skip_token68();
    return true;
  }

  bool parameter(std::string_view name) {
    rest_.remove_prefix(1);
    skip_spaces();
    std::optional<std::string> value = take_value();
    if (!value || challenges_.empty()) return false;
    auto& parameters = challenges_.back().parameters;
    if (parameters.size() == kMaxParameters) return false;
    parameters.emplace_back(text::to_lower(name), *std::move(value));
    return true;
  }

  std::optional<std::string> take_value() {
    if (rest_.empty() || rest_.front() != '"') return std::string(take_bare());
    rest_.remove_prefix(1);
    std::string value;
    while (!rest_.empty() && rest_.front() != '"') {
      if (rest_.front() == '\\') rest_.remove_prefix(1);  // RFC 9110 section 5.6.4: quoted-pair
      if (rest_.empty()) break;
      value.push_back(rest_.front());
      rest_.remove_prefix(1);
    }
    if (rest_.empty()) return std::nullopt;  // cut short: half a realm would be another URL
    rest_.remove_prefix(1);
    return value;
  }

  /// Some servers leave the quotes out around URLs: everything up to a comma or a space.
  std::string_view take_bare() {
    std::size_t length = 0;
    while (length < rest_.size() && rest_[length] != ',' && !is_space(rest_[length])) ++length;
    const std::string_view value = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return value;
  }

  /// "Negotiate YII==": what follows a scheme and is no parameter.
  void skip_token68() {
    const std::string_view before = rest_;
    while (!rest_.empty() && (is_token_char(rest_.front()) || rest_.front() == '/')) {
      rest_.remove_prefix(1);
    }
    std::size_t padding = 0;
    while (padding < rest_.size() && rest_[padding] == '=') ++padding;
    const std::string_view after = rest_.substr(padding);
    const bool ends = after.empty() || after.front() == ',';
    if (ends && rest_.size() != before.size()) {
      rest_ = after;
    } else {
      rest_ = before;
    }
  }

  std::string_view rest_;
  std::vector<Challenge> challenges_;
};

}  // namespace

std::string Challenge::parameter(std::string_view name) const {
  for (const auto& [key, value] : parameters) {
    if (key == name) return value;
  }
  return {};
}

std::vector<Challenge> parse_challenges(std::string_view header) { return Parser(header).run(); }

}  // namespace berth::auth
