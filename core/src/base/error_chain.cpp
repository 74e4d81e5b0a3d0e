// SPDX-License-Identifier: Apache-2.0
#include "berth/base/error_chain.hpp"

namespace berth {

const HttpInfo* answer_behind(const Error& error) noexcept {
  const Error* each = &error;
  while (each != nullptr && each->http() == nullptr) each = each->cause();
  return each != nullptr ? each->http() : nullptr;
}

}  // namespace berth
