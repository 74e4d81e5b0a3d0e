// SPDX-License-Identifier: Apache-2.0
#include "berth/oci/reference.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

namespace berth::oci {
namespace {

/// distribution-spec: many clients and servers hold host and name together in 255 characters.
constexpr std::size_t kNameLimit = 255;
constexpr std::size_t kTagLimit = 128;

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_lower(char c) noexcept { return c >= 'a' && c <= 'z'; }
constexpr bool is_letter(char c) noexcept { return is_lower(c) || (c >= 'A' && c <= 'Z'); }

/// What may join two runs of letters and digits in a repository's name: one dot, one or two
/// underscores, any number of hyphens.
bool is_joint(std::string_view text) noexcept {
  if (text == "." || text == "_" || text == "__") return true;
  return std::ranges::all_of(text, [](char c) { return c == '-'; });
}

bool is_host_label(std::string_view text) noexcept {
  const auto inner = [](char c) { return is_letter(c) || is_digit(c) || c == '-'; };
  return !text.empty() && text.front() != '-' && text.back() != '-' &&
         std::ranges::all_of(text, inner);
}

bool is_host_name(std::string_view text) noexcept {
  for (;;) {
    const std::size_t dot = text.find('.');
    if (!is_host_label(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_ipv6(std::string_view text) noexcept {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  if (text.size() >= buffer.size()) return false;
  std::ranges::copy(text, buffer.begin());
  in6_addr address{};
  return ::inet_pton(AF_INET6, buffer.data(), &address) == 1;
}

/// 1 to 65535, without leading zeros: one origin has one spelling.
bool is_port(std::string_view text) noexcept {
  if (text.empty() || text.size() > 5 || text[0] == '0' || !std::ranges::all_of(text, is_digit)) {
    return false;
  }
  unsigned port = 0;
  for (const char c : text) port = port * 10 + static_cast<unsigned>(c - '0');
  return port <= 65535;
}

Error broken(std::string_view reference, const std::string& why) {
  const std::string shown(reference.substr(0, 2 * kNameLimit));
  return Error(Errc::invalid_argument, "'" + shown + "' is not a reference: " + why);
}

std::string quoted(std::string_view part) {
  return "'" + std::string(part.substr(0, kNameLimit)) + "'";
}

Result<void> check_registry(std::string_view text, std::string_view registry) {
  if (looks_like_registry(registry)) return {};
  if (text.find("://") != std::string_view::npos) {
    return broken(text, "leave out the scheme; write registry/repository[:tag][@digest]");
  }
  if (is_registry(registry)) {
    return broken(text, quoted(registry) +
                            " is no registry, which has a dot, a port or is localhost; write it in "
                            "full, such as docker.io/library/hello-world");
  }
  return broken(text, quoted(registry) + " is neither a host nor host:port");
}

Result<void> check_repository(std::string_view text, const Reference& reference) {
  if (!is_repository(reference.repository)) {
    return broken(text, quoted(reference.repository) +
                            " is no repository: lower-case letters and digits, joined by single "
                            "dots, one or two underscores or hyphens, in parts joined by slashes");
  }
  if (reference.registry.size() + 1 + reference.repository.size() > kNameLimit) {
    return broken(text, "registry and repository have more than 255 characters together");
  }
  return {};
}

}  // namespace

bool is_repository_component(std::string_view text) noexcept {
  const auto is_part = [](char c) { return is_lower(c) || is_digit(c); };
  auto at = text.begin();
  for (;;) {
    const auto run = std::find_if_not(at, text.end(), is_part);
    if (run == at) return false;  // empty, or it begins or ends with a joint
    if (run == text.end()) return true;
    at = std::find_if(run, text.end(), is_part);
    if (!is_joint(std::string_view(run, at))) return false;
  }
}

bool is_repository(std::string_view text) noexcept {
  if (text.size() > kNameLimit) return false;
  for (;;) {
    const std::size_t slash = text.find('/');
    if (!is_repository_component(text.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
}

bool is_tag(std::string_view text) noexcept {
  const auto is_word = [](char c) { return is_letter(c) || is_digit(c) || c == '_'; };
  return !text.empty() && text.size() <= kTagLimit && is_word(text[0]) &&
         std::ranges::all_of(text, [&](char c) { return is_word(c) || c == '.' || c == '-'; });
}

bool is_registry(std::string_view text) noexcept {
  if (text.size() > kNameLimit) return false;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos || !is_ipv6(text.substr(1, end - 1))) return false;
    const std::string_view rest = text.substr(end + 1);
    return rest.empty() || (rest[0] == ':' && is_port(rest.substr(1)));
  }
  const std::size_t colon = text.find(':');
  return is_host_name(text.substr(0, colon)) &&
         (colon == std::string_view::npos || is_port(text.substr(colon + 1)));
}

bool looks_like_registry(std::string_view text) noexcept {
  return is_registry(text) && (text.find_first_of(".:") != std::string_view::npos ||
                               text::equals_ignoring_case(text, "localhost"));
}

bool is_docker_hub(std::string_view host) noexcept {
  return std::ranges::find(kDockerHubNames, host) != kDockerHubNames.end();
}

Result<Reference> Reference::parse(std::string_view text) {
  Reference reference;
  std::string_view rest = text;
  if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
    Result<Digest> digest = Digest::parse(rest.substr(at + 1));
    if (!digest) {
      return Error(digest.error().code(),
                   quoted(text) + " is not a reference: " + digest.error().message());
    }
    reference.digest = *std::move(digest);
    rest = rest.substr(0, at);
  }
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) {
    return broken(text, "it names no repository; write registry/repository[:tag][@digest]");
  }
  // Host names are the same in any case; what is stored and compared by them is not.
  reference.registry = text::to_lower(rest.substr(0, slash));
  std::string_view name = rest.substr(slash + 1);
  if (const std::size_t colon = name.rfind(':'); colon != std::string_view::npos) {
    reference.tag = std::string(name.substr(colon + 1));
    name = name.substr(0, colon);
  }
  reference.repository = std::string(name);
  TRY(check_registry(text, reference.registry));
  TRY(check_repository(text, reference));
  if (reference.tag && !is_tag(*reference.tag)) {
    return broken(text, quoted(*reference.tag) +
                            " is no tag: at most 128 letters, digits, underscores, dots and "
                            "hyphens, the first neither a dot nor a hyphen");
  }
  return reference;
}

std::string Reference::text() const {
  std::string out = registry + "/" + repository;
  if (tag) out.append(":").append(*tag);
  if (digest) out.append("@").append(digest->text());
  return out;
}

}  // namespace berth::oci
