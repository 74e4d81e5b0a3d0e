// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <optional>

#include "berth/base/try.hpp"
#include "berth/content/copy.hpp"
#include "berth/json/writer.hpp"

#include "commands.hpp"
#include "exit_status.hpp"
#include "failures.hpp"
#include "image_copy.hpp"
#include "progress.hpp"

namespace berth::cli {

namespace {

namespace fs = std::filesystem;

class Copier {
 public:
  Copier(const CpCommand& command, Workspace& workspace)
      : command_(command),
        workspace_(workspace) {}

  Result<void> copy(const std::string& source) {
    if (!images_) return to_files(source);
    const auto done = TRY(images_->copy(source));
    note(source, done.target, done.digest, 0);
    return {};
  }
  /// Of what failed below the sources while the rest was copied.
  int status() const noexcept { return failures_.status(); }
  Result<void> finish() { return images_ ? images_->finish() : Result<void>(); }

  /// Nothing where the data itself went to standard output.
  std::string json() const { return standard_output_ ? "" : copied_.to_text(2) + "\n"; }

  /// What the target is: several sources need a folder.
  Result<void> check_target() {
    if (ImageCopier::is_target(command_.target)) {
      images_.emplace(command_, workspace_);
      return images_->check();
    }
    const Place place = TRY(parse_place(command_.target));
    std::error_code ignored;
    into_folder_ = fs::is_directory(place.path, ignored) || command_.target.ends_with('/');
    if (command_.sources.size() > 1 && !into_folder_ && !place.is_standard_stream) {
      return Error{Errc::invalid_argument,
                   "several sources need a folder as the target: " + command_.target + " is none"};
    }
    standard_output_ = place.is_standard_stream;
    return {};
  }

 private:
  /// A line of --json: what was copied, where it is now, and how much of it failed.
  void note(const std::string& source, const std::string& target,
            const std::optional<Digest>& digest, std::uint64_t failed) {
    json::Node object = json::Node::object();
    object.set("source", source);
    object.set("target", target);
    if (digest) object.set("digest", digest->text());
    if (failed > 0) object.set("failed", failed);
    copied_.push_back(std::move(object));
  }

  Result<void> to_files(const std::string& source) {
    const Located located = TRY(workspace_.locate(source, true));
    const bool folder = located.found.node->type() == tree::Type::folder;
    if (folder && !command_.recursive) {
      return Error{Errc::invalid_argument,
                   source + " is a folder: use -r to copy its files, or copy it to oci:DIR"};
    }
    if (standard_output_) {
      if (folder)
        return Error{Errc::invalid_argument,
                     source + " is a folder: it cannot go to standard output"};
      return to_standard_output(located);
    }
    fs::path target(command_.target);
    if (into_folder_) target /= fs::path(located.place.text).filename();
    const auto meaning = TRY(located.tree->meaning(located.found.node, workspace_.context()));
    const std::uint64_t before = failures_.count();
    TRY(folder ? copy_folder(*located.tree, located.place.inside, source, target)
               : copy_file(*located.tree, located.found.node, target, source));
    note(source, target.string(), meaning.digest, failures_.count() - before);
    return {};
  }

  Result<void> to_standard_output(const Located& located) {
    const auto file = TRY(located.tree->open(located.found.node, workspace_.context()));
    std::vector<std::byte> buffer(512 * 1024);
    for (std::uint64_t offset = 0;;) {
      const std::size_t got = TRY(file->read(offset, buffer, workspace_.context()));
      if (got == 0) return {};
      TRY(write_all(workspace_.io().out(), ByteView(buffer).first(got)));
      offset += got;
    }
  }

  /// Everything below a path of the tree, with links followed: paths are walked from the root,
  /// since links lead out of the folder. What refers to a manifest is another one, and comes with
  /// --referrers alone. What fails does not keep the rest. `text`: the place, for messages.
  Result<void> copy_folder(tree::Tree& tree, const std::string& path, const std::string& text,
                           const fs::path& target) {
    const tree::Found folder = TRY(tree.walk(tree.root(), path, true, workspace_.context()));
    const auto meaning = TRY(tree.meaning(folder.node, workspace_.context()));
    TRY(make_directories(target, 0777));
    for (const auto& entry : TRY(tree.list(folder.node, workspace_.context()))) {
      if (meaning.is_manifest && entry.name == "referrers" && !command_.referrers) continue;
      const std::string child = path.empty() ? entry.name : path + "/" + entry.name;
      const std::string place = place_below(text, entry.name);
      if (auto copied = copy_child(tree, child, place, target / entry.name); !copied) {
        TRY(failures_.note(std::move(copied).error(), place));
      } else {
        failures_.went_well();
      }
    }
    return {};
  }

  Result<void> copy_child(tree::Tree& tree, const std::string& path, const std::string& text,
                          const fs::path& target) {
    const tree::Found found = TRY(tree.walk(tree.root(), path, true, workspace_.context()));
    if (found.node->type() == tree::Type::folder) return copy_folder(tree, path, text, target);
    return copy_file(tree, found.node, target, path);
  }

  Result<void> copy_file(tree::Tree& tree, const tree::NodePtr& node, const fs::path& target,
                         const std::string& what) {
    std::error_code ignored;
    if (!command_.force && fs::exists(target, ignored)) {
      return Error{Errc::conflict, target.string() + " exists: remove it, or use -f to replace it"};
    }
    if (target.has_parent_path() && !fs::is_directory(target.parent_path(), ignored)) {
      return Error{Errc::not_found, target.parent_path().string() + " is no folder: make it first"};
    }
    const auto file = TRY(tree.open(node, workspace_.context()));
    ProgressBar bar(workspace_, what);
    return content::copy_to_file(
        *file, target, [&](std::uint64_t done, std::uint64_t total) { bar.update(done, total); },
        workspace_.context());
  }

  const CpCommand& command_;
  Workspace& workspace_;
  Failures failures_{workspace_};
  bool into_folder_ = false;
  bool standard_output_ = false;
  std::optional<ImageCopier> images_;  ///< when the target is for images
  json::Node copied_ = json::Node::array();
};

}  // namespace

int run_cp(const CpCommand& command, Workspace& workspace) {
  workspace.name_hosts(command.sources);
  workspace.name_hosts({command.target});
  Copier copier(command, workspace);
  if (auto fine = copier.check_target(); !fine) return report(workspace, fine.error());
  int status = kDone;
  for (const std::string& source : command.sources) {
    auto copied = copier.copy(source);
    // What failed on the way was reported before.
    status = worse(status, copier.status());
    if (copied) continue;
    const int one = report(workspace, copied.error());
    status = worse(status, one);
    if (one != kInterrupted) continue;
    say_what_came_is_kept(workspace);
    status = one;
    break;
  }
  if (auto finished = copier.finish(); !finished) {
    status = worse(status, report(workspace, finished.error()));
  }
  if (workspace.options().json) workspace.io().print(copier.json());
  return status;
}

}  // namespace berth::cli
