// SPDX-License-Identifier: Apache-2.0
#include "acr/filter.hpp"

#include <optional>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <fmt/format.h>

#include "berth/base/text.hpp"

namespace berth::acr {
namespace {

// A name has at most 255 characters: an honest expression needs some thousand steps for one.
constexpr std::uint32_t kSteps = 1'000'000;
constexpr std::uint32_t kHeapKiB = 8 * 1024;
constexpr std::size_t kLongestPattern = 8 * 1024;

std::string message_of(int code) {
  std::string text(256, '\0');
  const int length =
      pcre2_get_error_message(code, reinterpret_cast<PCRE2_UCHAR*>(text.data()), text.size());
  text.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  return text;
}

template <auto free>
struct Free {
  template <class T>
  void operator()(T* what) const noexcept {
    free(what);
  }
};
using MatchData = std::unique_ptr<pcre2_match_data, Free<pcre2_match_data_free>>;
using MatchContext = std::unique_ptr<pcre2_match_context, Free<pcre2_match_context_free>>;

/// Where a '[' that opens at `at` ends: behind its ']'.
std::size_t end_of_class(std::string_view text, std::size_t at) {
  std::size_t i = at + 1;
  if (i < text.size() && text[i] == '^') ++i;
  if (i < text.size() && text[i] == ']') ++i;  // the first one is a member
  for (; i < text.size() && text[i] != ']'; ++i) {
    if (text[i] == '\\') ++i;
    if (text.substr(i).starts_with("[:")) {
      const std::size_t end = text.find(":]", i + 2);
      if (end != std::string_view::npos) i = end + 1;
    }
  }
  return i + 1;
}

/// Where "(?flags:" ends that opens at `at`; `at` itself when this is none.
std::size_t end_of_group_head(std::string_view text, std::size_t at) {
  if (!text.substr(at).starts_with("(?")) return at;
  const std::size_t end = text.find_first_not_of("imsxnU-", at + 2);
  return end != std::string_view::npos && text[end] == ':' ? end + 1 : at;
}

}  // namespace

void Regex::Deleter::operator()(pcre2_real_code_8* code) const noexcept { pcre2_code_free(code); }

Result<Regex> Regex::compile(const std::string& pattern) {
  if (pattern.size() > kLongestPattern) {
    return Error(Errc::invalid_argument,
                 fmt::format("a regular expression of more than {} characters", kLongestPattern));
  }
  int code = 0;
  PCRE2_SIZE offset = 0;
  Regex regex;
  regex.pattern_ = pattern;
  regex.code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), 0,
                                  &code, &offset, nullptr));
  if (regex.code_ != nullptr) return regex;
  return Error(Errc::invalid_argument,
               fmt::format("the regular expression '{}' is wrong at character {}: {}",
                           text::escape_for_terminal(pattern), offset, message_of(code)));
}

Result<bool> Regex::matches(std::string_view text) const {
  const MatchContext limits(pcre2_match_context_create(nullptr));
  const MatchData found(pcre2_match_data_create(1, nullptr));
  if (limits == nullptr || found == nullptr) return Error(Errc::internal, "out of memory");
  pcre2_set_match_limit(limits.get(), kSteps);
  pcre2_set_heap_limit(limits.get(), kHeapKiB);
  const int code = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                               0, 0, found.get(), limits.get());
  if (code >= 0) return true;
  if (code == PCRE2_ERROR_NOMATCH) return false;
  return Error(Errc::too_large,
               fmt::format("the regular expression '{}' takes too long on '{}' ({}): make it "
                           "simpler",
                           text::escape_for_terminal(pattern_), text::escape_for_terminal(text),
                           message_of(code)));
}

Result<FilterText> split_filter(std::string_view filter) {
  std::optional<std::size_t> colon;
  int colons = 0;
  for (std::size_t i = 0; i < filter.size();) {
    if (filter[i] == '\\') {
      i += 2;
    } else if (filter[i] == '[') {
      i = end_of_class(filter, i);
    } else if (const std::size_t end = end_of_group_head(filter, i); end != i) {
      i = end;
    } else {
      if (filter[i] == ':') {
        ++colons;
        colon = i;
      }
      ++i;
    }
  }
  const auto refuse = [&](std::string_view why) {
    return Error(Errc::invalid_argument,
                 fmt::format("the filter '{}' {}: it is REPOSITORY:TAG, two regular expressions",
                             text::escape_for_terminal(filter), why));
  };
  if (colons != 1) return refuse(colons == 0 ? "has no ':'" : "has more than one ':'");
  FilterText out{std::string(filter.substr(0, *colon)), std::string(filter.substr(*colon + 1))};
  if (out.repository.empty()) return refuse("names no repository");
  if (out.tag.empty()) return refuse("names no tag");
  return out;
}

}  // namespace berth::acr
