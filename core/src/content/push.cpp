// SPDX-License-Identifier: Apache-2.0
// Copies to a registry.
#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/try.hpp"
#include "berth/content/copy.hpp"

#include "content/copy_plan.hpp"
#include "content/crew.hpp"
#include "content/meter.hpp"

namespace berth::content {
namespace {

constexpr std::size_t kBlock = std::size_t{256} * 1024;

/// A blob of a source, opened when its first byte is wanted: what the target has already, or
/// mounts, is not fetched.
class FetchedBlob final : public registry::BlobSource {
 public:
  FetchedBlob(const CopyRequest& request, const oci::Descriptor& blob)
      : request_(request),
        blob_(blob) {}

  std::optional<std::uint64_t> size() const override { return blob_.size; }

  Result<ByteView> next(const Context& context) override {
    if (reader_ == nullptr) {
      reader_ = TRY(request_.store.open_blob(request_.source, request_.repository, blob_.digest,
                                             blob_.size, context));
      block_ = std::make_unique_for_overwrite<std::byte[]>(kBlock);
    }
    const std::size_t got = TRY(reader_->read(at_, {block_.get(), kBlock}, context));
    at_ += got;
    return ByteView(block_.get(), got);
  }

  Result<void> seek(std::uint64_t offset) override {
    at_ = offset;
    return {};
  }

 private:
  const CopyRequest& request_;
  const oci::Descriptor& blob_;
  std::shared_ptr<BlobReader> reader_;
  std::unique_ptr<std::byte[]> block_;
  std::uint64_t at_ = 0;
};

class Pusher {
 public:
  Pusher(const CopyRequest& request, const std::shared_ptr<Source>& target, Changes& changes,
         std::string repository, const CopyPlan& plan)
      : request_(request),
        target_(target),
        changes_(changes),
        repository_(std::move(repository)),
        plan_(plan),
        meter_(request.options.progress, plan.bytes) {}

  Result<void> push_blobs() {
    return work_together(
        request_.options.jobs, plan_.blobs.size(), request_.context,
        [this](std::size_t i, const Context& context) { return push(plan_.blobs[i], context); });
  }

  Result<void> push_manifests(const std::string& tag) {
    for (const CopyPlan::ManifestCopy& manifest : plan_.manifests) {
      const bool tagged = manifest.descriptor.digest == plan_.roots.front().digest && !tag.empty();
      TRY(changes_.put_manifest(repository_, tagged ? tag : manifest.descriptor.digest.text(),
                                manifest.raw, manifest.descriptor.media_type, request_.context));
      note(manifest.descriptor);
    }
    return {};
  }

 private:
  Result<void> push(const oci::Descriptor& blob, const Context& context) {
    FetchedBlob bytes(request_, blob);
    std::uint64_t moved = 0;
    registry::UploadOptions options;
    options.digest = blob.digest;
    options.look_first_above = 0;
    if (request_.source->name() == target_->name() && request_.repository != repository_) {
      options.mount_from = request_.repository;
    }
    options.progress = [&](std::uint64_t sent) {
      meter_.move(moved, sent);
      moved = sent;
    };
    auto done = changes_.push_blob(repository_, bytes, options, context);
    if (!done) {
      if (done.error().code() == Errc::not_found && !blob.urls.empty()) {
        log::warning(fmt::format("the layer {} lies elsewhere and is left out: {}",
                                 blob.digest.text(), done.error().message()));
        return {};
      }
      return std::move(done).error();
    }
    meter_.move(moved, blob.size);
    note(blob);
    return {};
  }

  /// Our own push shows that the repository has it.
  void note(const oci::Descriptor& descriptor) {
    request_.store.cache().remembered().set_seen(target_->name(), repository_, descriptor.digest,
                                                 descriptor.size, descriptor.media_type);
  }

  const CopyRequest& request_;
  const std::shared_ptr<Source>& target_;
  Changes& changes_;
  const std::string repository_;
  const CopyPlan& plan_;
  Meter meter_;
};

}  // namespace

Result<Digest> copy_to_registry(Store& store, const std::shared_ptr<Source>& source,
                                const std::string& repository, const Digest& digest,
                                const std::shared_ptr<Source>& target,
                                const std::string& target_repository, const std::string& tag,
                                const CopyOptions& options, const Context& context) {
  const CopyRequest request{store, source, repository, options, context};
  Changes* const changes = TRY(target->changes(context));
  const CopyPlan plan = TRY(plan_copy(request, digest));
  Pusher pusher(request, target, *changes, target_repository, plan);
  TRY(pusher.push_blobs());
  TRY(pusher.push_manifests(tag));
  store.note_change(target->name(), target_repository);
  return plan.roots.front().digest;
}

}  // namespace berth::content
