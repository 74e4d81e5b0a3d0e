// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>

#include <fmt/core.h>

#include "berth/base/fd.hpp"
#include "berth/base/sync.hpp"
#include "berth/base/try.hpp"
#include "berth/content/source.hpp"
#include "berth/oci/media_type.hpp"
#include "berth/oci/reference.hpp"

#include "content/layout_folder.hpp"

namespace berth::content {
namespace {

using Descriptors = std::vector<oci::Descriptor>;

/// index.json as it was read, and what was learned from it.
struct Snapshot {
  std::string identity;  ///< of the file: another one means read it again
  std::vector<Indexed> manifests;
  std::optional<std::map<Digest, Descriptors>> referrers;  ///< by subject; built when first asked
};

/// The tag of "docker.io/library/hello:v1"; "" of what has none.
std::string tag_of_full_name(std::string_view name) {
  name = name.substr(0, name.find('@'));
  const auto colon = name.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return "";
  const std::string_view tag = name.substr(colon + 1);
  return oci::is_tag(tag) ? std::string(tag) : "";
}

/// How one entry of index.json is named.
struct Name {
  std::string tag;
  bool full = false;  ///< the tag of a full name: another image's may have the same
};

// containerd's ref.name is the tag alone, also of images whose repositories differ: there its
// annotation with the full name tells them apart.
Name name_of(const oci::Descriptor& descriptor) {
  const auto* ref = oci::find_annotation(descriptor.annotations, oci::annotation::kRefName);
  const auto* image =
      oci::find_annotation(descriptor.annotations, oci::annotation::kContainerdName);
  if (ref != nullptr && !oci::is_tag(*ref)) return {tag_of_full_name(*ref), true};
  const std::string of_image = image == nullptr ? "" : tag_of_full_name(*image);
  if (ref != nullptr) return {*ref, of_image == *ref};
  return {of_image, true};
}

// A plain tag is shown before the tag of a full name; of plain ones the first, as for skopeo. Where
// full names of different manifests end in one tag nobody could tell which is meant: none has it.
std::vector<Indexed> with_tags(Descriptors descriptors) {
  std::map<std::string, Digest> plain;
  std::map<std::string, std::set<Digest>> full;
  for (const oci::Descriptor& descriptor : descriptors) {
    const Name name = name_of(descriptor);
    if (name.full) {
      full[name.tag].insert(descriptor.digest);
    } else {
      plain.try_emplace(name.tag, descriptor.digest);
    }
  }
  std::vector<Indexed> named;
  named.reserve(descriptors.size());
  for (oci::Descriptor& descriptor : descriptors) {
    Name name = name_of(descriptor);
    const auto first = plain.find(name.tag);
    const bool shown =
        first != plain.end() ? first->second == descriptor.digest : full[name.tag].size() == 1;
    named.push_back({std::move(descriptor), shown ? std::move(name.tag) : ""});
  }
  return named;
}

/// A file as the body of a blob.
class FileBody final : public http::Body {
 public:
  FileBody(Fd fd, std::uint64_t offset, std::uint64_t length)
      : fd_(std::move(fd)),
        offset_(offset),
        left_(length) {}

  Result<ByteView> next(const Context& context) override {
    TRY(context.check());
    buffer_.resize(std::min<std::uint64_t>(left_, 256 * 1024));
    TRY(pread_exact(fd_.get(), buffer_, offset_));
    offset_ += buffer_.size();
    left_ -= buffer_.size();
    return ByteView(buffer_);
  }

 private:
  Fd fd_;
  std::uint64_t offset_;
  std::uint64_t left_;
  Bytes buffer_;
};

class LayoutSource final : public Source {
 public:
  explicit LayoutSource(std::filesystem::path folder)
      : folder_(std::move(folder)),
        name_("oci:" + folder_.string()) {}

  const std::string& name() const noexcept override { return name_; }
  Capabilities capabilities() const override { return {}; }

  Result<registry::Page> list_repositories(const std::string& /*from*/,
                                           const Context& /*context*/) override {
    return registry::Page{{""}, ""};
  }
  Result<registry::Page> list_tags(const std::string& repository, const std::string& from,
                                   const Context& context) override;
  Result<registry::ManifestHead> head_manifest(const std::string& repository,
                                               const std::string& reference,
                                               const Context& context) override;
  Result<registry::Client::RawManifest> get_manifest(const std::string& repository,
                                                     const std::string& reference,
                                                     const Context& context) override;
  Result<registry::BlobHead> head_blob(const std::string& repository, const Digest& digest,
                                       const Context& context) override;
  Result<registry::BlobStream> get_blob(const std::string& repository, const Digest& digest,
                                        std::uint64_t offset, std::optional<std::uint64_t> length,
                                        const Context& context) override;
  Result<Descriptors> referrers(const std::string& repository, const Digest& digest,
                                const Context& context) override;
  std::optional<std::filesystem::path> local_file(const Digest& digest) const override;
  Result<std::vector<Indexed>> indexed() override BERTH_EXCLUDES(mutex_);

