// SPDX-License-Identifier: Apache-2.0
// Files that the kernel reads past berthfs (S120), with a tree in memory behind them.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "e2e/in_process_mount.hpp"

namespace berth::test {
namespace {

constexpr std::size_t kSize = 3 * 1024 * 1024 + 17;

/// A view with one file `f`, whose bytes are also in a file of their own.
struct Fixture {
  Fixture()
      : bytes(kSize, 'x'),
        cached(::memfd_create("cached", MFD_CLOEXEC)) {
    for (std::size_t i = 0; i < kSize; i += 4096) bytes[i] = static_cast<char>('a' + i / 4096 % 26);
    EXPECT_EQ(::pwrite(cached.get(), bytes.data(), bytes.size(), 0), static_cast<long>(kSize));
    view.file("f", bytes).cache_file = cached.get();
  }
  void set_cached(bool is) {
    view.change("f", [&](FakeNode& node) {
      node.cache_file = is ? cached.get() : -1;
      node.keep_pages = is;
    });
  }
  std::string bytes;
  Fd cached;
  FakeView view;
};

class PassthroughMountTest : public ::testing::Test {
 protected:
  /// Reads all of `f`, or of what is open already.
  std::string read_file(int open_file = -1) {
    const Fd own(open_file < 0 ? open_f().release() : -1);
    const int fd = open_file < 0 ? own.get() : open_file;
    std::string out(kSize + 1, '\0');
    std::size_t got = 0;
    while (got < out.size()) {
      const ssize_t count = ::pread(fd, &out[got], out.size() - got, static_cast<off_t>(got));
      if (count <= 0) break;
      got += static_cast<std::size_t>(count);
    }
    out.resize(got);
    return out;
  }
  Fd open_f() {
    const int fd = ::open(mount_->path("f").c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_GE(fd, 0) << std::strerror(errno);
    return Fd(fd);
  }
  void mount(bool passthrough = true) {
    mount_ = std::make_unique<InProcessMount>(own_.view, fuse::ServerOptions{}, passthrough);
  }
  /// False, and the test is over, where this machine has no passthrough.
  bool has_passthrough() {
    mount();
    read_file();
    return mount_->server().passthrough().active();
  }
  int reads() { return own_.view.reads; }

  Fixture own_;
  std::unique_ptr<InProcessMount> mount_;
};

#define NEEDS_PASSTHROUGH() \
  if (!has_passthrough()) GTEST_SKIP() << "needs Linux 6.9 with FUSE passthrough, and root"

TEST_F(PassthroughMountTest, TheKernelReadsACompleteFileItself) {
  NEEDS_PASSTHROUGH();
  EXPECT_EQ(read_file(), own_.bytes);
  EXPECT_EQ(reads(), 0);
}

TEST_F(PassthroughMountTest, TheSwitchTurnsItOff) {
  mount(false);
  EXPECT_EQ(read_file(), own_.bytes);
  EXPECT_GT(reads(), 0);
}

TEST_F(PassthroughMountTest, AMappedFileHasTheSameBytes) {
  NEEDS_PASSTHROUGH();
  const Fd file = open_f();
  void* const mapped = ::mmap(nullptr, kSize, PROT_READ, MAP_PRIVATE, file.get(), 0);
  ASSERT_NE(mapped, MAP_FAILED) << std::strerror(errno);
  EXPECT_EQ(std::memcmp(mapped, own_.bytes.data(), kSize), 0);
  ::munmap(mapped, kSize);
  EXPECT_EQ(reads(), 0);
}

TEST_F(PassthroughMountTest, AnOpenBesideOneThatIsServedIsServedToo) {
  NEEDS_PASSTHROUGH();
  own_.set_cached(false);
  const Fd first = open_f();
  own_.set_cached(true);
  const Fd second = open_f();
  EXPECT_EQ(read_file(first.get()), own_.bytes);
  const int before = reads();
  EXPECT_GT(before, 0);
  EXPECT_EQ(read_file(second.get()), own_.bytes);
}

TEST_F(PassthroughMountTest, AnOpenBesideOneThatGoesThroughGoesThroughToo) {
  NEEDS_PASSTHROUGH();
  const Fd first = open_f();
  own_.set_cached(false);
  const Fd second = open_f();
  EXPECT_EQ(read_file(second.get()), own_.bytes);
  EXPECT_EQ(read_file(first.get()), own_.bytes);
  EXPECT_EQ(reads(), 0);
}

TEST_F(PassthroughMountTest, OpensOfBothKindsAtOnceAllSucceed) {
  NEEDS_PASSTHROUGH();
  std::atomic<bool> done = false;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 6; ++i) {
    readers.emplace_back([&] {
      char got[64];
      while (!done) {
        const Fd file(::open(mount_->path("f").c_str(), O_RDONLY | O_CLOEXEC));
        const ssize_t count = file ? ::pread(file.get(), got, sizeof got, 8192) : -1;
        if (count != sizeof got || std::memcmp(got, &own_.bytes[8192], sizeof got) != 0) ++wrong;
      }
    });
  }
  for (int i = 0; i < 300; ++i) {
    own_.set_cached(i % 2 == 1);
    std::this_thread::yield();
    EXPECT_EQ(read_file().size(), kSize);
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(PassthroughMountTest, AFileThatTheKernelCannotTakeIsServed) {
  NEEDS_PASSTHROUGH();
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Fd from(ends[0]), to(ends[1]);
  own_.view.change("f", [&](FakeNode& node) { node.cache_file = from.get(); });
  EXPECT_EQ(read_file(), own_.bytes);
  EXPECT_GT(reads(), 0);
}

}  // namespace
}  // namespace berth::test
