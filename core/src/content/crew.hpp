// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>

#include "berth/base/context.hpp"

namespace berth::content {

/// Does `count` pieces of work with up to `jobs` threads, this one among them, in order of their
/// numbers. The first error stops them all, by the Context that each is given, and is the result.
Result<void> work_together(int jobs, std::size_t count, const Context& context,
                           const std::function<Result<void>(std::size_t, const Context&)>& work);

}  // namespace berth::content
