// SPDX-License-Identifier: Apache-2.0
#include "berth/digest/hasher.hpp"
