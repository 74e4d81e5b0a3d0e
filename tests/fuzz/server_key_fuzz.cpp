// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/routes.hpp"
#include "berth/credential/server_key.hpp"

#include "fuzz/fuzz.hpp"

using berth::fuzz::require;
namespace credential = berth::credential;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = berth::fuzz::as_text(data, size);
  // A pattern, a line feed, a name.
  const std::size_t end = text.find('\n');
  const std::string_view pattern = text.substr(0, end);
  const std::string_view name = end == std::string_view::npos ? text : text.substr(end + 1);
  const auto key = credential::parse_server_key(name);
  if (key) {
    require(!key->host.empty() && key->host.find('@') == std::string::npos);
    require(!credential::has_control(key->text()));
    for (const std::string& candidate : key->candidates())
      require(candidate.starts_with(key->host));
    // A name in berth's form is that name.
    const auto again = credential::parse_server_key(key->text());
    require(again && again->host == key->host);
    require(credential::pattern_matches("*", *key));
  }
  if (credential::check_pattern(pattern) && key) {
    (void)credential::pattern_matches(pattern, *key);
    const auto route = credential::parse_route(pattern, "anonymous");
    require(route && route->use() == "anonymous");
  }
  return 0;
}
