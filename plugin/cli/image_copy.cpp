// SPDX-License-Identifier: Apache-2.0
#include "image_copy.hpp"

#include <unistd.h>

#include <system_error>

#include "berth/base/fd.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/content/archive.hpp"
#include "berth/content/copy.hpp"
#include "berth/oci/reference.hpp"

#include "progress.hpp"

namespace berth::cli {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLayout = "oci:";
constexpr std::string_view kArchive = "oci-archive:";

bool is_place_of_files(const std::string& inside, std::string_view folder) {
  std::string_view text = inside;
  while (text.ends_with('/')) text.remove_suffix(1);
  return text.ends_with(folder);
}

std::string before(const std::string& inside, std::string_view folder) {
  std::string text = inside;
  while (text.ends_with('/')) text.pop_back();
  text.resize(text.size() - folder.size());
  return text;
}

/// Standard input, for a blob whose size nobody knows.
Result<std::size_t> read_some(int fd, std::span<std::byte> out) {
  for (;;) {
    const ssize_t got = ::read(fd, out.data(), out.size());
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return Error::from_errno(errno, "reading standard input");
  }
}

}  // namespace

namespace {

/// A layout or archive that is named without a tag: its only manifest, as for skopeo.
Result<void> take_only_manifest(tree::Tree::Meaning& meaning, const std::string& source) {
  const auto entries = TRY(meaning.source->indexed());
  for (const content::Indexed& entry : entries) {
    const Digest& digest = entry.descriptor.digest;
    if (meaning.digest && *meaning.digest != digest) {
      return Error{Errc::invalid_argument, source + " holds several manifests: name one of them, " +
                                               source + ":TAG or " + source + "@" +
                                               entries.front().descriptor.digest.text()};
    }
    meaning.digest = digest;
    if (meaning.tag.empty()) meaning.tag = entry.tag;
  }
  if (entries.empty()) return Error{Errc::not_found, source + " holds no manifest"};
  meaning.is_manifest = true;
  return {};
}

}  // namespace

bool ImageCopier::is_target(const std::string& target) {
  if (target.starts_with(kLayout) || target.starts_with(kArchive)) return true;
  const auto place = parse_place(target);
  return place && place->kind == Place::Kind::registry;
}

Result<void> ImageCopier::parse_registry_target() {
  const Place place = TRY(parse_place(command_.target));
  registry_ = place.registry;
  if (place.inside.empty() && command_.target.find_first_of(":/") == std::string::npos) {
    return Error{Errc::invalid_argument,
                 command_.target +
                     " is the name of a registry, and no place to copy to "
                     "(REGISTRY/REPOSITORY[:TAG]); a local file is written ./" +
                     command_.target};
  }
  for (const auto& [folder, kind] : {std::pair{std::string_view("/.blobs"), Kind::blobs},
                                     std::pair{std::string_view("/.manifests"), Kind::manifests}}) {
    if (!is_place_of_files(place.inside, folder)) continue;
    kind_ = kind;
    repository_ = before(place.inside, folder);
    if (oci::is_repository(repository_)) return {};
    return Error{Errc::invalid_argument,
                 command_.target + ": '" + repository_ + "' is no repository name"};
  }
  kind_ = Kind::repository;
  std::string text = command_.target;
  while (text.ends_with('/')) text.pop_back();
  const auto reference = oci::Reference::parse(text);
  if (!reference) {
    Error error = reference.error();
    return std::move(error).with_context(
        command_.target + " is no place to copy an image to (REGISTRY/REPOSITORY[:TAG])");
  }
  if (reference->digest) {
    return Error{Errc::invalid_argument,
                 command_.target + ": a digest follows from what is copied: name a tag, or none"};
  }
  repository_ = reference->repository;
  tag_ = reference->tag.value_or("");
  return {};
}

