// SPDX-License-Identifier: Apache-2.0
#include "cache/index_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "berth/base/try.hpp"
#include "berth/oci/layout.hpp"

#include "cache/append_file.hpp"
#include "cache/fault_point.hpp"
#include "cache/remembered_lines.hpp"

namespace berth::cache {
namespace {

constexpr const char* kIndex = "index.json";
constexpr const char* kLayout = "oci-layout";
constexpr std::size_t kLimit = 256 * 1024 * 1024;
constexpr int kDepth = 4;  // an index of indexes of images; deeper ones are not listed

/// Complete: the manifest and all that it names, down to the layers, are in blobs/. Each manifest
/// is read once, however many tags and indexes lead to it: a command that ends pays for this.
class Completeness {
 public:
  explicit Completeness(const Store& store)
      : store_(store) {}

  bool of(const Digest& digest, const std::string& media_type, int depth = kDepth) {
    const auto key = std::tuple(digest, media_type, depth);
    if (const auto known = known_.find(key); known != known_.end()) return known->second;
    return known_[key] = look(digest, media_type, depth);
  }

 private:
  bool look(const Digest& digest, const std::string& media_type, int depth) {
    if (depth == 0) return false;
    auto raw = read_file_at(store_.root(), blob_name(digest), oci::kManifestLimit);
    if (!raw) return false;
    const auto document = oci::parse_manifest(std::move(*raw), media_type, digest);
    if (!document) return false;
    const auto is_there = [this](const oci::Descriptor& named) {
      return has_blob(store_, named.digest);
    };
    if (const oci::Manifest* manifest = document->manifest()) {
      return is_there(manifest->config) && std::ranges::all_of(manifest->layers, is_there);
    }
    return std::ranges::all_of(document->index()->manifests, [&](const oci::Descriptor& child) {
      return of(child.digest, child.media_type, depth - 1);
    });
  }

  const Store& store_;
  std::map<std::tuple<Digest, std::string, int>, bool> known_;
};

Result<void> write_changed(Store& store, const char* name, const std::string& text) {
  if (const auto now = read_file_at(store.root(), name, kLimit); now && *now == text) return {};
  return replace_file(store, name, text);
}

// The tags of one repository, without what else is remembered of it: there may be thousands.
RepositoryRecords read_tags(const Store& store, const std::string& path) {
  RepositoryRecords records;
  const auto text = read_file_at(store.root(), path, kLimit);
  if (!text) return records;
  for_each_line(*text, [&records](std::string_view line) {
    if (line.starts_with("T ") || line.starts_with("D ")) records.apply(line);
  });
  return records;
}

void add_complete(const Store& store, const std::string& repository, const std::string& path,
                  Completeness& completeness, std::vector<oci::Descriptor>& listed) {
  for (const auto& [tag, value] : read_tags(store, path).tags) {
    struct stat info{};
    if (::fstatat(store.root(), blob_name(value.digest).c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 ||
        !completeness.of(value.digest, value.media_type)) {
      continue;
    }
    oci::Descriptor descriptor{.media_type = value.media_type,
                               .digest = value.digest,
                               .size = static_cast<std::uint64_t>(info.st_size),
                               .artifact_type = {},
                               .annotations = {},
                               .platform = {},
                               .urls = {}};
    descriptor.annotations.emplace_back(oci::annotation::kRefName, repository + ":" + tag);
    listed.push_back(std::move(descriptor));
  }
}

}  // namespace

Result<void> write_index(Store& store) {
  std::vector<oci::Descriptor> listed;
  Completeness completeness(store);
  for (const std::string& folder : names_in(store.root(), "remembered")) {
    const auto registry = name_of_file(folder, "");
    // A layout's blobs are read in place: none of its images is here.
    if (!registry || registry->empty() || registry->starts_with("oci:")) continue;
    for (const std::string& file : names_in(store.root(), "remembered/" + folder)) {
      const auto repository = name_of_file(file, ".records");
      if (!repository || repository->empty()) continue;
      add_complete(store, fmt::format("{}/{}", *registry, *repository),
                   fmt::format("remembered/{}/{}", folder, file), completeness, listed);
    }
  }
  std::ranges::sort(listed, {}, [](const oci::Descriptor& descriptor) {
    return descriptor.annotations.front().second;
  });
  if (store.folder().is_gone()) return {};
  fault_point("index.write");
  auto written = write_changed(store, kLayout, std::string(oci::kLayoutFile));
  if (written) written = write_changed(store, kIndex, oci::write_index(listed));
  // Somebody removes it meanwhile, and did not see these come: they would stay alone, and keep
  // the folder.
  if (!store.folder().is_gone()) return written;
  for (const char* name : {kLayout, kIndex}) ::unlinkat(store.root(), name, 0);
  return {};
}

}  // namespace berth::cache
