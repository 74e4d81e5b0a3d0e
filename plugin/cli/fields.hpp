// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "berth/json/writer.hpp"

#include "io.hpp"

namespace berth::cli {

/// Names and values of one thing, a line each, aligned and escaped.
void print_fields(Io& io, const json::Node::Object& fields);

/// Appends the properties that are not there already, in the order in which people look for them:
/// times, counts, what may be done. true and false become booleans, counts numbers, and the size of
/// all that a manifest names `image_size`.
void add_properties(json::Node::Object& fields,
                    const std::vector<std::pair<std::string, std::string>>& properties);

}  // namespace berth::cli
