// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "berth/content/source.hpp"

namespace berth::content {

/// A source that finds out how to speak to its registry with the first request: `make` is called
/// then, by one thread at a time, again after it failed, and never after it succeeded.
std::shared_ptr<Source> make_lazy_source(
    std::string name, std::function<Result<std::shared_ptr<Source>>(const Context&)> make);

}  // namespace berth::content
