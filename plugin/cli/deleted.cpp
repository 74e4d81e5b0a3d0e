// SPDX-License-Identifier: Apache-2.0
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/json/writer.hpp"

#include "commands.hpp"
#include "exit_status.hpp"
#include "listing.hpp"
#include "managed.hpp"

namespace berth::cli {

namespace {

std::string shown_time_of(const std::optional<acr::Timestamp>& time) {
  return shown_time(time ? time->seconds().time_since_epoch().count() : 0);
}

/// Lines for people, objects for --json: of one registry or repository.
class Deleted {
 public:
  Deleted(const DeletedCommand& command, Workspace& workspace)
      : command_(command),
        workspace_(workspace) {}

  Result<void> list(const std::string& text) {
    const Managed place = TRY(find_managed(text, workspace_));
    if (!place.tag.empty() || place.digest) {
      return Error(Errc::invalid_argument,
                   text + ": what was deleted is listed of a registry, or of a repository");
    }
    if (!place.repository.empty()) return list_repository(place);
    for (const std::string& name :
         TRY(place.management->deleted_repositories(workspace_.context()))) {
      add("repository", place.registry + "/" + name, std::nullopt, std::nullopt);
    }
    return {};
  }

  Result<void> restore(const std::string& text) {
    const Managed place = TRY(find_managed(text, workspace_));
    if (place.digest) {
      const std::string tag = command_.tag.empty() ? place.tag : command_.tag;
      TRY(place.management->restore_manifest(place.repository, *place.digest, tag, command_.force,
                                             workspace_.context()));
      return restored(place, *place.digest, tag);
    }
    if (place.tag.empty()) {
      return Error(Errc::invalid_argument,
                   text +
                       ": name what to restore: R/a:v1, or R/a@sha256:... (`berth deleted ls "
                       "R/a` lists both)");
    }
    if (!command_.tag.empty()) {
      return Error(Errc::invalid_argument, "--tag is for a digest: " + text + " is a tag");
    }
    const Digest digest = TRY(place.management->restore_tag(place.repository, place.tag,
                                                            command_.force, workspace_.context()));
    return restored(place, digest, place.tag);
  }

  std::string json() const { return array_.to_text(2); }

 private:
  Result<void> list_repository(const Managed& place) {
    const std::string name = place.registry + "/" + place.repository;
    for (const auto& tag :
         TRY(place.management->deleted_tags(place.repository, workspace_.context()))) {
      add("tag", name + ":" + tag.name, tag.digest, tag.deleted_at);
    }
    for (const auto& manifest :
         TRY(place.management->deleted_manifests(place.repository, workspace_.context()))) {
      add("manifest", name + "@" + manifest.digest.text(), manifest.digest, manifest.deleted_at);
    }
    return {};
  }

  void add(const char* kind, const std::string& reference, const std::optional<Digest>& digest,
           const std::optional<acr::Timestamp>& time) {
    if (workspace_.options().json) {
      json::Node object = json::Node::object();
      object.set("kind", kind);
      object.set("reference", reference);
      if (digest) object.set("digest", digest->text());
      if (time) object.set("deleted", time->text());
      array_.push_back(std::move(object));
      return;
    }
    const bool timed = std::string_view(kind) != "repository";
    std::string line = timed ? shown_time_of(time) + "  " : std::string();
    if (timed && !time) line.insert(0, kTimeWidth - 1, ' ');
    workspace_.io().print(line + text::escape_for_terminal(reference) + "\n");
  }

  Result<void> restored(const Managed& place, const Digest& digest, const std::string& tag) {
    content::Hub* hub = TRY(workspace_.hub());
    hub->store().note_change(place.registry, place.repository);
    if (workspace_.options().json) {
      json::Node object = json::Node::object();
      object.set("restored", place.registry + "/" + place.repository + "@" + digest.text());
      if (!tag.empty()) object.set("tag", tag);
      array_.push_back(std::move(object));
      return {};
    }
    workspace_.io().print("restored " + place.registry + "/" + place.repository +
                          (tag.empty() ? "" : ":" + tag) + "@" + digest.text() + "\n");
    return {};
  }

  const DeletedCommand& command_;
  Workspace& workspace_;
  json::Node array_ = json::Node::array();
};

}  // namespace

int run_deleted(const DeletedCommand& command, Workspace& workspace) {
  workspace.name_hosts(command.places);
  Deleted deleted(command, workspace);
  int status = kDone;
  for (const std::string& place : command.places) {
    const auto done = command.verb == "ls" ? deleted.list(place) : deleted.restore(place);
    if (!done) status = worse(status, report(workspace, done.error()));
  }
  if (workspace.options().json) workspace.io().print(deleted.json() + "\n");
  return status;
}

}  // namespace berth::cli
