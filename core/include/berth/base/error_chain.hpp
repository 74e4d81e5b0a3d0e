// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "berth/base/error.hpp"

namespace berth {

/// The HTTP answer behind this error or, where it has none, behind the nearest of its causes that
/// has one; nullptr when nobody answered. The error owns it. Never fails; thread safe.
const HttpInfo* answer_behind(const Error& error) noexcept;

/// Is it, or one of its causes, that nobody could be reached: the name did not resolve, or there
/// was no connection (ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT)? Whatever is asked there next will
/// most likely fare as this did. A connection that broke is none of it: somebody took it, and may
/// have dropped it for what was asked. Never fails; thread safe.
bool reached_nobody(const Error& error) noexcept;

}  // namespace berth
