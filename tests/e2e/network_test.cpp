// SPDX-License-Identifier: Apache-2.0
// A mount whose registry lies, breaks and stalls.
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "berth/base/fd.hpp"

#include "e2e/mounted.hpp"
#include "support/fake_registry.hpp"

namespace berth::test {
namespace {

constexpr std::size_t kLarge =
    9 * 1024 * 1024 + 123;  // beyond what is verified before its first byte
constexpr auto kSoon = std::chrono::seconds(20);

long read_start(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return -errno;
  char byte = 0;
  const ssize_t got = ::read(fd.get(), &byte, 1);
  return got < 0 ? -errno : got;
}

/// As read_start(), by a call that nobody else here makes: see await_held().
long read_start_and_be_seen(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return -errno;
  char byte = 0;
  const iovec into{&byte, 1};
  const ssize_t got = ::preadv(fd.get(), &into, 1, 0);
  return got < 0 ? -errno : got;
}

/// Waits until so many threads are in the kernel for read_start_and_be_seen(). What is asked after
/// that stands behind their requests in the kernel's queue.
bool await_held(std::size_t count) {
  const auto deadline = std::chrono::steady_clock::now() + kSoon;
  while (std::chrono::steady_clock::now() < deadline) {
    std::size_t held = 0;
    std::error_code gone;
    for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task", gone)) {
      long call = -1;
      std::ifstream(thread.path() / "syscall") >> call;
      held += call == SYS_preadv ? 1 : 0;
    }
    if (held == count) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

std::string blob_path(const Mounted& mount, const std::string& repository,
                      const std::string& digest) {
  return mount.path(repository + "/.blobs/sha256/" + digest.substr(digest.find(':') + 1));
}

TEST(NetworkTest, AFileIsTheBlobAndIsFetchedOnce) {
  FakeRegistry registry;
  const std::string content = pattern_bytes(kLarge);
  registry.add_image("app", "v1", {content});
  Mounted mount(registry.host(), "plain_http");
  std::string got;
  ASSERT_EQ(read_file_to_end(mount.path("app/v1/layers/00.tar.gz"), got),
            static_cast<long>(kLarge));
  EXPECT_TRUE(got == content);
  const auto requests = registry.server().requests();
  got.clear();
  ASSERT_EQ(read_file_to_end(mount.path("app/v1/layers/00.tar.gz"), got),
            static_cast<long>(kLarge));
  EXPECT_TRUE(got == content);
  EXPECT_EQ(registry.server().requests(), requests);
}

// S103
TEST(NetworkTest, AWrongByteIsAnErrorBeforeTheEndAndIsNotShownLater) {
  FakeRegistry registry;
  const std::string content = pattern_bytes(kLarge);
  const auto image = registry.add_image("app", "v1", {content});
  registry.fault({.method = "GET", .target = "*/blobs/" + image.layer_digests[0], .times = 0},
                 fault::flip_byte(100));
  Mounted mount(registry.host(), "plain_http");
  const std::string path = mount.path("app/v1/layers/00.tar.gz");
  std::string got;
  EXPECT_EQ(read_file_to_end(path, got), -EIO);
  EXPECT_LT(got.size(), kLarge);
  registry.clear_faults();
  got.clear();
  EXPECT_EQ(read_file_to_end(path, got), static_cast<long>(kLarge));
  EXPECT_TRUE(got == content) << "pages of the failed attempt were shown";
}

TEST(NetworkTest, ABodyCutShortIsTakenUp) {
  FakeRegistry registry;
  const std::string content = pattern_bytes(kLarge);
  const auto image = registry.add_image("app", "v1", {content});
  registry.fault({.method = "GET", .target = "*/blobs/" + image.layer_digests[0]},
                 fault::cut(5'000'000));
  Mounted mount(registry.host(), "plain_http");
  std::string got;
  EXPECT_EQ(read_file_to_end(mount.path("app/v1/layers/00.tar.gz"), got),
            static_cast<long>(kLarge));
  EXPECT_TRUE(got == content);
}

// S102
TEST(NetworkTest, SixtyFourStalledReadersHoldUpNeitherCachedBytesNorNames) {
  FakeRegistry registry;
  const std::string here = pattern_bytes(kLarge, 99);
  registry.add_image("app", "here", {here});
  std::vector<std::string> stalled;
  for (unsigned i = 0; i < 64; ++i) {
    stalled.push_back(registry.add_blob("app", pattern_bytes(64 * 1024, i)));
  }
  Mounted mount(registry.host(), "plain_http");
  std::string got;
  ASSERT_EQ(read_file_to_end(mount.path("app/here/layers/00.tar.gz"), got),
            static_cast<long>(kLarge));
  const auto gate = std::make_shared<Gate>();
  for (const std::string& digest : stalled) {
    registry.fault({.method = "GET", .target = "*/blobs/" + digest, .times = 0},
                   fault::stall_body(gate, 1000));
  }
  std::vector<std::future<long>> readers;
  for (const std::string& digest : stalled) {
    readers.push_back(std::async(std::launch::async, [path = blob_path(mount, "app", digest)] {
      return read_start_and_be_seen(path);
    }));
  }
  // The registry sees as many as are fetched at once, the rest waits in berthfs.
  EXPECT_TRUE(gate->wait_for_arrivals(4));
  EXPECT_TRUE(await_held(stalled.size()));
  auto cached = std::async(std::launch::async, [&] {
    std::string again;
    read_file_to_end(mount.path("app/here/layers/00.tar.gz"), again);
    return again == here && ::access(mount.path("app/here/config.json").c_str(), R_OK) == 0;
  });
  const bool in_time = cached.wait_for(kSoon) == std::future_status::ready;
  EXPECT_TRUE(in_time);
  EXPECT_TRUE(await_held(stalled.size())) << "they were answered meanwhile";
  gate->open();
  EXPECT_TRUE(cached.get());
  for (auto& reader : readers) EXPECT_EQ(reader.get(), 1);
}

TEST(NetworkTest, AStalledReaderCanBeInterrupted) {
  FakeRegistry registry;
  const std::string digest = registry.add_blob("app", pattern_bytes(64 * 1024));
  registry.add_image("app", "v1", {"layer"});
  const auto gate = std::make_shared<Gate>();
  registry.fault({.method = "GET", .target = "*/blobs/" + digest, .times = 0},
                 fault::stall_body(gate, 1000));
  Mounted mount(registry.host(), "plain_http");
  const std::string path = blob_path(mount, "app", digest);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(read_start(path) == 1 ? 0 : 1);
  EXPECT_TRUE(gate->wait_for_arrivals());
  ::kill(child, SIGINT);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  gate->open();
  EXPECT_EQ(read_start(path), 1) << "the mount goes on";
}

TEST(NetworkTest, ARegistryThatStallsTimesOut) {
  FakeRegistry registry;
  registry.add_image("app", "v1", {"layer"});
  const auto gate = std::make_shared<Gate>();
  registry.fault({.target = "/v2/*", .times = 0}, fault::stall_head(gate));
  Mounted mount(registry.host(), "plain_http,timeout=1");
  EXPECT_EQ(::access(mount.path("app/v1").c_str(), F_OK), -1);
  EXPECT_EQ(errno, ETIMEDOUT);
  gate->open();
}

TEST(NetworkTest, WithoutCredentialsItIsPermissionDenied) {
  FakeRegistry registry({.auth = RegistryBehaviour::Auth::basic});
  registry.add_image("app", "v1", {"layer"});
  Mounted mount(registry.host(), "plain_http");
  std::error_code error;
  const std::filesystem::directory_iterator listing(mount.path("app"), error);
  EXPECT_EQ(error.value(), EACCES);
}

TEST(NetworkTest, MemoryStaysBoundedWhileItStreams) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "a sanitizer keeps books of its own in the same memory";
#endif
  FakeRegistry registry;
  const std::string content = pattern_bytes(64 * 1024 * 1024);
  registry.add_image("app", "v1", {content});
  Mounted mount(registry.host(), "plain_http");
  std::string got;
  ASSERT_EQ(read_file_to_end(mount.path("app/v1/layers/00.tar.gz"), got),
            static_cast<long>(content.size()));
  EXPECT_TRUE(got == content);
  std::ifstream status("/proc/" + std::to_string(mount.server().pid()) + "/status");
  std::string word;
  while (status >> word && word != "VmHWM:") {
  }
  long kib = 0;
  ASSERT_TRUE(status >> kib);
  EXPECT_LT(kib, 48 * 1024);
}

}  // namespace
}  // namespace berth::test
