// SPDX-License-Identifier: Apache-2.0
#include "berth/acr/purge.hpp"

#include <unistd.h>

#include <cerrno>
#include <set>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/json/writer.hpp"

#include "commands.hpp"
#include "exit_status.hpp"
#include "listing.hpp"
#include "managed.hpp"

namespace berth::cli {

namespace {

std::string counted(std::size_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

/// Both counts, always: who reads one of them must not wonder about the other.
std::string both_counts(std::size_t tags, std::size_t manifests) {
  return counted(tags, "tag") + " and " + counted(manifests, "manifest");
}

std::string_view reason_text(acr::PurgeSkipped::Reason reason) {
  switch (reason) {
    case acr::PurgeSkipped::Reason::locked:
      return "locked";
    case acr::PurgeSkipped::Reason::changed:
      return "changed meanwhile";
    case acr::PurgeSkipped::Reason::needed:
      return "needed by what was left";
    case acr::PurgeSkipped::Reason::failed:
      break;
  }
  return "failed";
}

/// One purge: its options, its plan, its end.
class Purging {
 public:
  Purging(const PurgeCommand& command, Workspace& workspace)
      : command_(command),
        workspace_(workspace) {}

  Result<int> run() {
    const Managed place = TRY(find_managed(command_.place, workspace_));
    registry_ = place.registry;
    const acr::Purge purge = TRY(place.management->purge(TRY(options(place))));
    const acr::PurgePlan plan = TRY(purge.plan(workspace_.context()));
    show(plan);
    const int status = show_closed(plan);
    const bool empty = plan.tags.empty() && plan.manifests.empty();
    // A script finds the same members in the answer whether there was something to do or not.
    const bool says_all = workspace_.options().json && !command_.dry_run;
    if (command_.dry_run || (empty && !says_all)) return finish(status);
    if (!empty && !TRY(agreed(plan))) return finish(kFailed);
    const acr::PurgeResult result = purge.execute(plan, workspace_.context());
    forget(plan);
    return finish(worse(status, show(result)));
  }

 private:
  Result<acr::PurgeOptions> options(const Managed& place) {
    if (!place.tag.empty() || place.digest) {
      return Error(Errc::invalid_argument,
                   command_.place + ": a purge is of a registry or of a repository");
    }
    acr::PurgeOptions options;
    options.untagged = untagged(place);
    options.filters = TRY(filters(place));
    options.ago = TRY(age());
    options.keep = command_.keep;
    options.include_locked = command_.include_locked;
    options.verify_counts = !command_.trust_lists;
    options.concurrency = command_.jobs;
    options.repository_page_size = command_.repository_page_size;
    options.filter_timeout = std::chrono::round<std::chrono::milliseconds>(
        std::chrono::duration<double>(command_.filter_timeout_seconds));
    options.on_deleted = [this](const std::string& reference) { deleted(reference); };
    return options;
  }

  Result<acr::Timestamp::Ticks> age() const {
    if (command_.ago.empty()) {
      return Error(
          Errc::invalid_argument,
          "--ago is missing: say how old something must be, as in --ago 30d (0d: any age)");
    }
    const auto age = TRY(acr::parse_ago(command_.ago));
    if (age == acr::kMostAgo) {
      log::warning("--ago " + command_.ago + " is taken for 150 years, the most that there is");
    }
    return age;
  }

  /// Of a repository without a filter, --untagged leaves the tags alone: nobody chose one.
  acr::PurgeOptions::Untagged untagged(const Managed& place) const {
    using Untagged = acr::PurgeOptions::Untagged;
    if (command_.untagged_only) return Untagged::only;
    if (!command_.untagged) return Untagged::no;
    return !place.repository.empty() && command_.filters.empty() ? Untagged::only : Untagged::also;
  }

  /// Of a repository the filters are of tags; its name is no expression.
  Result<std::vector<std::string>> filters(const Managed& place) {
    if (place.repository.empty()) {
      if (command_.filters.empty() && !command_.untagged_only) {
        return Error(Errc::invalid_argument,
                     "a purge of a registry needs --filter 'REPOSITORY:TAG' (two regular "
                     "expressions), or --untagged-only");
      }
      return command_.filters;
    }
    if (command_.filters.empty() && !command_.untagged_only && !command_.untagged) {
      return Error(Errc::invalid_argument,
                   "a purge of a repository needs --filter TAG (a regular expression; '.*' is "
                   "every tag), or --untagged for manifests without a tag alone");
    }
    std::string name;
    for (const char c : place.repository) name += c == '.' ? std::string("\\.") : std::string(1, c);
    std::vector<std::string> out;
    out.reserve(command_.filters.size());
    for (const std::string& tag : command_.filters) out.push_back(name + ":" + tag);
    if (out.empty()) out.push_back(name + ":.*");
    return out;
  }

  void line(const std::string& text) {
    if (!workspace_.options().json) {
      workspace_.io().print(text::escape_for_terminal(text) + "\n");
    }
  }

  void show(const acr::PurgePlan& plan) {
    json::Node tags = json::Node::array();
    json::Node manifests = json::Node::array();
    std::set<std::string> repositories;
    std::uint64_t bytes = 0;
    for (const acr::PurgeTag& tag : plan.tags) {
      const std::string reference = fmt::format("{}/{}:{}", registry_, tag.repository, tag.name);
      repositories.insert(tag.repository);
      line(fmt::format("would delete {}  {}{}", reference,
                       shown_time(tag.last_updated_on.seconds().time_since_epoch().count()),
                       tag.locked ? "  locked" : ""));
      tags.push_back(json::Node::object({{"reference", reference},
                                         {"digest", tag.digest.text()},
                                         {"updated", tag.last_updated_on.text()},
                                         {"locked", tag.locked}}));
    }
    for (const acr::PurgeManifest& manifest : plan.manifests) {
      const std::string reference =
          fmt::format("{}/{}@{}", registry_, manifest.repository, manifest.digest.text());
      repositories.insert(manifest.repository);
      bytes += manifest.size_in_bytes;
      line(fmt::format("would delete {}  {}{}", reference,
                       shown_time(manifest.last_updated_on.seconds().time_since_epoch().count()),
                       manifest.locked ? "  locked" : ""));
      manifests.push_back(json::Node::object({{"reference", reference},
                                              {"size", manifest.size_in_bytes},
                                              {"updated", manifest.last_updated_on.text()},
                                              {"locked", manifest.locked}}));
    }
    const std::string size = bytes == 0 ? "" : ", " + text::format_size(bytes);
    line(fmt::format("{} of {} to delete{}", both_counts(plan.tags.size(), plan.manifests.size()),
                     repositories.size() == 1 ? "1 repository"
                                              : fmt::format("{} repositories", repositories.size()),
                     size));
    json_.set("plan",
              json::Node::object({{"tags", std::move(tags)}, {"manifests", std::move(manifests)}}));
  }

  /// Repositories that the login may not look into.
  int show_closed(const acr::PurgePlan& plan) {
    if (plan.skipped.empty()) return kDone;
    int status = kDone;
    json::Node closed = json::Node::array();
    for (const acr::PurgeSkipped& skipped : plan.skipped) {
      status = worse(status, report(workspace_, *skipped.error));
      closed.push_back(json::Node::object(
          {{"reference", skipped.reference}, {"error", skipped.error->describe()}}));
    }
    json_.set("left_out", std::move(closed));
    return status;
  }

  /// A person is asked; a script says --yes, or nothing is deleted.
  Result<bool> agreed(const acr::PurgePlan& plan) {
    if (command_.yes) return true;
    TRY(workspace_.io().flush());
    if (::isatty(workspace_.io().in()) == 0 || !workspace_.io().err_is_terminal()) {
      return Error(Errc::invalid_argument,
                   "nothing was deleted: there is no terminal to ask on; add --yes, or --dry-run");
    }
    workspace_.io().error_text(
        fmt::format("Delete {}? [y/N] ", both_counts(plan.tags.size(), plan.manifests.size())));
    std::string answer;
    char letter = 0;
    while (::read(workspace_.io().in(), &letter, 1) == 1 && letter != '\n') answer += letter;
    if (answer == "y" || answer == "Y" || answer == "yes") return true;
    line("nothing was deleted");
    return false;
  }

  /// Called one at a time while this thread waits: shown at once, so that an interrupt leaves a
  /// list of what is gone.
  void deleted(const std::string& reference) {
    line("deleted " + reference);
    if (!workspace_.options().json) (void)workspace_.io().flush();
    references_.push_back(reference);
  }

  int show(const acr::PurgeResult& result) {
    int status = kDone;
    json::Node kept = json::Node::array();
    for (const acr::PurgeSkipped& skipped : result.skipped) {
      json::Node object = json::Node::object(
          {{"reference", skipped.reference}, {"reason", reason_text(skipped.reason)}});
      if (skipped.reason == acr::PurgeSkipped::Reason::failed && skipped.error) {
        object.set("error", skipped.error->describe());
        status = worse(status, report(workspace_, *skipped.error));
      } else {
        line(fmt::format("kept {}: {}", skipped.reference, reason_text(skipped.reason)));
      }
      kept.push_back(std::move(object));
    }
    const std::string counts = both_counts(result.tags_deleted, result.manifests_deleted);
    line(fmt::format("{} deleted", counts));
    json_.set("tags_deleted", std::uint64_t{result.tags_deleted});
    json_.set("manifests_deleted", std::uint64_t{result.manifests_deleted});
    json::Node deleted = json::Node::array();
    for (const std::string& reference : references_) deleted.push_back(reference);
    json_.set("deleted", std::move(deleted));
    json_.set("kept", std::move(kept));
    if (!result.stopped_by) return status;
    const bool interrupted = result.stopped_by->code() == Errc::cancelled;
    const std::string what = interrupted ? "interrupted" : "stopped";
    json_.set("stopped_by", result.stopped_by->describe());
    return report(workspace_, Error(*result.stopped_by)
                                  .with_context(fmt::format(
                                      "{} after {}; the rest was left as it was", what, counts)));
  }

  void forget(const acr::PurgePlan& plan) {
    auto hub = workspace_.hub();
    if (!hub) return;
    std::set<std::string> repositories;
    for (const auto& tag : plan.tags) repositories.insert(tag.repository);
    for (const auto& manifest : plan.manifests) repositories.insert(manifest.repository);
    for (const std::string& name : repositories) {
      (*hub)->cache().remembered().distrust(registry_, name);
    }
  }

  int finish(int status) {
    if (workspace_.options().json) workspace_.io().print(json_.to_text(2) + "\n");
    return status;
  }

  const PurgeCommand& command_;
  Workspace& workspace_;
  std::string registry_;
  std::vector<std::string> references_;
  json::Node json_ = json::Node::object();
};

}  // namespace

int run_purge(const PurgeCommand& command, Workspace& workspace) {
  workspace.name_hosts({command.place});
  auto done = Purging(command, workspace).run();
  if (!done) return report(workspace, done.error());
  return *done;
}

}  // namespace berth::cli
