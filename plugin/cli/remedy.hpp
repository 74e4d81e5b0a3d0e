// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "berth/base/error.hpp"

namespace berth::cli {

/// What a person can do about a refusal of an Azure container registry, beyond what the error says
/// already: "; SENTENCE", or "". Pure.
std::string remedy(const Error& error);

}  // namespace berth::cli
