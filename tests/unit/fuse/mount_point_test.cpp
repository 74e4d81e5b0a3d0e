// SPDX-License-Identifier: Apache-2.0
#include "fuse/mount_point.hpp"

#include <gtest/gtest.h>

#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace berth::fuse {
namespace {

constexpr std::string_view kMountInfo =
    "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
    "31 22 0:51 / /mnt/my\\040registry ro,nosuid shared:1 master:2 - fuse.berth localhost:5000 ro\n"
    "32 22 0:52 / /mnt/twice rw - tmpfs tmpfs rw\n"
    "33 32 0:53 / /mnt/twice ro - fuse.berth all ro\n"
    "broken line\n";

TEST(MountPointTest, ReadsMountinfo) {
  const auto found = find_mounted(kMountInfo, "/mnt/my registry");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->device, "0:51");
  EXPECT_EQ(found->type, "fuse.berth");
  EXPECT_EQ(found->source, "localhost:5000");
  EXPECT_FALSE(find_mounted(kMountInfo, "/mnt"));
}

TEST(MountPointTest, SeesTheUppermostMount) {
  EXPECT_EQ(find_mounted(kMountInfo, "/mnt/twice")->type, "fuse.berth");
}

TEST(MountPointTest, KnowsWhatLiesBelowAFolder) {
  test::TempDir folder;
  folder.write("mnt/x", "");
  std::filesystem::create_directory_symlink(folder / "mnt", folder / "link");
  EXPECT_TRUE(is_within(folder / "mnt", folder / "mnt"));
  EXPECT_TRUE(is_within(folder / "mnt/not/yet/there", folder / "mnt"));
  EXPECT_TRUE(is_within(folder / "link/cache", folder / "mnt"));
  EXPECT_TRUE(is_within(folder / "mnt/cache", folder / "link"));
  EXPECT_FALSE(is_within(folder / "mnt2", folder / "mnt"));
  EXPECT_FALSE(is_within(folder.path(), folder / "mnt"));
}

TEST(MountPointTest, WantsAFolderThatExists) {
  test::TempDir folder;
  folder.write("file", "");
  const auto absent = prepare_mount_point(folder / "absent");
  ASSERT_THAT(absent, test::HasCode(Errc::not_found));
  EXPECT_NE(absent.error().message().find("mkdir"), std::string::npos);
  EXPECT_THAT(prepare_mount_point(folder / "file"), test::HasCode(Errc::invalid_argument));
  EXPECT_THAT(prepare_mount_point(folder.path()), test::IsOkAndHolds(folder.path()));
}

TEST(MountPointTest, FollowsLinksToTheFolder) {
  test::TempDir folder;
  std::filesystem::create_directory(folder / "real");
  std::filesystem::create_directory_symlink(folder / "real", folder / "link");
  EXPECT_THAT(prepare_mount_point(folder / "link"), test::IsOkAndHolds(folder / "real"));
}

}  // namespace
}  // namespace berth::fuse
