// SPDX-License-Identifier: Apache-2.0
#include "unit/cache/disk.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "berth/base/bytes.hpp"
#include "berth/base/fd.hpp"

#include "support/temp_dir.hpp"

namespace berth::cache::test {
namespace {

namespace fs = std::filesystem;

// Set before anything forks; empty: nobody looks.
fs::path kept_folder;
std::atomic<int> count = 0;

std::string content_of(int fd) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return {};
  std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
  // By its name: the descriptor may be write-only.
  const int reading = ::open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDONLY | O_CLOEXEC);
  const ssize_t got = ::pread(reading, bytes.data(), bytes.size(), 0);
  ::close(reading);
  bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return bytes;
}

fs::path kept_name(const struct stat& info) { return kept_folder / std::to_string(info.st_ino); }

int seen(int fd, long call) {
  ++count;
  std::error_code ignored;
  const fs::path path = fs::read_symlink("/proc/self/fd/" + std::to_string(fd), ignored);
  struct stat info{};
  if (!kept_folder.empty() && path.filename() == "data" && ::fstat(fd, &info) == 0) {
    std::ofstream(kept_name(info), std::ios::binary) << content_of(fd);
  }
  return static_cast<int>(::syscall(call, fd));
}

}  // namespace

Disk::Disk(const fs::path& kept) {
  fs::create_directories(kept);
  kept_folder = kept;
  count = 0;
}
Disk::~Disk() { kept_folder.clear(); }

int Disk::syncs() { return count; }

bool Disk::has(const fs::path& data) const {
  struct stat info{};
  return ::stat(data.c_str(), &info) == 0 && fs::exists(kept_name(info));
}

void Disk::lose_unsynced(const fs::path& data) const {
  struct stat info{};
  ASSERT_EQ(::stat(data.c_str(), &info), 0);
  std::string bytes;
  if (std::ifstream kept(kept_name(info), std::ios::binary); kept) {
    bytes.assign(std::istreambuf_iterator<char>(kept), {});
  }
  bytes.resize(static_cast<std::size_t>(info.st_size), '\0');
  const Fd file(::open(data.c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(pwrite_all(file.get(), as_bytes(bytes), 0));
}

namespace {

TEST(DiskTest, KeepsWhatWasSyncedAndLosesTheRest) {
  const berth::test::TempDir dir;
  const Disk disk(dir / "disk");
  const fs::path data = dir / "data";
  const auto file = open_at(AT_FDCWD, data, O_RDWR | O_CREAT);
  ASSERT_TRUE(pwrite_all(file->get(), as_bytes("kept"), 0));
  EXPECT_FALSE(disk.has(data));
  EXPECT_EQ(::fdatasync(file->get()), 0);
  EXPECT_EQ(Disk::syncs(), 1);
  ASSERT_TRUE(pwrite_all(file->get(), as_bytes("lost"), 4));
  disk.lose_unsynced(data);
  EXPECT_EQ(content_of(file->get()), std::string("kept\0\0\0\0", 8));
}

}  // namespace
}  // namespace berth::cache::test

// In the place of libc's, for the whole program.
extern "C" {
int fsync(int fd) { return berth::cache::test::seen(fd, SYS_fsync); }
int fdatasync(int fd) { return berth::cache::test::seen(fd, SYS_fdatasync); }
int syncfs(int fd) noexcept { return berth::cache::test::seen(fd, SYS_syncfs); }
}