Result<void> ImageCopier::parse_target() {
  if (command_.target.starts_with(kArchive)) {
    kind_ = Kind::archive;
    const LayoutTarget target = TRY(parse_archive_target(command_.target));
    archive_ = target.folder;
    tag_ = target.tag;
    std::error_code ignored;
    if (fs::exists(archive_, ignored) && !command_.force) {
      return Error{Errc::conflict,
                   archive_.string() + " exists: remove it, or use -f to replace it"};
    }
    // Beside the archive: there is its room, and perhaps the cache's file system.
    const fs::path parent = archive_.has_parent_path() ? archive_.parent_path() : fs::path(".");
    scratch_.emplace(TRY(Scratch::create(parent)));
    folder_ = scratch_->path() / "layout";
    return {};
  }
  if (command_.target.starts_with(kLayout)) {
    const LayoutTarget target = TRY(parse_layout_target(command_.target));
    folder_ = target.folder;
    tag_ = target.tag;
    return {};
  }
  return parse_registry_target();
}

Result<void> ImageCopier::check() {
  TRY(parse_target());
  if (kind_ == Kind::blobs || kind_ == Kind::manifests) return {};
  std::map<std::string, std::pair<std::string, Digest>> tags;
  for (const std::string& source : command_.sources) {
    if (images_.contains(source)) continue;
    if (!tag_.empty() && !images_.empty()) return same_tag(tag_, source);
    const auto& image = images_.emplace(source, find_image(source)).first->second;
    if (!image || image->tag.empty() || !image->meaning.digest) continue;
    const Digest& digest = *image->meaning.digest;
    const auto [other, added] = tags.try_emplace(image->tag, source, digest);
    if (!added && other->second.second != digest) return same_tag(image->tag, source);
  }
  return {};
}

Error ImageCopier::same_tag(const std::string& tag, const std::string& source) const {
  const std::string where =
      tag_.empty() || !command_.target.ends_with(":" + tag_)
          ? command_.target
          : command_.target.substr(0, command_.target.size() - tag_.size() - 1);
  return {Errc::invalid_argument, source + " and another source would both become the tag " + tag +
                                      " of " + where + ": copy them one by one, each to " + where +
                                      ":TAG with a tag of its own"};
}

Result<ImageCopier::Image> ImageCopier::find_image(const std::string& source) {
  const auto place = parse_place(source);
  if (place && place->kind == Place::Kind::local && kind_ == Kind::repository) {
    return Image{.meaning = {}, .tag = tag_};  // a manifest's text
  }
  const Located located = TRY(workspace_.locate(source, false));
  auto meaning = TRY(located.tree->meaning(located.found.node, workspace_.context()));
  const bool kept =
      located.place.kind == Place::Kind::layout || located.place.kind == Place::Kind::archive;
  if (kept && located.place.inside.empty() && meaning.source) {
    TRY(take_only_manifest(meaning, source));
  }
  if (meaning.tag.empty() && !meaning.is_manifest) {
    return Error{Errc::invalid_argument,
                 source +
                     " is no tag or manifest: what is copied to a layout or a registry is an image "
                     "or artifact (REGISTRY/REPOSITORY:TAG)"};
  }
  if (!meaning.digest) return Error{Errc::internal, source + " has no digest"};
  std::string tag = tag_.empty() ? meaning.tag : tag_;
  return Image{std::move(meaning), std::move(tag)};
}

Result<ImageCopier::Done> ImageCopier::copy(const std::string& source) {
  if (kind_ == Kind::blobs || kind_ == Kind::manifests) return push_file(source);
  const auto& image = images_.at(source);
  if (!image) return image.error();
  if (!image->meaning.digest) return push_file(source);
  return copy_image(source, *image);
}

std::string ImageCopier::written_target(const std::string& tag, const Digest& digest) const {
  const std::string name = kind_ == Kind::archive  ? "oci-archive:" + archive_.string()
                           : kind_ == Kind::layout ? "oci:" + folder_.string()
                                                   : registry_ + "/" + repository_;
  if (!tag.empty()) return name + ":" + tag;
  return kind_ == Kind::layout || kind_ == Kind::archive ? name : name + "@" + digest.text();
}

