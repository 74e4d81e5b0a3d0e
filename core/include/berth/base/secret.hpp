// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>

namespace berth {

/// A password or token. No stream or formatter prints it; reveal() is the one way out, and easy to
/// search for. Wiped when destroyed.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value)
      : value_(std::move(value)) {}
  Secret(const Secret&) = default;
  Secret& operator=(const Secret& other);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  const std::string& reveal() const noexcept { return value_; }
  bool empty() const noexcept { return value_.empty(); }
  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  std::string value_;
};

}  // namespace berth
