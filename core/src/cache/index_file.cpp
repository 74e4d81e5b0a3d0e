// SPDX-License-Identifier: Apache-2.0
#include "cache/index_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <utility>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/oci/layout.hpp"

#include "cache/append_file.hpp"

namespace berth::cache {
namespace {

constexpr const char* kImages = "images";
constexpr const char* kIndex = "index.json";
constexpr const char* kLayout = "oci-layout";
constexpr std::size_t kLimit = 16 * 1024 * 1024;
constexpr int kDepth = 4;  // an index of indexes of images; deeper ones are not listed

// The last line about a reference counts: a tag moves.
using Images = std::map<std::string, oci::Descriptor>;

Images read_images(const Store& store) {
  Images images;
  const auto text = read_file_at(store.root(), kImages, kLimit);
  if (!text) return images;
  for_each_line(*text, [&images](std::string_view line) {
    const auto fields = text::split(line, ' ');
    if (fields.size() != 4) return;
    const auto reference = text::percent_decode(fields[0]);
    const auto media_type = text::percent_decode(fields[1]);
    const auto digest = Digest::parse(fields[2]);
    const auto size = text::parse_unsigned(fields[3]);
    if (!reference || !media_type || !digest || !size) return;
    oci::Descriptor descriptor{.media_type = *media_type,
                               .digest = *digest,
                               .size = *size,
                               .artifact_type = {},
                               .annotations = {},
                               .platform = {},
                               .urls = {}};
    descriptor.annotations.emplace_back(oci::annotation::kRefName, *reference);
    images.insert_or_assign(*reference, std::move(descriptor));
  });
  return images;
}

// Complete: the manifest and all that it names, down to the layers, are in blobs/.
bool is_complete(const Store& store, const Digest& digest, const std::string& media_type,
                 int depth) {
  auto raw = read_file_at(store.root(), blob_name(digest), oci::kManifestLimit);
  if (!raw || depth == 0) return false;
  const auto document = oci::parse_manifest(std::move(*raw), media_type, digest);
  if (!document) return false;
  if (const oci::Manifest* manifest = document->manifest()) {
    if (!has_blob(store, manifest->config.digest)) return false;
    for (const oci::Descriptor& layer : manifest->layers) {
      if (!has_blob(store, layer.digest)) return false;
    }
    return true;
  }
  for (const oci::Descriptor& child : document->index()->manifests) {
    if (!is_complete(store, child.digest, child.media_type, depth - 1)) return false;
  }
  return true;
}

Result<void> write_changed(Store& store, const char* name, const std::string& text) {
  if (const auto now = read_file_at(store.root(), name, kLimit); now && *now == text) return {};
  return replace_file(store, name, text);
}

}  // namespace

void IndexFile::add(Store& store, const std::string& reference, const std::string& media_type,
                    const Digest& digest, std::uint64_t size) {
  const std::string line = fmt::format("{} {} {} {}\n", text::percent_encode(reference, "/:@"),
                                       text::percent_encode(media_type, "/+"), digest.text(), size);
  auto added = [&]() -> Result<void> {
    TRY(store.check_writable());
    MutexLock lock(mutex_);
    const auto images = read_images(store);
    const auto found = images.find(reference);
    if (found != images.end() && found->second.digest == digest) return {};
    Room room = TRY(Room::take(store, line.size() + kSlack));
    room.spend(TRY(append_lines(store.root(), kImages, line)));
    return {};
  }();
  if (!added) log::debug("cache: an image is not listed: " + added.error().describe());
}

Result<void> IndexFile::write(Store& store) {
  MutexLock lock(mutex_);
  std::vector<oci::Descriptor> listed;
  for (auto& [reference, descriptor] : read_images(store)) {
    if (is_complete(store, descriptor.digest, descriptor.media_type, kDepth)) {
      listed.push_back(std::move(descriptor));
    }
  }
  TRY(write_changed(store, kLayout, std::string(oci::kLayoutFile)));
  return write_changed(store, kIndex, oci::write_index(listed));
}

}  // namespace berth::cache
