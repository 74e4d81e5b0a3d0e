// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/try.hpp"
#include "berth/digest/hasher.hpp"

#include "cache/fault_point.hpp"
#include "cache/shared_file.hpp"
#include "cache/store.hpp"

namespace berth::cache {
namespace {

// Linked but not synced when the machine ended: its bytes are whatever reached the disk.
Result<bool> verify_again(Store& store, const Blob& blob, const struct stat& info,
                          const Context& context) {
  if (store.journal().trusts(blob.digest, info)) return true;
  fault_point("blob.hash");
  auto verified = verify_file(blob.fd.get(), blob.digest, nullptr, context);
  if (!verified && verified.error().code() != Errc::digest_mismatch) {
    return std::move(verified).error();
  }
  if (!verified) {
    log::warning(
        fmt::format("cache: dropped {}: {}", blob.digest.text(), verified.error().message()));
    drop_blob(store, blob.digest);
    return false;
  }
  store.journal().trust(blob.digest);
  if (store.folder().read_only()) return true;
  // Without room for its line the next process hashes it again, and nothing else.
  auto room = Room::take(store, kSlack);
  if (!room) return true;
  if (const auto grown = store.journal().add(blob.digest)) {
    room->spend(*grown);
    // Its time becomes one of this boot: the next sync point covers it for good.
    static_cast<void>(seal(blob.fd.get(), Seal::now));
  }
  return true;
}

Result<bool> trust(Store& store, const Blob& blob, const struct stat& info,
                   const Context& context) {
  if (store.journal().trusts(blob.digest, info)) return true;
  if (context.is_nonblocking()) {
    return Error(Errc::would_block, fmt::format("{} is to be hashed first", blob.digest.text()));
  }
  return store.hashing.run(blob.digest.text(), context,
                           [&] { return verify_again(store, blob, info, context); });
}

// Where O_TMPFILE is not known (overlays, network file systems) a named file does.
Result<Fd> unnamed_file(Store& store, const std::string& folder, std::string& name) {
  auto fd = open_at(store.root(), folder, O_TMPFILE | O_RDWR, 0600);
  if (fd) return fd;
  name = fmt::format("ingest/{}", temporary_name("put"));
  return open_at(store.root(), name, O_RDWR | O_CREAT | O_EXCL);
}

Result<void> link_unnamed(Store& store, const Digest& digest, int fd, const std::string& name) {
  const std::string target = blob_name(digest);
  const std::string source = fmt::format("/proc/self/fd/{}", fd);
  const int result =
      name.empty()
          ? ::linkat(AT_FDCWD, source.c_str(), store.root(), target.c_str(), AT_SYMLINK_FOLLOW)
          : ::linkat(store.root(), name.c_str(), store.root(), target.c_str(), 0);
  const int error = errno;
  if (!name.empty()) ::unlinkat(store.root(), name.c_str(), 0);
  if (result == 0 || error == EEXIST) return {};
  return Error::from_errno(error, fmt::format("storing {} in the cache", digest.text()));
}

}  // namespace

Result<void> verify_file(int fd, const Digest& digest,
                         const std::function<void(std::uint64_t)>& progress,
                         const Context& context) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) {
    return Error::from_errno(errno, fmt::format("looking at {} in the cache", digest.text()));
  }
  Hasher hasher = TRY(Hasher::create(digest.algorithm()));
  TRY(update_from_file(hasher, fd, static_cast<std::uint64_t>(info.st_size), context, progress));
  const Digest found = std::move(hasher).finish();
  if (found == digest) return {};
  return Error(
      Errc::digest_mismatch,
      fmt::format("the cached blob has the digest {} instead of its name's", found.text()));
}

