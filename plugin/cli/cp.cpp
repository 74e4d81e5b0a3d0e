// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <map>
#include <optional>

#include "berth/base/try.hpp"
#include "berth/content/copy.hpp"
#include "berth/json/writer.hpp"

#include "commands.hpp"
#include "exit_status.hpp"
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
    if (!is_layout()) return to_files(source);
    const auto& image = images_.at(source);
    return image ? to_layout(source, *image) : Result<void>(image.error());
  }

  /// Nothing where the data itself went to standard output.
  std::string json() const { return standard_output_ ? "" : copied_.to_text(2) + "\n"; }

  /// What the target is: several sources need a folder, a registry cannot be written yet.
  Result<void> check_target() {
    if (is_layout()) return check_layout();
    const Place place = TRY(parse_place(command_.target));
    if (place.kind != Place::Kind::local) {
      return Error{Errc::unsupported, command_.target +
                                          ": berth only reads registries so far; copy to oci:DIR, "
                                          "or to a file, which is written ./" +
                                          command_.target};
    }
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
  /// A source, and the tag that it gets in the layout.
  struct Image {
    tree::Tree::Meaning meaning;
    std::string tag;
  };

  bool is_layout() const { return command_.target.starts_with("oci:"); }

  /// All sources are looked at before the first is copied: of two that become one tag the first
  /// would be lost, and be paid for.
  Result<void> check_layout() {
    layout_ = TRY(parse_layout_target(command_.target));
    std::map<std::string, std::pair<std::string, Digest>> tags;
    for (const std::string& source : command_.sources) {
      if (images_.contains(source)) continue;
      if (!layout_.tag.empty() && !images_.empty()) return same_tag(layout_.tag, source);
      const auto& image = images_.emplace(source, find_image(source)).first->second;
      if (!image || image->tag.empty()) continue;
      const Digest& digest = *image->meaning.digest;
      const auto [other, added] = tags.try_emplace(image->tag, source, digest);
      if (!added && other->second.second != digest) return same_tag(image->tag, source);
    }
    return {};
  }

  Error same_tag(const std::string& tag, const std::string& source) const {
    return {Errc::invalid_argument, source + " and another source would both become the tag " +
                                        tag + " of " + layout_.folder.string() +
                                        ": copy them one by one, each to oci:" +
                                        layout_.folder.string() + ":TAG with a tag of its own"};
  }

  Result<Image> find_image(const std::string& source) {
    const Located located = TRY(workspace_.locate(source, false));
    auto meaning = TRY(located.tree->meaning(located.found.node, workspace_.context()));
    if (meaning.tag.empty() && !meaning.is_manifest) {
      return Error{Errc::invalid_argument, source +
                                               " is no tag or manifest: a layout holds images and "
                                               "artifacts (REGISTRY/REPOSITORY:TAG)"};
    }
    if (!meaning.digest) return Error{Errc::internal, source + " has no digest"};
    std::string tag = layout_.tag.empty() ? meaning.tag : layout_.tag;
    return Image{std::move(meaning), std::move(tag)};
  }

  Result<void> to_layout(const std::string& source, const Image& image) {
    const auto& [meaning, tag] = image;
    ProgressBar bar(workspace_, source);
    content::CopyOptions options{
        .jobs = command_.jobs,
        .referrers = command_.referrers,
        .progress = [&](std::uint64_t done, std::uint64_t total) { bar.update(done, total); }};
    if (!workspace_.options().platform.empty())
      options.platform = TRY(oci::Platform::parse(workspace_.options().platform));
    content::Hub* hub = TRY(workspace_.hub());
    TRY(content::copy_to_layout(hub->store(), meaning.source, meaning.repository, *meaning.digest,
                                layout_.folder, tag, options, workspace_.context()));
    note(source, "oci:" + layout_.folder.string() + (tag.empty() ? "" : ":" + tag), meaning.digest);
    return {};
  }

  /// A line of --json: what was copied, and where it is now.
  void note(const std::string& source, const std::string& target,
            const std::optional<Digest>& digest) {
    json::Node object = json::Node::object();
    object.set("source", source);
    object.set("target", target);
    if (digest) object.set("digest", digest->text());
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
    TRY(folder ? copy_folder(*located.tree, located.place.inside, target)
               : copy_file(*located.tree, located.found.node, target, source));
    note(source, target.string(), meaning.digest);
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
  /// --referrers alone.
  Result<void> copy_folder(tree::Tree& tree, const std::string& path, const fs::path& target) {
    const tree::Found folder = TRY(tree.walk(tree.root(), path, true, workspace_.context()));
    const auto meaning = TRY(tree.meaning(folder.node, workspace_.context()));
    TRY(make_directories(target, 0777));
    for (const auto& entry : TRY(tree.list(folder.node, workspace_.context()))) {
      if (meaning.is_manifest && entry.name == "referrers" && !command_.referrers) continue;
      const std::string child = path.empty() ? entry.name : path + "/" + entry.name;
      const tree::Found found = TRY(tree.walk(tree.root(), child, true, workspace_.context()));
      TRY(found.node->type() == tree::Type::folder
              ? copy_folder(tree, child, target / entry.name)
              : copy_file(tree, found.node, target / entry.name, child));
    }
    return {};
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
  bool into_folder_ = false;
  bool standard_output_ = false;
  LayoutTarget layout_;
  std::map<std::string, Result<Image>> images_;  ///< by source, when the target is a layout
  json::Node copied_ = json::Node::array();
};

}  // namespace

int run_cp(const CpCommand& command, Workspace& workspace) {
  workspace.name_hosts(command.sources);
  Copier copier(command, workspace);
  if (auto fine = copier.check_target(); !fine) return report(workspace, fine.error());
  int status = kDone;
  for (const std::string& source : command.sources) {
    auto copied = copier.copy(source);
    if (copied) continue;
    const int one = report(workspace, copied.error());
    status = worse(status, one);
    if (one != kInterrupted) continue;
    if (!workspace.options().json) {
      workspace.io().error_line("berth: what came so far is kept: the same command takes it up");
    }
    status = one;
    break;
  }
  if (workspace.options().json) workspace.io().print(copier.json());
  return status;
}

}  // namespace berth::cli
