// SPDX-License-Identifier: Apache-2.0
#include "content/layout_writer.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include <fmt/core.h>

#include "berth/base/atomic_file.hpp"
#include "berth/base/fd.hpp"
#include "berth/base/try.hpp"
#include "berth/digest/hasher.hpp"
#include "berth/oci/layout.hpp"

#include "content/layout_folder.hpp"

namespace berth::content {
namespace {

constexpr mode_t kFolderMode = 0755;
constexpr mode_t kFileMode = 0644;

// A file system without locks is written without one.
void lock_file(const Fd& fd) {
  while (::flock(fd.get(), LOCK_EX) != 0 && errno == EINTR) {
  }
}

// Made only where nothing is: a folder full of other files is somebody's, not a layout.
Result<void> make_layout(const std::filesystem::path& layout) {
  TRY(make_directories(layout, kFolderMode));
  std::error_code error;
  const bool is_ours = std::filesystem::is_empty(layout, error) ||
                       std::filesystem::exists(layout_marker(layout), error) ||
                       std::filesystem::exists(layout / "blobs", error);
  if (error) return Error(Errc::io, fmt::format("'{}': {}", layout.string(), error.message()));
  if (!is_ours) {
    return Error(Errc::conflict,
                 fmt::format("'{}' holds files and is not an OCI image layout; name an empty or a "
                             "new folder",
                             layout.string()));
  }
  // Not through a rename: locks are on this file, so it must never be replaced.
  const Fd marker = TRY(open_at(AT_FDCWD, layout_marker(layout), O_RDWR | O_CREAT, kFileMode));
  lock_file(marker);
  struct stat st{};
  if (::fstat(marker.get(), &st) == 0 && st.st_size > 0) return {};
  return write_all(marker.get(), as_bytes(oci::kLayoutFile));
}

Result<Fd> lock_layout(const std::filesystem::path& layout) {
  Fd fd = TRY(open_at(AT_FDCWD, layout_marker(layout), O_RDWR));
  lock_file(fd);
  return fd;
}

const std::string* ref_name(const oci::Descriptor& descriptor) {
  return oci::find_annotation(descriptor.annotations, oci::annotation::kRefName);
}

void drop_ref_name(oci::Descriptor& descriptor) {
  std::erase_if(descriptor.annotations,
                [](const auto& pair) { return pair.first == oci::annotation::kRefName; });
}

void add_to(std::vector<oci::Descriptor>& index, const oci::Descriptor& descriptor) {
  if (const std::string* name = ref_name(descriptor)) {
    for (oci::Descriptor& other : index) {
      const std::string* others = ref_name(other);
      if (others != nullptr && *others == *name) drop_ref_name(other);
    }
  }
  // An entry without a name is there only to be found: one of its digest is enough.
  const auto nameless = std::ranges::find_if(index, [&](const oci::Descriptor& other) {
    return other.digest == descriptor.digest && ref_name(other) == nullptr;
  });
  if (ref_name(descriptor) != nullptr) {
    if (nameless != index.end()) {
      *nameless = descriptor;
    } else {
      index.push_back(descriptor);
    }
  } else if (std::ranges::find(index, descriptor.digest, &oci::Descriptor::digest) == index.end()) {
    index.push_back(descriptor);
  }
}

}  // namespace

Result<LayoutWriter> LayoutWriter::open(const std::filesystem::path& layout) {
  auto checked = check_layout(layout);
  if (!checked && checked.error().code() == Errc::unsupported) return std::move(checked).error();
  if (!checked) {  // not there, or another process is just making it
    TRY(make_layout(layout));
    TRY(check_layout(layout));
  }
  return LayoutWriter(layout);
}

std::filesystem::path LayoutWriter::blob(const Digest& digest) const {
  return layout_blob(layout_, digest);
}

Result<bool> LayoutWriter::holds(const Digest& digest, std::uint64_t size,
                                 const Context& context) const {
  auto fd = open_at(AT_FDCWD, blob(digest), O_RDONLY);
  if (!fd && fd.error().code() == Errc::not_found) return false;
  if (!fd) return std::move(fd).error();
  struct stat st{};
  if (::fstat(fd->get(), &st) != 0 || !S_ISREG(st.st_mode) ||
      static_cast<std::uint64_t>(st.st_size) != size) {
    return false;
  }
  Hasher hasher = TRY(Hasher::create(digest.algorithm()));
  TRY(update_from_file(hasher, fd->get(), size, context));
  return std::move(hasher).finish() == digest;
}

Result<void> LayoutWriter::make_folder(const Digest& digest) const {
  return make_directories(blob(digest).parent_path(), kFolderMode);
}

Result<void> LayoutWriter::put(const Digest& digest, std::string_view bytes) const {
  TRY(make_folder(digest));
  return write_file_atomically(blob(digest), bytes, kFileMode);
}

Result<void> LayoutWriter::add(const std::vector<oci::Descriptor>& descriptors) const {
  const Fd lock = TRY(lock_layout(layout_));
  std::vector<oci::Descriptor> index;
  auto existing = read_layout_index(layout_);
  if (existing) {
    index = *std::move(existing);
  } else if (existing.error().code() != Errc::not_found) {
    return std::move(existing).error();
  }
  for (const oci::Descriptor& descriptor : descriptors) add_to(index, descriptor);
  return write_file_atomically(layout_index(layout_), oci::write_index(index), kFileMode);
}

}  // namespace berth::content
