// SPDX-License-Identifier: Apache-2.0
// What the kernel makes of berthfs's answers, with a tree in memory behind them.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fstream>
#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/in_process_mount.hpp"
#include "e2e/mounted.hpp"

namespace berth::test {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

std::string read_all(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> list(const std::string& path) {
  std::vector<std::string> names;
  DIR* folder = ::opendir(path.c_str());
  if (folder == nullptr) return names;
  while (const dirent* entry = ::readdir(folder)) names.emplace_back(entry->d_name);
  ::closedir(folder);
  return names;
}

struct stat stat_of(const std::string& path) {
  struct stat out{};
  EXPECT_EQ(::lstat(path.c_str(), &out), 0) << path << ": " << std::strerror(errno);
  return out;
}

/// open(2) and read(2) of up to `size` bytes; -errno on failure.
long read_some(const std::string& path, std::size_t size = 16) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return -errno;
  std::string buffer(size, '\0');
  const ssize_t got = ::read(fd.get(), buffer.data(), size);
  return got < 0 ? -errno : got;
}

TEST(KernelTest, ThisMachineCanMount) {
  EXPECT_EQ(::access("/dev/fuse", R_OK | W_OK), 0)
      << "/dev/fuse is missing: load the fuse module, or give it to this container";
}

TEST(KernelTest, ShowsFoldersFilesAndLinks) {
  FakeView view;
  view.folder("repo");
  view.file("repo/manifest.json", "{}\n");
  view.link("repo/latest", "manifest.json");
  InProcessMount mount(view);
  EXPECT_THAT(list(mount.path("repo")), UnorderedElementsAre(".", "..", "manifest.json", "latest"));
  EXPECT_EQ(read_all(mount.path("repo/latest")), "{}\n");
  const struct stat file = stat_of(mount.path("repo/manifest.json"));
  EXPECT_EQ(file.st_mode, S_IFREG | 0644u);
  EXPECT_EQ(file.st_size, 3);
  EXPECT_EQ(file.st_blocks, 1);
  EXPECT_EQ(file.st_mtime, 1'700'000'000);
  EXPECT_EQ(file.st_uid, ::geteuid());
  EXPECT_EQ(stat_of(mount.path("repo")).st_mode, S_IFDIR | 0755u);
  EXPECT_EQ(stat_of(mount.path("repo/latest")).st_size, 13);
}

TEST(KernelTest, RefusesEveryChange) {
  FakeView view;
  view.file("f", "x");
  InProcessMount mount(view);
  EXPECT_EQ(::unlink(mount.path("f").c_str()), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(::mkdir(mount.path("d").c_str(), 0755), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(::open(mount.path("f").c_str(), O_WRONLY), -1);
  EXPECT_EQ(errno, EROFS);
}

TEST(KernelTest, AsksOnceForWhatNeverChanges) {
  FakeView view;
  view.link("latest", "target");
  InProcessMount mount(view);
  char target[16];
  for (int i = 0; i < 5; ++i) {
    stat_of(mount.path("latest"));
    ASSERT_EQ(::readlink(mount.path("latest").c_str(), target, sizeof target), 6);
    EXPECT_NE(::access(mount.path("absent").c_str(), F_OK), 0);
  }
  EXPECT_EQ(view.lookups, 2) << "one for the name, one for its absence";
  EXPECT_EQ(view.read_links, 1);
}

// S105
TEST(KernelTest, HasNoExtendedAttributes) {
  FakeView view;
  view.file("f", "x");
  InProcessMount mount(view);
  char value[16];
  EXPECT_EQ(::getxattr(mount.path("f").c_str(), "user.x", value, sizeof value), -1);
  EXPECT_EQ(errno, EOPNOTSUPP);
}

TEST(KernelTest, DfShowsTheQuota) {
  FakeView view;
  InProcessMount mount(view);
  struct statvfs usage{};
  ASSERT_EQ(::statvfs(mount.path().c_str(), &usage), 0);
  EXPECT_EQ(usage.f_blocks * usage.f_frsize, 40960u);
  EXPECT_EQ(usage.f_bavail * usage.f_frsize, 32768u);
}

TEST(KernelTest, AListingOfThousandsIsWhole) {
  FakeView view;
  for (int i = 0; i < 3000; ++i) view.link("tag-" + std::to_string(i), "target");
  InProcessMount mount(view);
  auto names = list(mount.path());
  EXPECT_EQ(names.size(), 3002u);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::unique(names.begin(), names.end()), names.end());
  EXPECT_EQ(view.lookups, 0) << "a listing costs nothing per entry";
}

TEST(KernelTest, SplicesFromAFile) {
  TempDir folder;
  std::string content;
  for (int i = 0; content.size() < 3'000'001; ++i) content += std::to_string(i) + ",";
  const auto path = folder.write("blob", content);
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  FakeView view;
  view.file("blob", content).fd = fd.get();
  InProcessMount mount(view);
  EXPECT_TRUE(read_all(mount.path("blob")) == content);
  EXPECT_LE(view.reads, 2) << "small ends may be copied";
}

TEST(KernelTest, AFileThatEndsTooEarlyIsAnErrorAndNotAnEnd) {
  TempDir folder;
  constexpr std::size_t kSize = 3'000'000;
  const std::string content(1'700'000, 'x');
  const auto path = folder.write("blob", content);
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  FakeView view;
  FakeNode& node = view.file("blob", content);
  node.fd = fd.get();
  node.length = kSize;
  InProcessMount mount(view);
  const Fd file(::open(mount.path("blob").c_str(), O_RDONLY | O_CLOEXEC));
  std::string got(kSize, '\0');
  std::size_t end = 0;
  ssize_t count = 0;
  while ((count = ::read(file.get(), got.data() + end, 100'000)) > 0) {
    end += static_cast<std::size_t>(count);
  }
  EXPECT_EQ(count, -1);
  EXPECT_EQ(errno, EIO);
  struct stat info{};
  ASSERT_EQ(::fstat(file.get(), &info), 0);
  EXPECT_EQ(static_cast<std::size_t>(info.st_size), kSize);
}

TEST(KernelTest, AReadThatWaitsHoldsUpNobody) {
  FakeView view;
  view.data.shut();
  for (int i = 0; i < 64; ++i) {
    const std::string name = "stalled" + std::to_string(i);
    view.file(name, std::string(256 * 1024, 'x'));
    view.stalled.insert(name);
  }
  view.file("here", "quick");
  InProcessMount mount(view);
  std::vector<std::future<long>> readers;
  for (int i = 0; i < 64; ++i) {
    readers.push_back(std::async(std::launch::async, [&mount, i] {
      return read_some(mount.path("stalled" + std::to_string(i)));
    }));
  }
  EXPECT_TRUE(view.data.await_waiting(64));
  EXPECT_EQ(read_all(mount.path("here")), "quick");
  EXPECT_EQ(list(mount.path()).size(), 67u);
  view.data.open();
  for (auto& reader : readers) EXPECT_EQ(reader.get(), 16);
}

TEST(KernelTest, AReadThatWaitsTooLongTimesOut) {
  FakeView view;
  view.data.shut();
  view.file("stalled", "x");
  view.stalled.insert("stalled");
  InProcessMount mount(view, {.timeout = std::chrono::milliseconds(50)});
  // The page cache has one errno for a page that did not come.
  EXPECT_EQ(read_some(mount.path("stalled")), -ETIMEDOUT);
  view.data.open();
  EXPECT_EQ(read_some(mount.path("stalled")), 1) << "a failure is not remembered";
}

TEST(KernelTest, ALookupThatWaitsTooLongTimesOut) {
  FakeView view;
  view.names.shut();
  InProcessMount mount(view, {.timeout = std::chrono::milliseconds(50)});
  EXPECT_EQ(::access(mount.path("x").c_str(), F_OK), -1);
  EXPECT_EQ(errno, ETIMEDOUT);
}

TEST(KernelTest, AKilledReaderEndsAtOnce) {
  FakeView view;
  view.names.shut();
  view.folder("f");
  InProcessMount mount(view);
  const std::string path = mount.path("f");
  const pid_t child = ::fork();
  if (child == 0) {
    ::access(path.c_str(), F_OK);
    ::_exit(0);
  }
  EXPECT_TRUE(view.names.await_waiting(1));
  ::kill(child, SIGINT);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
}

TEST(KernelTest, WrongBytesAreAnErrorAndNeverTheEnd) {
  FakeView view;
  view.file("f", std::string(8192, 'x'));
  view.read_error = Errc::digest_mismatch;
  InProcessMount mount(view);
  EXPECT_EQ(read_some(mount.path("f")), -EIO);
}

TEST(KernelTest, ADefectIsAnErrorOfTheCallAlone) {
  FakeView view;
  view.folder("f");
  view.throwing = true;
  InProcessMount mount(view);
  EXPECT_EQ(::access(mount.path("f").c_str(), F_OK), -1);
  EXPECT_EQ(errno, EIO);
  view.throwing = false;
  EXPECT_EQ(::access(mount.path("f").c_str(), F_OK), 0);
}

// S104
TEST(KernelTest, AToldMoveIsSeenAtOnce) {
  FakeView view;
  view.link("latest", "old");
  InProcessMount mount(view);
  char target[16] = {};
  ASSERT_EQ(::readlink(mount.path("latest").c_str(), target, sizeof target), 3);
  view.link("latest", "newer");
  ASSERT_EQ(::readlink(mount.path("latest").c_str(), target, sizeof target), 3) << "cached";
  mount.notifier().drop_name(view.root(), "latest");
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (::readlink(mount.path("latest").c_str(), target, sizeof target) != 5 &&
         std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }
  EXPECT_EQ(std::string_view(target, 5), "newer");
}

TEST(KernelTest, ARefreshAsksAgainForNamesThatMayHaveMoved) {
  FakeView view;
  view.link("latest", "old", std::chrono::hours(1));
  view.folder("content");
  InProcessMount mount(view);
  ASSERT_EQ(::access(mount.path("content").c_str(), F_OK), 0);
  char target[16] = {};
  ASSERT_EQ(::readlink(mount.path("latest").c_str(), target, sizeof target), 3);
  view.link("latest", "newer", std::chrono::hours(1));
  mount.notifier().expire_names();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (::readlink(mount.path("latest").c_str(), target, sizeof target) != 5 &&
         std::chrono::steady_clock::now() < end) {
    std::this_thread::yield();
  }
  EXPECT_EQ(std::string_view(target, 5), "newer");
  const int lookups = view.lookups;
  EXPECT_EQ(::access(mount.path("content").c_str(), F_OK), 0);
  EXPECT_EQ(view.lookups, lookups) << "what is for ever is not asked again";
}

/// Looks until the name is there: the kernel is told on another thread. Far less than its own time.
bool appears(const std::string& path) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (::access(path.c_str(), F_OK) != 0) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST(KernelTest, ANameThatCameIsSeenAfterARefreshAndAfterAListing) {
  FakeView view;
  view.negative = std::chrono::hours(1);
  view.folder("folder");
  InProcessMount mount(view);
  for (const char* name : {"a", "folder/b"}) {
    EXPECT_NE(::access(mount.path(name).c_str(), F_OK), 0);
    view.folder(name);
    const int lookups = view.lookups;
    EXPECT_NE(::access(mount.path(name).c_str(), F_OK), 0);
    EXPECT_EQ(view.lookups, lookups) << "the kernel keeps the absence";
  }
  EXPECT_THAT(list(mount.path("folder")), UnorderedElementsAre(".", "..", "b"));
  EXPECT_TRUE(appears(mount.path("folder/b")));
  EXPECT_NE(::access(mount.path("a").c_str(), F_OK), 0);
  mount.notifier().expire_names();
  EXPECT_TRUE(appears(mount.path("a")));
}

/// An open file "f" whose pages the kernel has, with bytes that are wrong; those behind it are
/// right.
class WrongPages {
 public:
  WrongPages() {
    char bytes[3];
    EXPECT_EQ(::pread(fd_.get(), bytes, sizeof bytes, 0), 3);
    view_.change("f", [](FakeNode& node) { node.content = "fix"; });
  }
  FakeView& view() { return view_; }
  InProcessMount& mount() { return mount_; }
  std::string read() {
    std::string bytes(3, ' ');
    EXPECT_EQ(::pread(fd_.get(), bytes.data(), bytes.size(), 0), 3);
    return bytes;
  }
  /// What is read within ten seconds of the word.
  std::string drop_and_read() {
    mount_.notifier().drop_content(digest_);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (read() != "fix" && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    return read();
  }

 private:
  FakeView& filled() {
    view_.file("f", "bad").keep_pages = false;
    view_.at("f").digest = digest_;
    return view_;
  }
  const Digest digest_ = *Digest::parse("sha256:" + std::string(64, 'a'));
  FakeView view_;
  InProcessMount mount_{filled()};
  const Fd fd_{::open(mount_.path("f").c_str(), O_RDONLY | O_CLOEXEC)};
};

TEST(KernelTest, DroppedPagesAreReadAgain) {
  WrongPages pages;
  ASSERT_EQ(pages.read(), "bad") << "a page of the kernel";
  EXPECT_EQ(pages.drop_and_read(), "fix");
}

TEST(KernelTest, PagesAreDroppedWhileALookupBesideThemWaits) {
  WrongPages pages;
  ASSERT_EQ(pages.read(), "bad") << "a page of the kernel";
  pages.view().names.shut();
  auto lookup = std::async(std::launch::async, [path = pages.mount().path("x")] {
    return ::access(path.c_str(), F_OK);
  });
  EXPECT_TRUE(pages.view().names.await_waiting(1));
  // The kernel answers this one when the lookup is answered.
  pages.mount().notifier().drop_name(pages.view().root(), "f");
  EXPECT_EQ(pages.drop_and_read(), "fix");
  pages.view().names.open();
  EXPECT_EQ(lookup.get(), -1);
}

TEST(KernelTest, PagesOfAFailedAttemptAreNotShownByALaterOpen) {
  FakeView view;
  view.file("f", "bad").keep_pages = false;
  InProcessMount mount(view);
  ASSERT_EQ(read_all(mount.path("f")), "bad");
  view.change("f", [](FakeNode& node) {
    node.content = "fix";
    node.keep_pages = true;  // complete and verified since
  });
  // The kernel tells of the end of the first open in its own time; until then pages are not kept.
  bool kept = false;
  for (int round = 0; round < 100 && !kept; ++round) {
    const int reads = view.reads;
    EXPECT_EQ(read_all(mount.path("f")), "fix");
    kept = view.reads == reads;
  }
  EXPECT_TRUE(kept) << "verified pages are kept";
}

TEST(KernelTest, PagesOfAFetchThatEndedWellAreKept) {
  FakeView view;
  FakeNode& file = view.file("f", "good");
  file.keep_pages = false;
  file.settles = true;
  InProcessMount mount(view);
  ASSERT_EQ(read_all(mount.path("f")), "good");
  view.change("f", [](FakeNode& node) { node.keep_pages = true; });
  // The kernel tells of the end of the first open in its own time.
  while (view.closed == 0) std::this_thread::yield();
  const int reads = view.reads;
  EXPECT_EQ(read_all(mount.path("f")), "good");
  EXPECT_EQ(view.reads, reads) << "the pages of the first open were good, and dropped";
}

TEST(KernelTest, EndsWhileReadersWait) {
  FakeView view;
  view.data.shut();
  const Digest digest = *Digest::parse("sha256:" + std::string(64, 'a'));
  view.file("stalled", "x").keep_pages = false;
  view.at("stalled").digest = digest;
  view.stalled.insert("stalled");
  auto mount = std::make_unique<InProcessMount>(view);
  auto reader = std::async(std::launch::async, [&] { return read_some(mount->path("stalled")); });
  ASSERT_TRUE(view.data.await_waiting(1));
  // A word that the kernel answers only after the read: the end must not wait for it either.
  mount->notifier().drop_content(digest);
  mount->session().end();
  EXPECT_LT(reader.get(), 0);
}

TEST(KernelTest, AnUnmountFromOutsideEndsTheSession) {
  FakeView view;
  InProcessMount mount(view);
  const int why = unmount_when_idle(mount.path());
  ASSERT_EQ(why, 0) << std::strerror(why);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!mount.gone() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_TRUE(mount.gone());
}

}  // namespace
}  // namespace berth::test
