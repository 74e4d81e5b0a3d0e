// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "berth/base/result.hpp"

/// `auto x = TRY(f());` gives the value of a Result, or returns its Error from the enclosing
/// function. A statement expression (GCC and clang). Include this from .cpp files only: the name is
/// short.
#define TRY(...)                                                  \
  ({                                                              \
    auto berth_try_result = (__VA_ARGS__);                        \
    if (!berth_try_result) {                                      \
      return ::berth::Error(std::move(berth_try_result).error()); \
    }                                                             \
    *std::move(berth_try_result);                                 \
  })
