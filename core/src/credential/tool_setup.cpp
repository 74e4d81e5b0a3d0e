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
#include "credential/setup_plans.hpp"

namespace berth::credential {
namespace {

using std::filesystem::path;

constexpr std::size_t kFileLimit = 4 * 1024 * 1024;

Error no_home(std::string_view tool) {
  return {Errc::invalid_argument,
          fmt::format("HOME is not set, so {}'s configuration cannot be found", tool)};
}

/// Another one than the kubelet's is where the tool looks for it.
Result<void> check_no_file(const SetupRequest& request, std::string_view tool,
                           std::string_view variable) {
  if (request.file.empty()) return {};
  return Error(
      Errc::invalid_argument,
      fmt::format("--file is for the kubelet: {} reads its own, which {} moves", tool, variable));
}

bool names_helpers(std::string_view text) {
  const auto lines = text::split(text, '\n');
  return std::any_of(lines.begin(), lines.end(), [](std::string_view line) {
    return text::trim(line).starts_with("credential-helpers");
  });
}

/// The last file that names helpers counts: podman does not join their lists.
Result<void> note_other_helpers(const path& folder, const path& ours,
                                const Environment& environment, std::vector<std::string>& notes) {
  std::vector<path> files = {folder / "registries.conf"};
  std::error_code none;
  for (const auto& entry :
       std::filesystem::directory_iterator(folder / "registries.conf.d", none)) {
    if (entry.path() != ours && entry.path().extension() == ".conf") files.push_back(entry.path());
  }
  std::sort(files.begin() + 1, files.end());
  for (const path& file : files) {
    const auto text = TRY(read_if_there(file));
    if (!text || !names_helpers(*text)) continue;
    const bool is_later = file.parent_path() == ours.parent_path() && file > ours;
    const std::string name = text::escape_for_terminal(short_name(file, environment));
    notes.push_back(name + (is_later
                                ? " names credential-helpers too, and is read after berth's file: "
                                  "podman will not ask berth until that line is gone."
                                : " names credential-helpers too, which podman will not ask any "
                                  "more: a route \"helper:NAME\" in berth's configuration asks "
                                  "them."));
  }
  return {};
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

std::vector<std::string_view> lines_of(const std::optional<std::string>& text) {
  if (!text || text->empty()) return {};
  auto lines = text::split(*text, '\n');
  if (lines.back().empty()) lines.pop_back();
  return lines;
}

/// What stands at both ends unchanged is left out; between them old lines, then new ones.
std::vector<std::string> changed_lines(const FileChange& change) {
  const auto before = lines_of(change.before);
  const auto after = lines_of(change.after);
  std::size_t head = 0;
  while (head < before.size() && head < after.size() && before[head] == after[head]) ++head;
  std::size_t tail = 0;
  while (tail < before.size() - head && tail < after.size() - head &&
         before[before.size() - 1 - tail] == after[after.size() - 1 - tail]) {
    ++tail;
  }
  std::vector<std::string> lines;
  for (std::size_t i = head; i < before.size() - tail; ++i) {
    lines.push_back(fmt::format("- {}", before[i]));
  }
  for (std::size_t i = head; i < after.size() - tail; ++i) {
    lines.push_back(fmt::format("+ {}", after[i]));
  }
  return lines;
}

}  // namespace

Result<std::optional<std::string>> read_if_there(const path& file) {
  Result<std::string> text = read_file(file, kFileLimit);
  if (text) return std::optional(*std::move(text));
  if (text.error().code() == Errc::not_found) return std::optional<std::string>();
  return Error(std::move(text).error());
}

Result<SetupPlan> plan_docker(const SetupRequest& request) {
  TRY(check_no_file(request, "docker", "DOCKER_CONFIG"));
  const auto named = request.environment("DOCKER_CONFIG");
  const auto home = home_directory(request.environment);
  if (!named && !home) return no_home("docker");
  const path folder = named ? path(*named) : *home / ".docker";
  SetupPlan plan = TRY(plan_json(folder / "config.json", request, "docker"));
  note_inline_secrets(plan, request, plan.notes);
  return plan;
}

Result<SetupPlan> plan_podman(const SetupRequest& request) {
  TRY(check_no_file(request, "podman", "XDG_CONFIG_HOME"));
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
  if (!request.undo) TRY(note_other_helpers(folder, file, request.environment, plan.notes));
  return plan;
}

std::string show_change(const FileChange& change) {
  std::string shown = change.file.native() +
                      (!change.before  ? " (new)"
                       : !change.after ? " (removed)"
                                       : "") +
                      "\n";
  for (const std::string& line : change.shown ? *change.shown : changed_lines(change)) {
    shown += line + "\n";
  }
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
