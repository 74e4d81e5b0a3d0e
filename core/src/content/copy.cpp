// SPDX-License-Identifier: Apache-2.0
#include "berth/content/copy.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include <fmt/core.h>

#include "berth/base/log.hpp"
#include "berth/base/try.hpp"

#include "content/byte_copy.hpp"
#include "content/copy_plan.hpp"
#include "content/crew.hpp"
#include "content/layout_writer.hpp"
#include "content/meter.hpp"
#include "content/new_file.hpp"

namespace berth::content {
namespace {

/// A download that was dropped for wrong bytes is begun again this often in all.
constexpr int kAttempts = 2;

bool on_one_file_system(const std::filesystem::path& one, const std::filesystem::path& other) {
  struct stat first{};
  struct stat second{};
  return ::stat(one.c_str(), &first) == 0 && ::stat(other.c_str(), &second) == 0 &&
         first.st_dev == second.st_dev;
}

Result<void> copy_to_new_file(BlobReader& reader, const std::filesystem::path& target,
                              const Arrived& progress, const Context& context) {
  NewFile file = TRY(NewFile::create(target));
  TRY(copy_bytes(reader, file, progress, context));
  return file.commit();
}

/// Copies the blobs of a plan with several threads.
class BlobCopier {
 public:
  BlobCopier(const CopyRequest& request, const LayoutWriter& layout, const CopyPlan& plan)
      : request_(request),
        layout_(layout),
        blobs_(plan.blobs),
        meter_(request.options.progress, plan.bytes),
        one_file_system_(on_one_file_system(request.store.cache().folder(), layout.folder())) {}

  Result<void> run();

 private:
  Result<void> copy(const oci::Descriptor& blob, const Context& context);
  Result<void> write(const oci::Descriptor& blob, std::uint64_t& moved, const Context& context);
  /// Lets the layout have what the cache has, without a copy. False: it must be copied.
  Result<bool> share(BlobReader& reader, const std::filesystem::path& target,
                     const Arrived& progress, const Context& context);

  const CopyRequest& request_;
  const LayoutWriter& layout_;
  const std::vector<oci::Descriptor>& blobs_;
  Meter meter_;
  std::atomic<bool> one_file_system_;  ///< the cache's and the layout's
};

Result<void> BlobCopier::run() {
  return work_together(
      request_.options.jobs, blobs_.size(), request_.context,
      [this](std::size_t i, const Context& context) { return copy(blobs_[i], context); });
}

Result<void> BlobCopier::copy(const oci::Descriptor& blob, const Context& context) {
  const bool held = TRY(layout_.holds(blob.digest, blob.size, context));
  if (held) {
    meter_.move(0, blob.size);
    return {};
  }
  std::uint64_t moved = 0;
  for (int attempt = 1;; ++attempt) {
    auto written = write(blob, moved, context);
    if (written) return {};
    if (written.error().code() == Errc::not_found && !blob.urls.empty()) {
      log::warning(fmt::format("the layer {} lies elsewhere and is left out: {}",
                               blob.digest.text(), written.error().message()));
      return {};
    }
    if (written.error().code() != Errc::digest_mismatch || attempt == kAttempts) return written;
    meter_.move(moved, 0);
    moved = 0;
  }
}

Result<void> BlobCopier::write(const oci::Descriptor& blob, std::uint64_t& moved,
                               const Context& context) {
  const auto reader = TRY(request_.store.open_blob(request_.source, request_.repository,
                                                   blob.digest, blob.size, context));
  TRY(layout_.make_folder(blob.digest));
  const auto progress = [&](std::uint64_t done) {
    meter_.move(moved, done);
    moved = done;
  };
  const std::filesystem::path target = layout_.blob(blob.digest);
  const bool shared = TRY(share(*reader, target, progress, context));
  if (shared) return {};
  return copy_to_new_file(*reader, target, progress, context);
}

// A layout's blobs are as immutable as the cache's: blocks of two files, or one file under two
// names, save the second writing and the second room (docs/decisions/0008).
Result<bool> BlobCopier::share(BlobReader& reader, const std::filesystem::path& target,
                               const Arrived& progress, const Context& context) {
  if (!one_file_system_) return false;
  const bool whole = TRY(await_in_cache(reader, progress, context));
  const auto file = whole ? reader.cache_file() : std::nullopt;
  if (!file) return false;
  NewFile clone = TRY(NewFile::create(target));
  if (clone_blob(reader, clone.fd())) {
    TRY(clone.commit());
    return true;
  }
  Fd own(::fcntl(*file, F_DUPFD_CLOEXEC, 0));
  if (own && NewFile::second_name(target, std::move(own)).commit()) return true;
  one_file_system_ =
      false;  // as bind mounts seem, and are not for this: the next is not waited for
  return false;
}

}  // namespace

Result<void> copy_to_layout(Store& store, const std::shared_ptr<Source>& source,
                            const std::string& repository, const Digest& digest,
                            const std::filesystem::path& layout, const std::string& tag,
                            const CopyOptions& options, const Context& context) {
  const CopyRequest request{store, source, repository, options, context};
  CopyPlan plan = TRY(plan_copy(request, digest));
  const LayoutWriter writer = TRY(LayoutWriter::open(layout));
  TRY(BlobCopier(request, writer, plan).run());
  for (const CopyPlan::ManifestCopy& manifest : plan.manifests) {
    TRY(writer.put(manifest.descriptor.digest, manifest.raw));
  }
  if (!tag.empty()) {
    std::erase_if(plan.roots.front().annotations,
                  [](const auto& pair) { return pair.first == oci::annotation::kRefName; });
    plan.roots.front().annotations.emplace_back(oci::annotation::kRefName, tag);
  }
  return writer.add(plan.roots);
}

Result<void> copy_to_file(BlobReader& reader, const std::filesystem::path& target,
                          const Progress& progress, const Context& context) {
  const auto tell = [&](std::uint64_t done) {
    if (progress) progress(done, reader.size());
  };
  return copy_to_new_file(reader, target, tell, context);
}

}  // namespace berth::content
