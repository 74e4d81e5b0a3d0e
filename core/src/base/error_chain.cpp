// SPDX-License-Identifier: Apache-2.0
#include "berth/base/error_chain.hpp"

#include <cerrno>

namespace berth {

const HttpInfo* answer_behind(const Error& error) noexcept {
  const Error* each = &error;
  while (each != nullptr && each->http() == nullptr) each = each->cause();
  return each != nullptr ? each->http() : nullptr;
}

bool reached_nobody(const Error& error) noexcept {
  for (const Error* each = &error; each != nullptr; each = each->cause()) {
    const int why = each->sys_errno();
    if (why == ECONNREFUSED || why == EHOSTUNREACH || why == ETIMEDOUT) return true;
  }
  return false;
}

}  // namespace berth
