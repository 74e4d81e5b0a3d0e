// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "berth/base/error.hpp"

namespace berth {

/// The HTTP answer behind this error or, where it has none, behind the nearest of its causes that
/// has one; nullptr when nobody answered. The error owns it. Never fails; thread safe.
const HttpInfo* answer_behind(const Error& error) noexcept;

}  // namespace berth
