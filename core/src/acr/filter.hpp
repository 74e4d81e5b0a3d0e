// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "berth/base/result.hpp"

struct pcre2_real_code_8;

namespace berth::acr {

/// A regular expression of PCRE2 whose matching is limited in steps and memory: what somebody wrote
/// in a hurry may be exponential. Thread safe.
class Regex {
 public:
  /// Errc::invalid_argument with the place of the mistake.
  static Result<Regex> compile(const std::string& pattern);

  /// Does it match some part of `text`? Errc::too_large when the limits were passed.
  Result<bool> matches(std::string_view text) const;

 private:
  struct Deleter {
    void operator()(pcre2_real_code_8* code) const noexcept;
  };
  std::string pattern_;
  std::unique_ptr<pcre2_real_code_8, Deleter> code_;
};

/// "REPOSITORY:TAG" of PurgeOptions::filters, split.
struct FilterText {
  std::string repository;
  std::string tag;
};
Result<FilterText> split_filter(std::string_view filter);

}  // namespace berth::acr
