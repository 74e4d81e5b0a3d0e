// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/tool_setup.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "berth/base/atomic_file.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/credential/server_key.hpp"

#include "credential/json_text.hpp"
#include "credential/registry_key.hpp"

namespace berth::credential {
namespace {

using nlohmann::ordered_json;
using std::filesystem::path;

constexpr std::size_t kFileLimit = 4 * 1024 * 1024;
constexpr const char* kHelper = "berth";
constexpr const char* kUndoSuffix = ".berth-undo";
constexpr std::string_view kBegin = "# berth: begin";
constexpr std::string_view kEnd = "# berth: end";
/// ACR's hosts in every cloud: what a kubelet has no secret for.
constexpr std::string_view kAcrPatterns[] = {"*.azurecr.io", "*.azurecr.cn", "*.azurecr.us"};

Result<std::optional<std::string>> read_if_there(const path& file) {
  Result<std::string> text = read_file(file, kFileLimit);
  if (text) return std::optional(*std::move(text));
  if (text.error().code() == Errc::not_found) return std::optional<std::string>();
  return Error(std::move(text).error());
}

/// An absent or empty file is an empty object.
Result<ordered_json> parse_object(const std::optional<std::string>& text, const path& file) {
  if (!text || text::trim(*text).empty()) return ordered_json::object();
  ordered_json root = TRY(parse_ordered_json(*text, file.native()));
  if (root.is_object()) return root;
  return Error(Errc::corrupt, fmt::format("{} must hold a JSON object", file.native()));
}

/// As its lines are indented: docker uses tabs, podman too, people anything.
std::string dump_like(const ordered_json& root, const std::optional<std::string>& before) {
  int indent = 1;
  char character = '\t';
  const std::size_t line = before ? before->find('\n') : std::string::npos;
  if (line != std::string::npos && line + 1 < before->size() && (*before)[line + 1] == ' ') {
    character = ' ';
    const std::size_t end = before->find_first_not_of(' ', line + 1);
    indent = static_cast<int>(std::min<std::size_t>(end - line - 1, 8));
  }
  return root.dump(indent, character, false, ordered_json::error_handler_t::replace) + "\n";
}

Error no_home(std::string_view tool) {
  return {Errc::invalid_argument,
          fmt::format("HOME is not set, so {}'s configuration cannot be found", tool)};
}

/// credHelpers' keys are whole names.
Result<std::string> helper_key(const std::string& registry, std::string_view tool) {
  if (registry.find('*') != std::string::npos || registry.find('/') != std::string::npos) {
    return Error(Errc::invalid_argument,
                 fmt::format("{} knows no patterns and no paths, \"{}\" would match nothing: name "
                             "each registry, or leave --registry out and let berth's own routes "
                             "([credential.routes]) decide",
                             tool, text::escape_for_terminal(registry)));
  }
  return TRY(parse_server_key(registry)).server_url();
}

void replace_member(ordered_json& object, ordered_json& undo, const std::string& key) {
  const auto found = object.find(key);
  const bool is_ours = found != object.end() && *found == kHelper;
  if (is_ours) return;
  if (!undo.contains(key)) undo[key] = found == object.end() ? ordered_json() : *found;
  object[key] = kHelper;
}

/// Only what still says "berth": somebody may have chosen anew since.
void restore_member(ordered_json& object, const ordered_json& undo, const std::string& key) {
  const auto found = object.find(key);
  if (found == object.end() || *found != kHelper) return;
  const auto before = undo.find(key);
  if (before == undo.end() || before->is_null()) {
    object.erase(key);
  } else {
    *found = *before;
  }
}

ordered_json& object_member(ordered_json& object, const std::string& key) {
  ordered_json& member = object[key];
  if (!member.is_object()) member = ordered_json::object();
  return member;
}

void undo_helpers(ordered_json& root, const ordered_json& undo) {
  const auto helpers = root.find("credHelpers");
  if (helpers == root.end() || !helpers->is_object()) return;
  std::vector<std::string> keys;
  for (const auto& item : helpers->items()) keys.push_back(item.key());
  const ordered_json none = ordered_json::object();
  const auto kept = undo.find("credHelpers");
  for (const std::string& key : keys) {
    restore_member(*helpers, kept == undo.end() ? none : *kept, key);
  }
  if (helpers->empty()) root.erase("credHelpers");
}

/// The files of a JSON configuration and of what berth replaced in it.
Result<SetupPlan> plan_json(const path& file, const SetupRequest& request, std::string_view tool) {
  const path undo_file = file.native() + kUndoSuffix;
  const auto before = TRY(read_if_there(file));
  const auto undo_before = TRY(read_if_there(undo_file));
  ordered_json root = TRY(parse_object(before, file));
  ordered_json undo = TRY(parse_object(undo_before, undo_file));
  SetupPlan plan;
  if (request.undo) {
    restore_member(root, undo, "credsStore");
    undo_helpers(root, undo);
  } else if (request.registries.empty()) {
    replace_member(root, undo, "credsStore");
    if (undo.contains("credsStore") && undo["credsStore"].is_string()) {
      const std::string old = undo["credsStore"].get<std::string>();
      plan.notes.push_back(fmt::format(
          "{} kept its credentials in \"{}\" until now: to keep them in use, write store = \"{}\" "
          "under [credential] in berth's configuration.",
          tool, old, old));
    }
  } else {
    for (const std::string& registry : request.registries) {
      const std::string key = TRY(helper_key(registry, tool));
      replace_member(object_member(root, "credHelpers"), object_member(undo, "credHelpers"), key);
    }
  }
  const std::string after = dump_like(root, before);
  const bool is_same = before ? TRY(parse_object(before, file)) == root : root.empty();
  if (!is_same) plan.files.push_back({.file = file, .before = before, .after = after});
  if (request.undo && undo_before) {
    plan.files.push_back({.file = undo_file, .before = undo_before, .after = std::nullopt});
  } else if (!request.undo && !is_same) {
    plan.files.push_back({.file = undo_file, .before = undo_before, .after = undo.dump(2) + "\n"});
  }
  return plan;
}

/// docker stops reading secrets of the file once a store is named.
void note_inline_secrets(const SetupPlan& plan, const SetupRequest& request,
                         std::vector<std::string>& notes) {
  if (request.undo || plan.files.empty() || !plan.files.front().before) return;
  const auto root = parse_json(*plan.files.front().before, "");
  const nlohmann::json* auths = root ? find_ignoring_case(*root, "auths") : nullptr;
  if (auths == nullptr || !auths->is_object() || !request.registries.empty()) return;
  for (const auto& [key, entry] : auths->items()) {
    if (!entry.is_object() || entry.empty()) continue;
    notes.push_back(fmt::format(
        "docker will not use its own file's password for {} any more: run "
        "`berth login {}`.",
        text::escape_for_terminal(key), text::escape_for_terminal(hostname_of_key(key))));
  }
}

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

constexpr std::string_view kKubeletHead =
    "apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n";

/// After the line `providers:`, indented as its first entry is.
Result<std::string> with_provider(const std::string& text, const std::vector<std::string>& patterns,
                                  const path& file) {
  const std::size_t key = text.starts_with("providers:") ? 0 : text.find("\nproviders:");
  const std::size_t line = key == std::string::npos ? key : text.find('\n', key + 1);
  const std::string_view rest =
      line == std::string::npos
          ? std::string_view()
          : text::trim(std::string_view(text).substr(0, line)).substr(std::min(text.size(), key));
  if (line == std::string::npos || !text::trim(rest).ends_with("providers:")) {
    return Error(Errc::unsupported,
                 fmt::format("{} has no line `providers:` with a list below it: add the provider "
                             "by hand, as berth-credential-provider(8) shows",
                             file.native()));
  }
  std::string indent = "  ";
  const std::size_t dash = text.find_first_not_of(" \n", line + 1);
  if (dash != std::string::npos && text[dash] == '-') {
    const std::size_t start = text.rfind('\n', dash) + 1;
    indent = std::string(dash - start, ' ');
  }
  return text.substr(0, line + 1) + provider_block(patterns, indent) + text.substr(line + 1);
}

std::vector<std::string_view> lines_of(const std::optional<std::string>& text) {
  if (!text || text->empty()) return {};
  auto lines = text::split(*text, '\n');
  if (lines.back().empty()) lines.pop_back();
  return lines;
}

}  // namespace

Result<SetupPlan> plan_docker(const SetupRequest& request) {
  const auto named = request.environment("DOCKER_CONFIG");
  const auto home = home_directory(request.environment);
  if (!named && !home) return no_home("docker");
  const path folder = named ? path(*named) : *home / ".docker";
  SetupPlan plan = TRY(plan_json(folder / "config.json", request, "docker"));
  note_inline_secrets(plan, request, plan.notes);
  return plan;
}

Result<SetupPlan> plan_podman(const SetupRequest& request) {
  const auto config = xdg_config_home(request.environment);
  if (!config) return no_home("podman");
  const path folder = *config / "containers";
  SetupPlan plan;
  if (!request.registries.empty() || request.undo) {
    plan = TRY(plan_json(folder / "auth.json", request, "podman"));
  }
  if (!request.registries.empty()) return plan;
  const path file = folder / "registries.conf.d/50-berth.conf";
  const auto before = TRY(read_if_there(file));
  const std::string wanted =
      "# Written by `berth setup podman`; --undo removes it.\n"
      "credential-helpers = [\"containers-auth.json\", \"berth\"]\n";
  const std::optional<std::string> after = request.undo ? std::nullopt : std::optional(wanted);
  if (before != after) plan.files.push_back({.file = file, .before = before, .after = after});
  return plan;
}

Result<SetupPlan> plan_kubelet(const SetupRequest& request) {
  const path file =
      request.file.empty() ? path("/etc/kubernetes/credential-provider-config.yaml") : request.file;
  const auto before = TRY(read_if_there(file));
  std::vector<std::string> patterns = request.registries;
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

/// What stands at both ends unchanged is left out; between them old lines, then new ones.
std::string show_change(const FileChange& change) {
  const auto before = lines_of(change.before);
  const auto after = lines_of(change.after);
  std::size_t head = 0;
  while (head < before.size() && head < after.size() && before[head] == after[head]) ++head;
  std::size_t tail = 0;
  while (tail < before.size() - head && tail < after.size() - head &&
         before[before.size() - 1 - tail] == after[after.size() - 1 - tail]) {
    ++tail;
  }
  std::string shown = change.file.native() +
                      (!change.before  ? " (new)"
                       : !change.after ? " (removed)"
                                       : "") +
                      "\n";
  for (std::size_t i = head; i < before.size() - tail; ++i)
    shown += fmt::format("- {}\n", before[i]);
  for (std::size_t i = head; i < after.size() - tail; ++i) shown += fmt::format("+ {}\n", after[i]);
  return shown;
}

Result<void> apply_plan(const SetupPlan& plan) {
  for (const FileChange& change : plan.files) {
    if (TRY(read_if_there(change.file)) != change.before) {
      return Error(Errc::conflict,
                   change.file.native() + " was changed meanwhile: run the command again");
    }
  }
  for (const FileChange& change : plan.files) {
    // Somebody's dotfiles are links into a repository: the file there is the one to write.
    std::error_code ignored;
    const path real = std::filesystem::weakly_canonical(change.file, ignored);
    const path& target = ignored ? change.file : real;
    if (!change.after) {
      if (::unlink(target.c_str()) != 0 && errno != ENOENT) {
        return Error::from_errno(errno, "removing " + target.native());
      }
      continue;
    }
    struct stat status{};
    const bool is_there = ::stat(target.c_str(), &status) == 0;
    TRY(make_directories(target.parent_path(), 0755));
    TRY(write_file_atomically(target, *change.after, is_there ? status.st_mode & 07777U : 0600,
                              true));
  }
  return {};
}

}  // namespace berth::credential