Result<ImageCopier::Done> ImageCopier::copy_image(const std::string& source, const Image& image) {
  const auto& [meaning, tag] = image;
  ProgressBar bar(workspace_, source);
  content::CopyOptions options{
      .jobs = command_.jobs,
      .referrers = command_.referrers,
      .progress = [&](std::uint64_t done, std::uint64_t total) { bar.update(done, total); }};
  if (!workspace_.options().platform.empty()) {
    options.platform = TRY(oci::Platform::parse(workspace_.options().platform));
  }
  content::Hub* hub = TRY(workspace_.hub());
  Digest digest = *meaning.digest;
  if (kind_ == Kind::repository) {
    const auto target = TRY(hub->source(registry_));
    digest =
        TRY(content::copy_to_registry(hub->store(), meaning.source, meaning.repository, digest,
                                      target, repository_, tag, options, workspace_.context()));
  } else {
    TRY(content::copy_to_layout(hub->store(), meaning.source, meaning.repository, digest, folder_,
                                tag, options, workspace_.context()));
  }
  return Done{written_target(tag, digest), digest};
}

Result<ImageCopier::Done> ImageCopier::push_manifest(content::Changes& changes,
                                                     const std::string& source,
                                                     const std::string& tag) {
  const std::string text = TRY(read_file(source, oci::kManifestLimit));
  const auto pushed = changes.put_manifest(repository_, tag, text, "", workspace_.context());
  if (pushed) return Done{written_target(tag, pushed->digest), pushed->digest};
  // What the registry has against it says more than that it may be no manifest.
  if (pushed.error().code() != Errc::invalid_argument || pushed.error().http() != nullptr) {
    return pushed.error();
  }
  Error error = pushed.error();
  return std::move(error).with_context(source + " is no manifest; a blob is copied to " +
                                       registry_ + "/" + repository_ + "/.blobs/");
}

Result<ImageCopier::Done> ImageCopier::push_file(const std::string& source) {
  const Place place = TRY(parse_place(source));
  if (place.kind != Place::Kind::local) {
    return Error{Errc::invalid_argument,
                 source + ": into .blobs and .manifests go local files; an image is copied to " +
                     registry_ + "/" + repository_};
  }
  content::Hub* hub = TRY(workspace_.hub());
  const auto target = TRY(hub->source(registry_));
  content::Changes* changes = TRY(target->changes(workspace_.context()));
  if (kind_ != Kind::blobs) {
    auto done = push_manifest(*changes, place.path.string(), tag_);
    if (done) hub->store().note_change(registry_, repository_);
    return done;
  }
  std::unique_ptr<registry::BlobSource> bytes;
  if (place.is_standard_stream) {
    bytes = registry::blob_of_stream([&](std::span<std::byte> out, const Context&) {
      return read_some(workspace_.io().in(), out);
    });
  } else {
    bytes = TRY(registry::blob_of_file(place.path));
  }
  ProgressBar bar(workspace_, source);
  registry::UploadOptions options;
  const std::uint64_t total = bytes->size().value_or(0);
  options.progress = [&](std::uint64_t sent) { bar.update(sent, total); };
  const auto done = TRY(changes->push_blob(repository_, *bytes, options, workspace_.context()));
  hub->store().note_change(registry_, repository_);
  return Done{registry_ + "/" + repository_ + "@" + done.digest.text(), done.digest};
}

Result<void> ImageCopier::finish() {
  if (kind_ != Kind::archive) return {};
  std::error_code ignored;
  if (!fs::exists(folder_, ignored)) return {};  // nothing was copied
  return content::pack_layout(folder_, archive_, workspace_.context());
}

}  // namespace berth::cli
