// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace berth::cli {
inline constexpr const char* kVersion = BERTH_VERSION;
}
