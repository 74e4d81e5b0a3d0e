// SPDX-License-Identifier: Apache-2.0
#include "berth/oci/reference.hpp"
