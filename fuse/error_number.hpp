// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "berth/base/error.hpp"

namespace berth::fuse {

/// The errno that the kernel gives to a program for an Error: the one table of berth. Positive.
int error_number(const Error& error) noexcept;

}  // namespace berth::fuse
