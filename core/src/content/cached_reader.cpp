// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "berth/base/try.hpp"

#include "content/readers.hpp"

namespace berth::content {
namespace {

class CachedReader final : public BlobReader {
 public:
  CachedReader(std::shared_ptr<Core> core, cache::Blob blob)
      : core_(std::move(core)),
        blob_(std::move(blob)) {}

  std::uint64_t size() const noexcept override { return blob_.size; }
  bool complete() const noexcept override { return true; }

  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out,
                           const Context& /*context*/) override {
    if (offset >= blob_.size) return std::size_t{0};
    out = out.first(std::min<std::uint64_t>(out.size(), blob_.size - offset));
    TRY(pread_exact(blob_.fd.get(), out, offset));
    core_->counting.bytes_from_cache += out.size();
    return out.size();
  }

  std::optional<FileRange> file_range(std::uint64_t offset, std::uint64_t length) override {
    if (offset + length > blob_.size) return std::nullopt;
    core_->counting.bytes_from_cache += length;
    return FileRange{blob_.fd.get(), offset};
  }

  std::optional<int> cache_file() const override { return blob_.fd.get(); }

 private:
  const std::shared_ptr<Core> core_;
  const cache::Blob blob_;
};

class EmptyReader final : public BlobReader {
 public:
  std::uint64_t size() const noexcept override { return 0; }
  bool complete() const noexcept override { return true; }
  Result<std::size_t> read(std::uint64_t /*offset*/, std::span<std::byte> /*out*/,
                           const Context& /*context*/) override {
    return std::size_t{0};
  }
};

}  // namespace

std::shared_ptr<BlobReader> make_cached_reader(std::shared_ptr<Core> core, cache::Blob blob) {
  return std::make_shared<CachedReader>(std::move(core), std::move(blob));
}

std::shared_ptr<BlobReader> make_empty_reader() { return std::make_shared<EmptyReader>(); }

}  // namespace berth::content
