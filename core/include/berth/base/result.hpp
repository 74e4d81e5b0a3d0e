// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <utility>

#include "berth/base/error.hpp"

namespace berth {

/// A value or an Error. A class, not an alias, so that a dropped result is a compiler warning
/// (neither g++ 12 nor clang 19 warns for an alias of std::expected).
template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
  // Inherited constructors leave out the ones from Error: `return Error{...};` reads best.
  Result(Error error)  // NOLINT(google-explicit-constructor): an Error is a Result
      : std::expected<T, Error>(std::unexpect, std::move(error)) {}
};

template <>
class [[nodiscard]] Result<void> : public std::expected<void, Error> {
 public:
  using std::expected<void, Error>::expected;
  Result(Error error)  // NOLINT(google-explicit-constructor): an Error is a Result
      : std::expected<void, Error>(std::unexpect, std::move(error)) {}
};

}  // namespace berth