Result<std::optional<Blob>> find_blob(Store& store, const Digest& digest, const Context& context) {
  auto fd = open_at(store.root(), blob_name(digest), O_RDONLY | O_NOFOLLOW);
  if (!fd && fd.error().code() == Errc::not_found) return std::optional<Blob>();
  if (!fd) return std::move(fd).error();
  // A lock that cannot be had is the evictor's: then the blob is as good as gone.
  if (::flock(fd->get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return std::optional<Blob>();
  }
  struct stat info{};
  if (::fstat(fd->get(), &info) != 0) {
    return Error::from_errno(errno, fmt::format("looking at {} in the cache", digest.text()));
  }
  if (info.st_nlink == 0 || !S_ISREG(info.st_mode)) return std::optional<Blob>();
  Blob blob{digest, static_cast<std::uint64_t>(info.st_size), std::move(*fd)};
  if (!TRY(trust(store, blob, info, context))) return std::optional<Blob>();
  store.recency().touch(digest);
  return std::optional<Blob>(std::move(blob));
}

bool has_blob(const Store& store, const Digest& digest) {
  return ::faccessat(store.root(), blob_name(digest).c_str(), F_OK, 0) == 0;
}

Result<void> put_blob(Store& store, const Digest& digest, ByteView bytes) {
  TRY(store.check_writable());
  const std::string folder = fmt::format("blobs/{}", digest.algorithm_name());
  Room room = TRY(Room::take(store, bytes.size() + 2 * kSlack));
  const FolderGrowth growth(store.root(), folder.c_str());
  std::string name;
  Fd fd = TRY(unnamed_file(store, folder, name));
  auto written = pwrite_all(fd.get(), bytes, 0);
  if (written) written = seal(fd.get(), Seal::before_name);
  if (!written) {
    if (!name.empty()) ::unlinkat(store.root(), name.c_str(), 0);
    return std::move(written).error().with_context(
        fmt::format("storing {} in the cache", digest.text()));
  }
  room.spend(TRY(store.journal().add(digest)));
  fault_point("put.link");
  TRY(link_unnamed(store, digest, fd.get(), name));
  static_cast<void>(
      seal(fd.get(), Seal::now));  // or it is hashed once more after the machine's end
  struct stat info{};
  const bool linked = ::fstat(fd.get(), &info) == 0 && info.st_nlink > 0;
  room.spend(growth.bytes() + (linked ? allocated(info) : 0));
  store.index_stale = true;
  store.recency().touch(digest);
  return {};
}

Result<bool> link_blob(Store& store, Room& room, const Digest& digest, int fd,
                       const std::string& name) {
  const std::string folder = fmt::format("blobs/{}", digest.algorithm_name());
  const FolderGrowth growth(store.root(), folder.c_str());
  TRY(seal(fd, Seal::before_name));
  room.spend(TRY(store.journal().add(digest)));
  fault_point("publish.rename");
  const std::string target = blob_name(digest);
  int result =
      ::renameat2(store.root(), name.c_str(), store.root(), target.c_str(), RENAME_NOREPLACE);
  if (result != 0 && errno == EINVAL) {  // a file system without that flag
    result = ::linkat(store.root(), name.c_str(), store.root(), target.c_str(), 0);
    if (result == 0) ::unlinkat(store.root(), name.c_str(), 0);
  }
  const int error = errno;
  room.spend(growth.bytes());
  if (result != 0 && error != EEXIST) {
    return Error::from_errno(error, fmt::format("storing {} in the cache", digest.text()));
  }
  if (result == 0) {
    static_cast<void>(seal(fd, Seal::now));
    store.index_stale = true;
  }
  store.recency().touch(digest);
  return result == 0;
}

void drop_blob(Store& store, const Digest& digest) {
  const std::string name = blob_name(digest);
  struct stat info{};
  store.quota().begin_change();
  if (::fstatat(store.root(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
      ::unlinkat(store.root(), name.c_str(), 0) == 0) {
    store.quota().release(allocated(info));
    store.index_stale = true;
  }
  store.quota().end_change();
}

std::vector<BlobFile> list_blobs(const Store& store) {
  std::vector<BlobFile> blobs;
  for (const char* algorithm : {"sha256", "sha384", "sha512"}) {
    for (const std::string& hex : names_in(store.root(), fmt::format("blobs/{}", algorithm))) {
      const auto digest = Digest::from_parts(algorithm, hex);
      struct stat info{};
      if (!digest ||
          ::fstatat(store.root(), blob_name(*digest).c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
        continue;
      }
      blobs.push_back({*digest, static_cast<std::uint64_t>(info.st_size), allocated(info),
                       info.st_ctim.tv_sec * 1'000'000LL + info.st_ctim.tv_nsec / 1000});
    }
  }
  return blobs;
}

}  // namespace berth::cache
