// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/credential/routes.hpp"

#include "credential/setup_plans.hpp"

namespace berth::credential {
namespace {

using std::filesystem::path;

constexpr std::string_view kBegin = "# berth: begin";
constexpr std::string_view kEnd = "# berth: end";
constexpr std::string_view kList = "providers:";
constexpr std::string_view kKubeletHead =
    "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n";
/// ACR's hosts in every cloud: what a kubelet has no secret for.
constexpr std::string_view kAcrPatterns[] = {"*.azurecr.io", "*.azurecr.cn", "*.azurecr.us"};

/// Between berth's two comments, them included; npos where they are not.
struct Block {
  std::size_t begin = std::string::npos;
  std::size_t end = std::string::npos;
};
Block find_block(const std::string& text) {
  const std::size_t mark = text.find(kBegin);
  const std::size_t last = text.find(kEnd);
  if (mark == std::string::npos || last == std::string::npos || last < mark) return {};
  const std::size_t line = text.rfind('\n', mark);
  const std::size_t end = text.find('\n', last);
  return {.begin = line == std::string::npos ? 0 : line + 1,
          .end = end == std::string::npos ? text.size() : end + 1};
}

std::string provider_block(const std::vector<std::string>& patterns, const std::string& indent) {
  std::string block =
      fmt::format("{}{}: what `berth setup kubelet --undo` removes\n", indent, kBegin);
  block += fmt::format("{}- name: berth-credential-provider\n", indent);
  block += fmt::format("{}  apiVersion: credentialprovider.kubelet.k8s.io/v1\n", indent);
  block += fmt::format("{}  matchImages:\n", indent);
  for (const std::string& pattern : patterns) {
    block += fmt::format("{}    - \"{}\"\n", indent, pattern);
  }
  block += fmt::format("{}  defaultCacheDuration: \"10m\"\n", indent);
  return block + fmt::format("{}{}\n", indent, kEnd);
}

/// Between quotes of YAML: what could end them is in no registry's name. The kubelet knows stars in
/// a host's labels alone.
Result<void> check_image_pattern(const std::string& pattern) {
  TRY(check_pattern(pattern));
  const bool is_text = pattern.find_first_of("\"\\ ") == std::string::npos;
  const std::size_t host = pattern.find_first_of(":/");
  const bool has_other_star =
      host != std::string::npos && pattern.find('*', host) != std::string::npos;
  if (is_text && !has_other_star && pattern != "*") return {};
  return Error(
      Errc::invalid_argument,
      fmt::format("\"{}\" {}", text::escape_for_terminal(pattern),
                  is_text ? "would match no image: the kubelet takes a * for characters of "
                            "one label of the host, as in *.azurecr.io"
                          : "has characters that no image's name has"));
}

std::string_view without_comment(std::string_view line) {
  const std::size_t mark = line.find(" #");
  return text::trim(line.substr(0, mark));
}

/// Behind the line `providers:`; npos where there is none, or one with something on it.
std::size_t list_start(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    const std::string_view line = text.substr(at, end - at);
    if (line.starts_with(kList)) {
      if (without_comment(line) != kList || end == std::string_view::npos) break;
      return end + 1;
    }
    if (end == std::string_view::npos) break;
    at = end + 1;
  }
  return std::string_view::npos;
}

/// As far in as the first entry stands; comments and empty lines before it say nothing.
std::string indent_of_list(std::string_view text) {
  for (const std::string_view line : text::split(text, '\n')) {
    const std::string_view content = text::trim(line);
    if (content.empty() || content.starts_with('#')) continue;
    if (!content.starts_with('-')) break;
    return std::string(line.substr(0, line.find('-')));
  }
  return "  ";
}

Result<std::string> with_provider(const std::string& text, const std::vector<std::string>& patterns,
                                  const path& file) {
  const std::size_t start = list_start(text);
  if (start == std::string::npos) {
    return Error(Errc::unsupported,
                 fmt::format("{} has no line `providers:` with a list below it: add the provider "
                             "by hand, as berth-credential-provider(8) shows",
                             file.native()));
  }
  const std::string rest = text.substr(start);
  return text.substr(0, start) + provider_block(patterns, indent_of_list(rest)) + rest;
}

}  // namespace

Result<SetupPlan> plan_kubelet(const SetupRequest& request) {
  const path file =
      request.file.empty() ? path("/etc/kubernetes/credential-provider-config.yaml") : request.file;
  const auto before = TRY(read_if_there(file));
  std::vector<std::string> patterns = request.registries;
  for (const std::string& pattern : patterns) TRY(check_image_pattern(pattern));
  if (patterns.empty()) patterns.assign(std::begin(kAcrPatterns), std::end(kAcrPatterns));
  std::string text = before.value_or("");
  if (const Block block = find_block(text); block.begin != std::string::npos) {
    text.erase(block.begin, block.end - block.begin);
  }
  SetupPlan plan;
  std::optional<std::string> after;
  if (request.undo) {
    if (text != kKubeletHead && before) after = text;
  } else if (text::trim(text).empty()) {
    after = std::string(kKubeletHead) + provider_block(patterns, "  ");
  } else {
    after = TRY(with_provider(text, patterns, file));
  }
  if (before != after) plan.files.push_back({.file = file, .before = before, .after = after});
  if (!request.undo) {
    plan.notes.push_back(
        "The kubelet needs --image-credential-provider-config=" + file.native() +
        " and --image-credential-provider-bin-dir= with the folder of berth-credential-provider.");
  }
  return plan;
}

}  // namespace berth::credential
