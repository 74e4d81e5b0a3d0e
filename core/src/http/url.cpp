// SPDX-License-Identifier: Apache-2.0
#include "berth/http/url.hpp"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

#include "http/ip_address.hpp"

namespace berth::http {
namespace {

Error invalid(std::string_view text, std::string_view why) {
  // The query may be a secret, and what stands before an '@' certainly is one.
  const std::string_view shown = text.substr(0, text.find_first_of("?#@"));
  return Error(Errc::invalid_argument,
               fmt::format("'{}' is not a URL that berth can use: {}", shown.substr(0, 256), why));
}

// Readers of URLs disagree on these characters, and disagreement is how a check is passed by.
bool has_unsafe_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u <= 0x20 || u >= 0x7f || c == '\\';
  });
}

bool is_scheme(std::string_view text) {
  const auto is_alpha = [](char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; };
  if (text.empty() || !is_alpha(text[0])) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return is_alpha(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  });
}

std::uint16_t default_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

bool is_host_name(std::string_view host) {
  if (host.empty() || host.size() > 253 || host.front() == '.') return false;
  char before = '.';
  for (const char c : host) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (!plain && (c != '.' || before == '.')) return false;
    before = c;
  }
  return before != '.';
}

Result<std::string> parse_host(std::string_view host, std::string_view whole) {
  if (host.starts_with('[')) {
    const auto address = parse_ipv6(host.substr(1, host.size() - 2));
    if (!host.ends_with(']') || !address) return invalid(whole, "bad IPv6 address");
    return to_text(*address);
  }
  std::string name = text::to_lower(host);
  if (name.ends_with('.')) name.pop_back();  // the same host: else it would be another origin
  if (!is_host_name(name)) return invalid(whole, "bad host name");
  if (ends_in_number(name) && !parse_ipv4(name)) {
    return invalid(whole, "an IPv4 address is four decimal numbers without leading zeros");
  }
  return name;
}

Result<std::uint16_t> parse_port(std::string_view text, std::string_view scheme,
                                 std::string_view whole) {
  if (text.empty()) return default_port(scheme);
  std::uint16_t port = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (failure != std::errc{} || end != text.data() + text.size() || port == 0) {
    return invalid(whole, "bad port");
  }
  return port;
}

Result<Origin> parse_authority(std::string_view authority, std::string scheme,
                               std::string_view whole) {
  if (authority.find('@') != std::string_view::npos) {
    return Error(Errc::untrusted,
                 "a URL with user information is refused: give the user name and password as "
                 "credentials, not in the address");
  }
  const std::size_t bracket = authority.find(']');
  const std::size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  Origin origin;
  origin.host = TRY(parse_host(authority.substr(0, colon), whole));
  const std::string_view port =
      colon == std::string_view::npos ? std::string_view() : authority.substr(colon + 1);
  origin.port = TRY(parse_port(port, scheme, whole));
  origin.scheme = std::move(scheme);
  return origin;
}

std::string without_fragment(std::string_view text) {
  return std::string(text.substr(0, text.find('#')));
}

// RFC 3986 section 5.2.4, on a path that begins with '/'.
std::string remove_dot_segments(std::string_view path) {
  std::vector<std::string_view> kept;
  const std::vector<std::string_view> segments = text::split(path.substr(1), '/');
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const bool last = i + 1 == segments.size();
    const bool dot = segments[i] == ".";
    const bool dots = segments[i] == "..";
    if (dots && !kept.empty()) kept.pop_back();
    if (!dot && !dots) {
      kept.push_back(segments[i]);
    } else if (last) {
      kept.emplace_back();
    }
  }
  std::string out;
  for (const std::string_view segment : kept) out.append("/").append(segment);
  return out.empty() ? "/" : out;
}

std::string normalised(std::string_view path_and_query) {
  const std::size_t query = path_and_query.find('?');
  std::string out = remove_dot_segments(path_and_query.substr(0, query));
  if (query != std::string_view::npos) out += path_and_query.substr(query);
  return out;
}

}  // namespace

std::string Origin::text() const {
  const bool is_v6 = host.find(':') != std::string::npos;
  std::string out = fmt::format("{}://{}{}{}", scheme, is_v6 ? "[" : "", host, is_v6 ? "]" : "");
  if (port != default_port(scheme)) out += fmt::format(":{}", port);
  return out;
}

Result<Url> Url::parse(std::string_view text) {
  if (has_unsafe_character(text)) return invalid({}, "it has characters that no URL has");
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || !is_scheme(text.substr(0, colon))) {
    return invalid(text, "it does not begin with https:// or http://");
  }
  std::string scheme = text::to_lower(text.substr(0, colon));
  if (scheme != "https" && scheme != "http") {
    return Error(Errc::untrusted, fmt::format("a URL of the scheme '{}' is refused: berth speaks "
                                              "https and http",
                                              scheme.substr(0, 32)));
  }
  if (!text.substr(colon).starts_with("://")) return invalid(text, "'//' is missing");
  const std::string_view rest = text.substr(colon + 3);
  const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  Url url;
  url.origin_ = TRY(parse_authority(rest.substr(0, end), std::move(scheme), text));
  std::string path = without_fragment(rest.substr(end));
  if (!path.starts_with('/')) path.insert(0, "/");
  url.path_ = std::move(path);
  return url;
}

Result<Url> Url::resolve(std::string_view reference) const {
  if (has_unsafe_character(reference)) return invalid({}, "it has characters that no URL has");
  const std::size_t colon = reference.find(':');
  const bool has_scheme = colon != std::string_view::npos && is_scheme(reference.substr(0, colon));
  if (has_scheme || reference.starts_with("//")) {
    std::string absolute = has_scheme ? std::string() : origin_.scheme + ":";
    Url url = TRY(parse(absolute.append(reference)));
    url.path_ = normalised(url.path_);
    return url;
  }
  Url url = *this;
  const std::string target = without_fragment(reference);
  const std::string_view base = std::string_view(path_).substr(0, path_.find('?'));
  if (target.empty()) return url;
  if (target[0] == '/') {
    url.path_ = normalised(target);
  } else if (target[0] == '?') {
    url.path_ = fmt::format("{}{}", base, target);
  } else {
    url.path_ = normalised(fmt::format("{}{}", base.substr(0, base.rfind('/') + 1), target));
  }
  return url;
}

Url Url::with_path(std::string_view path_and_query) const {
  Url url = *this;
  url.path_ = path_and_query;
  return url;
}

std::string Url::text() const { return origin_.text() + path_; }

std::string Url::redacted() const { return origin_.text() + path_.substr(0, path_.find('?')); }

}  // namespace berth::http
