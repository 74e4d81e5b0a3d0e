// SPDX-License-Identifier: Apache-2.0
// How berthfs comes and goes. Nothing answers at its target: a mount needs no network.
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "berth/base/fd.hpp"

#include "e2e/mounted.hpp"

namespace berth::test {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr auto kLimit = std::chrono::seconds(20);
constexpr const char* kNobody = "127.0.0.1:1";

struct Ended {
  int status = -1;
  std::string output;
};

Ended run(const TempDir& home, std::vector<std::string> arguments) {
  ChildProcess child(berthfs_command(home, std::move(arguments)));
  const auto status = child.wait(kLimit);
  return {status.value_or(-1), child.output()};
}

template <class Condition>
bool eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + kLimit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::usleep(2000);
  }
  return true;
}

bool is_mounted(const std::string& path) {
  std::ifstream mounts("/proc/self/mountinfo");
  const std::string text{std::istreambuf_iterator<char>(mounts), {}};
  return text.find(" " + path.substr(0, path.find_last_not_of('/') + 1) + " ") != std::string::npos;
}

TEST(DaemonTest, AMountNeedsNoNetwork) {
  Mounted mount(kNobody);
  EXPECT_EQ(::access(mount.path(".berth/version").c_str(), R_OK), 0);
}

TEST(DaemonTest, ATermSignalUnmounts) {
  Mounted mount(kNobody);
  mount.server().signal(SIGTERM);
  EXPECT_EQ(mount.server().wait(kLimit), 0);
  EXPECT_FALSE(is_mounted(mount.path()));
}

TEST(DaemonTest, AnUnmountEndsTheServer) {
  Mounted mount(kNobody);
  ASSERT_EQ(unmount_when_idle(mount.path()), 0);
  EXPECT_EQ(mount.server().wait(kLimit), 0);
}

TEST(DaemonTest, ATermSignalEndsABusyMount) {
  Mounted mount(kNobody);
  const Fd held(::open(mount.path(".berth/version").c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(held);
  mount.server().signal(SIGTERM);
  EXPECT_EQ(mount.server().wait(kLimit), 0);
  EXPECT_FALSE(is_mounted(mount.path()));
}

TEST(DaemonTest, WhatAKilledServerLeftIsCleanedByTheNextMount) {
  Mounted first(kNobody);
  first.server().kill();
  struct statvfs usage{};
  ASSERT_EQ(::statvfs(first.path().c_str(), &usage), -1);
  ASSERT_EQ(errno, ENOTCONN);
  Mounted second(first.home(), kNobody, "");
  EXPECT_EQ(::statvfs(second.path().c_str(), &usage), 0);
}

TEST(DaemonTest, ASecondMountOnTheSameFolderIsRefused) {
  Mounted mount(kNobody);
  const Ended ended = run(*mount.home(), {"-f", kNobody, mount.path()});
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.output, HasSubstr("already"));
}

TEST(DaemonTest, ACacheBelowTheMountPointIsRefused) {
  TempDir home;
  const Ended ended = run(home, {"-f", kNobody, home.path().string()});
  EXPECT_EQ(ended.status, 2);
  EXPECT_THAT(ended.output, HasSubstr("below the mount point"));
  EXPECT_FALSE(is_mounted(home.path().string()));
}

TEST(DaemonTest, FailureIsReportedBeforeItDetaches) {
  TempDir home;
  const std::string absent = (home / "absent").string();
  const Ended ended = run(home, {kNobody, absent});
  EXPECT_EQ(ended.status, 3);
  EXPECT_THAT(ended.output, HasSubstr("mkdir " + absent));
  home.write("oci/oci-layout", "no layout");
  fs::create_directory(home / "mnt");
  EXPECT_EQ(run(home, {"oci:" + (home / "oci").string(), (home / "mnt").string()}).status, 1);
}

TEST(DaemonTest, WrongUseIsTwoAndForMountOne) {
  TempDir home;
  EXPECT_EQ(run(home, {"-o", "frobnicate", "/mnt"}).status, 2);
  const fs::path helper = home / "mount.berth";
  fs::create_symlink(BERTHFS, helper);
  ChildProcess wrong({helper.string(), kNobody, "/mnt", "-o", "rw,frobnicate"});
  EXPECT_EQ(wrong.wait(kLimit), 1);
  ChildProcess failed({helper.string(), kNobody, (home / "absent").string(), "-o", "rw"});
  EXPECT_EQ(failed.wait(kLimit), 32);
  ChildProcess fake({helper.string(), kNobody, (home / "absent").string(), "-f", "-o", "rw"});
  EXPECT_EQ(fake.wait(kLimit), 0);
}

TEST(DaemonTest, TheDaemonLeavesTheTerminalWhenItServes) {
  TempDir home;
  fs::create_directory(home / "mnt");
  const std::string mnt = (home / "mnt").string();
  ChildProcess starter(berthfs_command(home, {kNobody, mnt}));
  ASSERT_EQ(starter.wait(kLimit), 0) << starter.output();
  const auto pid_text = read_file(mnt + "/.berth/pid", 64);
  ASSERT_TRUE(pid_text);
  const pid_t daemon = std::stoi(*pid_text);
  EXPECT_NE(daemon, starter.pid());
  EXPECT_EQ(::getsid(daemon), daemon);
  for (const char* standard : {"0", "1", "2"}) {
    EXPECT_EQ(fs::read_symlink("/proc/" + std::to_string(daemon) + "/fd/" + standard), "/dev/null");
  }
  ASSERT_EQ(::kill(daemon, SIGTERM), 0);
  EXPECT_TRUE(eventually([&] { return ::kill(daemon, 0) != 0; }));
  EXPECT_FALSE(is_mounted(mnt));
}

TEST(DaemonTest, ARefreshReachesTheServer) {
  Mounted mount(kNobody);
  EXPECT_EQ(run(*mount.home(), {"--refresh", mount.path()}).status, 0);
  EXPECT_TRUE(eventually([&] {
    const auto log = read_file(mount.path(".berth/log"), 1024 * 1024);
    return log && log->find("forgetting") != std::string::npos;
  }));
  const Ended no_mount = run(*mount.home(), {"--refresh", mount.home()->path().string()});
  EXPECT_EQ(no_mount.status, 3);
  EXPECT_THAT(no_mount.output, HasSubstr("no mount of berth"));
}

TEST(DaemonTest, RootsMountsReadFarAhead) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may raise the kernel's read-ahead";
  Mounted mount(kNobody);
  struct stat status{};
  ASSERT_EQ(::stat(mount.path().c_str(), &status), 0);
  const std::string file = "/sys/class/bdi/" + std::to_string(major(status.st_dev)) + ":" +
                           std::to_string(minor(status.st_dev)) + "/read_ahead_kb";
  EXPECT_TRUE(eventually([&] {
    const auto text = read_file(file, 64);
    return text && std::stoi(*text) >= 1024;
  }));
}

}  // namespace
}  // namespace berth::test
