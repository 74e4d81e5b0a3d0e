// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/server_key.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/oci/reference.hpp"

#include "credential/registry_key.hpp"

namespace berth::credential {
namespace {

constexpr std::size_t kLimit = 2048;
constexpr std::size_t kShown = 100;

Error refusal(std::string_view given, std::string_view why) {
  return {Errc::invalid_argument,
          fmt::format("\"{}\" {}: a registry is host, host:port or https://host",
                      text::escape_for_terminal(given.substr(0, kShown)), why)};
}

/// Takes "https://" off; the scheme in lower case, "" where there is none.
Result<std::string> take_scheme(std::string_view& rest, std::string_view given) {
  const std::size_t end = rest.find("://");
  if (end == std::string_view::npos) {
    if (rest.starts_with("//")) rest.remove_prefix(2);
    return std::string();
  }
  // "host/a://b" has none: a scheme ends before the first slash.
  if (rest.find('/') < end) return std::string();
  std::string scheme = text::to_lower(rest.substr(0, end));
  if (scheme != "https" && scheme != "http") return refusal(given, "has an unsupported scheme");
  rest.remove_prefix(end + 3);
  return scheme;
}

std::string without_default_port(std::string host, std::string_view scheme) {
  // Nobody serves plain http there: "h:443" is "h" whatever stands before it.
  for (const std::string_view port : {":443", scheme == "http" ? ":80" : ":443"}) {
    if (host.ends_with(port)) host.resize(host.size() - port.size());
  }
  return host;
}

std::string_view without_slashes(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

}  // namespace

bool has_control(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

std::string ServerKey::text() const { return path.empty() ? host : host + "/" + path; }

std::string ServerKey::server_url() const {
  if (host != oci::kDockerHubNames.front()) return text();
  // docker keeps the tokens of its browser login beside it: .../v1/access-token.
  if (path.starts_with("v1/")) return "https://index.docker.io/" + path;
  return path.empty() ? docker_server_url(host) : text();
}

std::vector<std::string> ServerKey::candidates() const {
  if (is_url || path.empty()) return {text()};
  return scoped_keys(host, path);
}

Result<std::optional<ServerKey>> parse_asked_key(std::string_view text) {
  const std::string_view given = text::trim(text);
  if (given.size() > kLimit) return refusal(given, "is too long");
  if (has_control(given)) return refusal(given, "has control characters");
  std::string_view rest = given;
  const std::string scheme = TRY(take_scheme(rest, given));
  rest = rest.substr(0, rest.find_first_of("?#"));
  const std::size_t slash = rest.find('/');
  const std::string_view authority = rest.substr(0, slash);
  if (authority.find('@') != std::string_view::npos) return refusal(given, "names a user");
  const std::string host = without_default_port(text::to_lower(authority), scheme);
  if (host.empty()) return refusal(given, "has no host");
  if (!oci::is_registry(host)) return std::optional<ServerKey>();
  ServerKey key{.host = canonical_host(host), .path = {}, .is_url = !scheme.empty()};
  if (slash != std::string_view::npos) key.path = without_slashes(rest.substr(slash));
  // The API's own root stands for the host.
  if (key.path == "v1" || key.path == "v2") key.path.clear();
  return std::optional(std::move(key));
}

Result<ServerKey> parse_server_key(std::string_view text) {
  auto key = TRY(parse_asked_key(text));
  if (!key) return refusal(text::trim(text), "has no host that can be one");
  return *std::move(key);
}

}  // namespace berth::credential
