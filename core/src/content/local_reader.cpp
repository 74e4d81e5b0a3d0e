// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>

#include <fmt/core.h>

#include "berth/base/try.hpp"
#include "berth/digest/hasher.hpp"

#include "content/readers.hpp"

namespace berth::content {
namespace {

constexpr std::size_t kPiece = 256 * 1024;
/// Reads that arrive a little out of order are still hashed as they come.
constexpr std::uint64_t kCatchUp = 8 * 1024 * 1024;

// What a file was when it was hashed. Another program may change it: then these change too.
std::string identity_of(const struct stat& st, const Digest& digest) {
  return fmt::format("{}:{}:{}:{}.{}:{}.{}:{}", st.st_dev, st.st_ino, st.st_size, st.st_mtim.tv_sec,
                     st.st_mtim.tv_nsec, st.st_ctim.tv_sec, st.st_ctim.tv_nsec, digest.text());
}

class LocalReader final : public BlobReader {
 public:
  LocalReader(std::shared_ptr<Core> core, Fd fd, std::string name, std::string identity,
              const Digest& digest, std::uint64_t size, bool verified)
      : core_(std::move(core)),
        fd_(std::move(fd)),
        name_(std::move(name)),
        identity_(std::move(identity)),
        digest_(digest),
        size_(size),
        complete_(verified),
        verified_(verified) {}

  std::uint64_t size() const noexcept override { return size_; }
  bool complete() const noexcept override { return complete_; }

  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out,
                           const Context& context) override {
    if (offset >= size_) return std::size_t{0};
    out = out.first(std::min<std::uint64_t>(out.size(), size_ - offset));
    const ReadGuard guard(*reads_);
    TRY(check_first(offset, out.size(), context));
    TRY(pread_exact(fd_.get(), out, offset));
    TRY(hash_along(offset + out.size(), context));
    if (failed_) return wrong();
    return out.size();
  }

  std::optional<FileRange> file_range(std::uint64_t offset, std::uint64_t length) override {
    // Before it is verified every byte passes through read(), which hashes it.
    if (!verified_ || failed_ || offset + length > size_) return std::nullopt;
    return FileRange{fd_.get(), offset};
  }

 private:
  Result<void> check_first(std::uint64_t offset, std::uint64_t length, const Context& context) {
    if (failed_) return wrong();
    if (verified_ || (!core_->verifies_first(size_) && offset + length < size_)) return {};
    MutexLock lock(mutex_);
    return hash_to(size_, context);
  }

  // A program that reads from start to end has its bytes hashed while they are in the processor's
  // cache; one that jumps about pays at its end.
  Result<void> hash_along(std::uint64_t end, const Context& context) {
    if (verified_ || hashing_.exchange(true)) return {};
    Result<void> result;
    {
      MutexLock lock(mutex_);
      const std::uint64_t front = hasher_ ? hasher_->count() : 0;
      if (end > front && end - front <= kCatchUp) result = hash_to(end, context);
    }
    hashing_ = false;
    return result;
  }

  Result<void> hash_to(std::uint64_t end, const Context& context) BERTH_REQUIRES(mutex_) {
    if (verified_) return {};
    if (failed_) return wrong();
    if (!hasher_) hasher_ = TRY(Hasher::create(digest_.algorithm()));
    Bytes buffer(kPiece);
    while (hasher_->count() < end) {
      TRY(context.check());
      const std::span<std::byte> piece(
          buffer.data(), std::min<std::uint64_t>(buffer.size(), end - hasher_->count()));
      TRY(pread_exact(fd_.get(), piece, hasher_->count()));
      hasher_->update(piece);
    }
    return hasher_->count() == size_ ? finish() : Result<void>();
  }

  Result<void> finish() BERTH_REQUIRES(mutex_) {
    struct stat now{};
    const bool same = fstat(fd_.get(), &now) == 0 && identity_of(now, digest_) == identity_;
    if (same && Hasher(*hasher_).finish() == digest_) {
      verified_ = true;
      MutexLock lock(core_->mutex);
      core_->verified_files.insert(identity_);
      return {};
    }
    failed_ = true;
    ++core_->counting.digest_mismatches;
    core_->notifier.post(digest_, reads_);
    return wrong();
  }

  Error wrong() const {
    return Error(Errc::digest_mismatch,
                 fmt::format("{}: the file does not have the digest of its name", name_));
  }

  const std::shared_ptr<Core> core_;
  const Fd fd_;
  const std::string name_;
  const std::string identity_;
  const Digest digest_;
  const std::uint64_t size_;
  const bool complete_;
  const std::shared_ptr<ReadCount> reads_ = std::make_shared<ReadCount>();

  std::atomic<bool> verified_;
  std::atomic<bool> failed_ = false;
  std::atomic<bool> hashing_ = false;
  Mutex mutex_;
  std::optional<Hasher> hasher_ BERTH_GUARDED_BY(mutex_);
};

}  // namespace

Result<std::shared_ptr<BlobReader>> open_local_reader(std::shared_ptr<Core> core,
                                                      const std::filesystem::path& file,
                                                      std::string name, const Digest& digest,
                                                      std::uint64_t size) {
  Fd fd = TRY(open_at(AT_FDCWD, file, O_RDONLY));
  struct stat st{};
  if (fstat(fd.get(), &st) != 0) return Error::from_errno(errno, name);
  if (!S_ISREG(st.st_mode)) return Error(Errc::corrupt, fmt::format("{}: not a file", name));
  if (static_cast<std::uint64_t>(st.st_size) != size) {
    return Error(Errc::digest_mismatch,
                 fmt::format("{}: its descriptor promises {} bytes, the file has {}", name, size,
                             st.st_size));
  }
  std::string identity = identity_of(st, digest);
  bool verified = false;
  {
    MutexLock lock(core->mutex);
    verified = core->verified_files.contains(identity);
  }
  return std::make_shared<LocalReader>(std::move(core), std::move(fd), std::move(name),
                                       std::move(identity), digest, size, verified);
}

}  // namespace berth::content
