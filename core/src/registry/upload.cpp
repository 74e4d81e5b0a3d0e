// SPDX-License-Identifier: Apache-2.0
#include "berth/registry/upload.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "berth/base/fd.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

namespace berth::registry {
namespace {

// As large as the network's queue takes in one step, small enough to be hashed from the CPU's own
// cache.
constexpr std::size_t kBlock = std::size_t{256} * 1024;

class FileSource final : public BlobSource {
 public:
  FileSource(Fd fd, std::uint64_t size, std::string name)
      : fd_(std::move(fd)),
        size_(size),
        name_(std::move(name)),
        block_(std::make_unique_for_overwrite<std::byte[]>(kBlock)) {}

  std::optional<std::uint64_t> size() const override { return size_; }

  Result<ByteView> next(const Context& context) override {
    TRY(context.check());
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(kBlock, size_ - at_));
    if (auto read = pread_exact(fd_.get(), {block_.get(), count}, at_); !read) {
      return std::move(read).error().with_context(
          fmt::format("{} changed or cannot be read while it is sent", name_));
    }
    at_ += count;
    return ByteView(block_.get(), count);
  }

  Result<void> seek(std::uint64_t offset) override {
    at_ = offset;
    return {};
  }

 private:
  const Fd fd_;
  const std::uint64_t size_;
  const std::string name_;
  const std::unique_ptr<std::byte[]> block_;
  std::uint64_t at_ = 0;
};

class BytesSource final : public BlobSource {
 public:
  explicit BytesSource(ByteView bytes)
      : bytes_(bytes) {}

  std::optional<std::uint64_t> size() const override { return bytes_.size(); }

  Result<ByteView> next(const Context& context) override {
    TRY(context.check());
    const ByteView part = bytes_.subspan(at_, std::min(kBlock, bytes_.size() - at_));
    at_ += part.size();
    return part;
  }

  Result<void> seek(std::uint64_t offset) override {
    at_ = static_cast<std::size_t>(offset);
    return {};
  }

 private:
  const ByteView bytes_;
  std::size_t at_ = 0;
};

/// Keeps what it read last: bytes [start_, start_ + held_.size()) of the stream.
class StreamSource final : public BlobSource {
 public:
  StreamSource(StreamReader reader, std::optional<std::uint64_t> size, std::size_t window)
      : reader_(std::move(reader)),
        size_(size),
        window_(std::max(window, kBlock)) {}

  std::optional<std::uint64_t> size() const override { return size_; }

  Result<ByteView> next(const Context& context) override {
    TRY(context.check());
    if (at_ == end()) TRY(read(context));
    const auto from = static_cast<std::size_t>(at_ - start_);
    const ByteView part = ByteView(held_).subspan(from, std::min(kBlock, held_.size() - from));
    at_ += part.size();
    return part;
  }

  Result<void> seek(std::uint64_t offset) override {
    if (offset < start_ || offset > end()) {
      return Error(
          Errc::unsupported,
          fmt::format("byte {} of the stream must be sent again, and only those from {} to "
                      "{} are still held",
                      offset, start_, end()));
    }
    at_ = offset;
    return {};
  }

 private:
  std::uint64_t end() const noexcept { return start_ + held_.size(); }

  Result<void> read(const Context& context) {
    if (held_.size() >= 2 * window_) {
      const std::size_t drop = held_.size() - window_;
      held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(drop));
      start_ += drop;
    }
    const std::size_t before = held_.size();
    held_.resize(before + kBlock);
    auto got = reader_(std::span(held_).subspan(before), context);
    held_.resize(before + (got ? std::min(*got, kBlock) : 0));
    if (!got) return std::move(got).error();
    return {};
  }

  const StreamReader reader_;
  const std::optional<std::uint64_t> size_;
  const std::size_t window_;
  std::vector<std::byte> held_;
  std::uint64_t start_ = 0;
  std::uint64_t at_ = 0;
};

}  // namespace

Result<std::unique_ptr<BlobSource>> blob_of_file(const std::filesystem::path& path) {
  Fd fd = TRY(open_at(AT_FDCWD, path, O_RDONLY));
  const std::string name = text::escape_for_terminal(path.string());
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return Error::from_errno(errno, "stat of " + name);
  if (!S_ISREG(status.st_mode)) {
    return Error(Errc::invalid_argument,
                 fmt::format("{} is no regular file: give it as a stream", name));
  }
  (void)::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  return std::make_unique<FileSource>(std::move(fd), static_cast<std::uint64_t>(status.st_size),
                                      name);
}

std::unique_ptr<BlobSource> blob_of_bytes(ByteView bytes) {
  return std::make_unique<BytesSource>(bytes);
}

std::unique_ptr<BlobSource> blob_of_stream(StreamReader reader, std::optional<std::uint64_t> size,
                                           std::size_t window) {
  return std::make_unique<StreamSource>(std::move(reader), size, window);
}

}  // namespace berth::registry