  Result<void> refresh() BERTH_EXCLUDES(mutex_);

 private:
  struct Found {
    Digest digest;
    std::string media_type;  ///< "" when index.json does not name the digest
  };

  Result<Found> resolve(const std::string& repository, const std::string& reference);
  std::map<Digest, Descriptors> find_referrers(const std::vector<Indexed>& roots,
                                               const Context& context) const;
  Error missing(std::string_view kind, const std::string& what) const {
    return Error(Errc::not_found, fmt::format("{} {} is not in {}", kind, what, name_));
  }

  const std::filesystem::path folder_;
  const std::string name_;
  Mutex mutex_;
  Snapshot snapshot_ BERTH_GUARDED_BY(mutex_);
};

// Other tools replace index.json by renaming, or write it in place: either changes one of these.
Result<void> LayoutSource::refresh() {
  struct stat st{};
  const std::filesystem::path path = layout_index(folder_);
  if (stat(path.c_str(), &st) != 0) return Error::from_errno(errno, path.string());
  std::string identity = fmt::format("{}:{}:{}.{}:{}.{}", st.st_ino, st.st_size, st.st_mtim.tv_sec,
                                     st.st_mtim.tv_nsec, st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
  MutexLock lock(mutex_);
  if (snapshot_.identity == identity) return {};
  auto manifests = TRY(read_layout_index(folder_));
  snapshot_ = {std::move(identity), with_tags(std::move(manifests)), std::nullopt};
  return {};
}

Result<std::vector<Indexed>> LayoutSource::indexed() {
  TRY(refresh());
  MutexLock lock(mutex_);
  return snapshot_.manifests;
}

Result<registry::Page> LayoutSource::list_tags(const std::string& repository,
                                               const std::string& /*from*/,
                                               const Context& /*context*/) {
  if (!repository.empty()) return missing("repository", repository);
  std::set<std::string> tags;
  for (const Indexed& entry : TRY(indexed())) {
    if (!entry.tag.empty()) tags.insert(entry.tag);
  }
  return registry::Page{{tags.begin(), tags.end()}, ""};
}

Result<LayoutSource::Found> LayoutSource::resolve(const std::string& repository,
                                                  const std::string& reference) {
  if (!repository.empty()) return missing("repository", repository);
  TRY(refresh());
  std::optional<Digest> digest;
  if (reference.find(':') != std::string::npos) digest = TRY(Digest::parse(reference));
  MutexLock lock(mutex_);
  const auto& entries = snapshot_.manifests;
  const auto entry = std::ranges::find_if(entries, [&](const Indexed& one) {
    return digest ? one.descriptor.digest == *digest : one.tag == reference;
  });
  if (entry != entries.end()) return Found{entry->descriptor.digest, entry->descriptor.media_type};
  if (!digest) return missing("tag", reference);
  return Found{*std::move(digest), ""};
}

Result<registry::ManifestHead> LayoutSource::head_manifest(const std::string& repository,
                                                           const std::string& reference,
                                                           const Context& context) {
  auto manifest = TRY(get_manifest(repository, reference, context));
  return registry::ManifestHead{manifest.digest, manifest.raw.size(),
                                std::move(manifest.media_type), ""};
}

Result<registry::Client::RawManifest> LayoutSource::get_manifest(const std::string& repository,
                                                                 const std::string& reference,
                                                                 const Context& context) {
  TRY(context.check());
  const Found found = TRY(resolve(repository, reference));
  auto manifest = read_layout_manifest(folder_, found.digest, found.media_type);
  if (!manifest && manifest.error().code() == Errc::not_found) {
    return missing("manifest", reference);
  }
  if (!manifest) return std::move(manifest).error();
  return registry::Client::RawManifest{std::move(manifest->raw), std::move(manifest->media_type),
                                       found.digest};
}

Result<registry::BlobHead> LayoutSource::head_blob(const std::string& repository,
                                                   const Digest& digest,
                                                   const Context& /*context*/) {
  if (!repository.empty()) return missing("repository", repository);
  struct stat st{};
  if (stat(layout_blob(folder_, digest).c_str(), &st) != 0 || !S_ISREG(st.st_mode)) {
    return missing("blob", digest.text());
  }
  return registry::BlobHead{static_cast<std::uint64_t>(st.st_size), true};
}

Result<registry::BlobStream> LayoutSource::get_blob(const std::string& repository,
                                                    const Digest& digest, std::uint64_t offset,
                                                    std::optional<std::uint64_t> length,
                                                    const Context& context) {
  const auto head = TRY(head_blob(repository, digest, context));
  const std::uint64_t total = head.size;
  if (offset > total) {
    return Error(Errc::invalid_argument,
                 fmt::format("blob {} of {} has no byte {}", digest.text(), name_, offset));
  }
  Fd fd = TRY(open_at(AT_FDCWD, layout_blob(folder_, digest), O_RDONLY));
  const std::uint64_t count = std::min(length.value_or(UINT64_MAX), total - offset);
  return registry::BlobStream{std::make_unique<FileBody>(std::move(fd), offset, count), offset,
                              count, total};
}

// No index of referrers is kept in a layout: every manifest that index.json leads to is asked for
// its subject, once for each state of index.json.
Result<Descriptors> LayoutSource::referrers(const std::string& repository, const Digest& digest,
                                            const Context& context) {
  if (!repository.empty()) return missing("repository", repository);
  TRY(refresh());
  MutexLock lock(mutex_);
  if (!snapshot_.referrers) {
    auto found = find_referrers(snapshot_.manifests, context);
    TRY(context.check());
    snapshot_.referrers = std::move(found);
  }
  const auto entry = snapshot_.referrers->find(digest);
  return entry == snapshot_.referrers->end() ? Descriptors() : entry->second;
}

std::map<Digest, Descriptors> LayoutSource::find_referrers(const std::vector<Indexed>& roots,
                                                           const Context& context) const {
  std::map<Digest, Descriptors> by_subject;
  std::set<Digest> visited;
  Descriptors queue;
  for (const Indexed& root : roots) queue.push_back(root.descriptor);
  while (!queue.empty() && visited.size() < oci::kDescriptorLimit && context.check()) {
    const oci::Descriptor descriptor = std::move(queue.back());
    queue.pop_back();
    if (!visited.insert(descriptor.digest).second) continue;
    auto manifest = read_layout_manifest(folder_, descriptor.digest, descriptor.media_type);
    if (!manifest) continue;
    auto document =
        oci::parse_manifest(std::move(manifest->raw), manifest->media_type, descriptor.digest);
    if (!document) continue;
    if (const oci::Index* index = document->index()) {
      queue.insert(queue.end(), index->manifests.begin(), index->manifests.end());
    }
    if (const auto& subject = document->subject()) {
      oci::Descriptor referrer = document->descriptor();
      referrer.artifact_type = document->artifact_type();
      referrer.annotations = document->annotations();
      by_subject[subject->digest].push_back(std::move(referrer));
    }
  }
  for (auto& [subject, descriptors] : by_subject) {
    std::ranges::sort(descriptors, {}, &oci::Descriptor::digest);
  }
  return by_subject;
}

std::optional<std::filesystem::path> LayoutSource::local_file(const Digest& digest) const {
  std::filesystem::path path = layout_blob(folder_, digest);
  struct stat st{};
  if (stat(path.c_str(), &st) != 0 || !S_ISREG(st.st_mode)) return std::nullopt;
  return path;
}

}  // namespace

Result<std::shared_ptr<Source>> open_layout(const std::filesystem::path& folder) {
  TRY(check_layout(folder));
  std::error_code error;
  std::filesystem::path absolute = std::filesystem::absolute(folder, error).lexically_normal();
  if (error) return Error(Errc::io, fmt::format("'{}': {}", folder.string(), error.message()));
  if (!absolute.has_filename()) absolute = absolute.parent_path();  // "dir/"
  auto source = std::make_shared<LayoutSource>(std::move(absolute));
  TRY(source->refresh());
  return source;
}

std::string describe_untagged(Source& layout, std::string_view place, const Context& context) {
  const auto entries = layout.indexed();
  if (!entries) return "";
  std::set<Digest> reached;
  std::vector<Digest> queue;
  for (const Indexed& entry : *entries) {
    if (!entry.tag.empty()) queue.push_back(entry.descriptor.digest);
  }
  const auto document = [&](const Digest& digest) -> Result<oci::ManifestDocument> {
    auto manifest = TRY(layout.get_manifest("", digest.text(), context));
    return oci::parse_manifest(std::move(manifest.raw), manifest.media_type, digest);
  };
  while (!queue.empty() && reached.size() < oci::kDescriptorLimit) {
    const Digest digest = std::move(queue.back());
    queue.pop_back();
    if (!reached.insert(digest).second) continue;
    const auto parsed = document(digest);
    if (!parsed || parsed->index() == nullptr) continue;
    for (const auto& child : parsed->index()->manifests) queue.push_back(child.digest);
  }
  std::size_t count = 0;
  std::string first;
  for (const Indexed& entry : *entries) {
    const Digest& digest = entry.descriptor.digest;
    if (!reached.insert(digest).second) continue;
    const auto parsed = document(digest);
    if (parsed && parsed->subject()) continue;  // it is among the referrers of that one
    if (count++ == 0) first = fmt::format("{}@{}", place, digest.text());
  }
  if (count == 0) return "";
  return count == 1 ? fmt::format("1 manifest has no tag: {}", first)
                    : fmt::format("{} manifests have no tag: {}, ...", count, first);
}

}  // namespace berth::content
