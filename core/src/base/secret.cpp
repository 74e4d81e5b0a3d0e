// SPDX-License-Identifier: Apache-2.0
#include "berth/base/secret.hpp"

#include <string.h>

namespace berth {
namespace {

/// Over the whole capacity: a short string sits inside the object, and stays there when it is
/// moved from or shortened.
void wipe(std::string& text) noexcept {
  text.resize(text.capacity());  // within the capacity: neither allocates nor throws
  ::explicit_bzero(text.data(), text.size());
  text.clear();
}

}  // namespace

Secret::Secret(Secret&& other) noexcept
    : value_(std::move(other.value_)) {
  wipe(other.value_);
}

Secret& Secret::operator=(const Secret& other) {
  if (this != &other) *this = Secret(other);  // the old bytes are wiped, not freed as they are
  return *this;
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    wipe(value_);
    value_ = std::move(other.value_);
    wipe(other.value_);
  }
  return *this;
}

Secret::~Secret() { wipe(value_); }

}  // namespace berth
