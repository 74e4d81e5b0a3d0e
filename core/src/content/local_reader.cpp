// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>

#include <fmt/core.h>

#include "berth/base/try.hpp"
#include "berth/digest/hasher.hpp"

#include "content/readers.hpp"
#include "content/turn.hpp"

namespace berth::content {
namespace {

/// Reads that arrive a little out of order are still hashed as they come.
constexpr std::uint64_t kCatchUp = 8 * 1024 * 1024;
/// As much is hashed by a thread that must not wait: a fraction of a millisecond.
constexpr std::uint64_t kAtOnce = 1024 * 1024;

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
  bool settled() const noexcept override { return verified_; }

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
    if (verified_ || (!core_->verifies_first(digest_, size_) && offset + length < size_)) return {};
    TRY(turns_.begin(context));
    const Turns::Held turn(turns_);
    if (context.is_nonblocking() && size_ - hashed() > kAtOnce) return would_block();
    return hash_to(size_, context);
  }

  // A program that reads from start to end has its bytes hashed while they are in the processor's
  // cache; one that jumps about pays at its end.
  Result<void> hash_along(std::uint64_t end, const Context& context) {
    if (verified_ || !turns_.try_begin()) return {};
    const Turns::Held turn(turns_);
    const std::uint64_t front = hashed();
    const std::uint64_t most = context.is_nonblocking() ? kAtOnce : kCatchUp;
    return end > front && end - front <= most ? hash_to(end, context) : Result<void>();
  }

  // From here on: with the turn.
  std::uint64_t hashed() const { return hasher_ ? hasher_->count() : 0; }

  Result<void> hash_to(std::uint64_t end, const Context& context) {
    if (verified_) return {};
    if (failed_) return wrong();
    if (!hasher_) hasher_ = TRY(Hasher::create(digest_.algorithm()));
    TRY(update_from_file(*hasher_, fd_.get(), end, context));
    return hasher_->count() == size_ ? finish() : Result<void>();
  }

  Result<void> finish() {
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

  static Error would_block() { return {Errc::would_block, "the file is to be hashed first"}; }
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
  Turns turns_;
  std::optional<Hasher> hasher_;  ///< belongs to whoever has the turn
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
