// SPDX-License-Identifier: Apache-2.0
#include "json/place.hpp"

#include <string>

#include <nlohmann/json.hpp>

namespace berth::json {
namespace {

/// Keeps no values: a text of millions of brackets costs a bit for each, not a tree.
struct PlaceFinder {
  using json = nlohmann::json;

  bool null() { return true; }
  bool boolean(bool) { return true; }
  bool number_integer(json::number_integer_t) { return true; }
  bool number_unsigned(json::number_unsigned_t) { return true; }
  /// An integer comes here only when none of the others holds it.
  bool number_float(json::number_float_t, const std::string& text) {
    found.big_integer |= text.find_first_of(".eE") == std::string::npos;
    return true;
  }
  bool string(std::string&) { return true; }
  bool binary(json::binary_t&) { return true; }
  bool start_object(std::size_t) { return true; }
  bool key(std::string&) { return true; }
  bool end_object() { return true; }
  bool start_array(std::size_t) { return true; }
  bool end_array() { return true; }
  bool parse_error(std::size_t position, const std::string&, const json::exception&) {
    found.byte = position;
    return false;
  }

  Stumble found;
};

}  // namespace

Stumble find_stumble(std::string_view text) {
  PlaceFinder finder;
  nlohmann::json::sax_parse(text.begin(), text.end(), &finder);
  return finder.found;
}

}  // namespace berth::json
