// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "berth/base/result.hpp"

/// `auto x = TRY(f());` gives the value of a Result, or returns its Error from the enclosing
/// function. A statement expression (GCC and clang). Include this from .cpp files only: the name is
/// short.
///
/// Write it as a whole statement or as a whole initialiser, not as one operand, argument or member
/// of a larger expression: GCC 12 does not destroy the temporaries that stand before it when it
/// returns, and they leak (`Pair{make_string(), TRY(f())}`).
#define TRY(...) BERTH_TRY_NAMED(BERTH_TRY_JOIN(berth_try_, __COUNTER__), __VA_ARGS__)

// A name of its own for each use: one TRY may stand inside another.
#define BERTH_TRY_JOIN(a, b) BERTH_TRY_JOIN_EXPANDED(a, b)
#define BERTH_TRY_JOIN_EXPANDED(a, b) a##b
#define BERTH_TRY_NAMED(result, ...)                    \
  ({                                                    \
    auto result = (__VA_ARGS__);                        \
    if (!result) {                                      \
      return ::berth::Error(std::move(result).error()); \
    }                                                   \
    *std::move(result);                                 \
  })
