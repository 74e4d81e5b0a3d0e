// SPDX-License-Identifier: Apache-2.0
#include "fuse/filesystem.hpp"

#include <array>
#include <cerrno>

#include <gtest/gtest.h>

#include "support/matchers.hpp"
#include "unit/fuse/fake_view.hpp"

namespace berth::fuse {
namespace {

using test::FakeView;
using test::HasCode;
using test::IsOk;
using ::testing::ElementsAre;

class FilesystemTest : public ::testing::Test {
 protected:
  Ino find(const std::string& name, Ino folder = kRootIno) {
    const auto found = filesystem_.lookup(folder, name, {});
    EXPECT_THAT(found, IsOk());
    return found ? found->ino : 0;
  }
  std::unique_ptr<OpenFile> open(const std::string& name) {
    auto file = filesystem_.open(find(name), {});
    EXPECT_THAT(file, IsOk());
    return std::move(*file);
  }
  std::vector<std::string> list(OpenFolder& folder, std::uint64_t position, std::size_t at_most) {
    std::vector<std::string> names;
    EXPECT_THAT(filesystem_.read_folder(folder, position, {},
                                        [&](const DirectoryEntry& entry) {
                                          if (names.size() == at_most) return false;
                                          names.emplace_back(entry.name);
                                          last_ = entry;
                                          return true;
                                        }),
                IsOk());
    return names;
  }

  FakeView view_;
  Filesystem filesystem_{view_};
  DirectoryEntry last_;
};

TEST_F(FilesystemTest, WithoutChangesEverythingIsReadOnly) {
  view_.file("flag", "true\n").writable = true;
  const Ino flag = find("flag");
  for (const auto& error :
       {filesystem_.open_to_write(flag, {}).error(), filesystem_.no_such_change("mkdir"),
        filesystem_.set_attributes(flag, {.size = 0}, {}).error()}) {
    EXPECT_EQ(error.code(), Errc::denied);
    EXPECT_EQ(error.sys_errno(), EROFS);
  }
}

TEST_F(FilesystemTest, AWriteIsGivenToTheTreeWhole) {
  filesystem_.allow_changes();
  view_.file("flag", "true\n").writable = true;
  view_.file("blob", "bytes");
  const auto file = filesystem_.open_to_write(find("flag"), {});
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT(filesystem_.write(**file, 0, "false\n", {}), IsOk());
  EXPECT_EQ(view_.written(), "flag=false\n");
  EXPECT_THAT(filesystem_.write(**file, 6, "more", {}), HasCode(Errc::invalid_argument));
  EXPECT_THAT(filesystem_.write(*open("flag"), 0, "x", {}), HasCode(Errc::denied));
  EXPECT_EQ(filesystem_.open_to_write(find("blob"), {}).error().sys_errno(), EPERM);
  EXPECT_EQ(view_.written(), "flag=false\n");
}

TEST_F(FilesystemTest, CuttingAPropertyBeginsItsWriting) {
  filesystem_.allow_changes();
  view_.file("flag", "true\n").writable = true;
  view_.file("blob", "bytes");
  const auto cut = filesystem_.set_attributes(find("flag"), {.size = 0}, {});
  ASSERT_THAT(cut, IsOk());
  EXPECT_EQ(cut->attributes.size, 0U);
  EXPECT_EQ(view_.written(), "");
  EXPECT_THAT(filesystem_.set_attributes(find("flag"), {.times = true}, {}), IsOk());
  EXPECT_THAT(filesystem_.set_attributes(find("flag"), {.size = 3}, {}),
              HasCode(Errc::invalid_argument));
  for (const Filesystem::Wish wish : {Filesystem::Wish{.size = 0}, Filesystem::Wish{.times = true},
                                      Filesystem::Wish{.mode_or_owner = true}}) {
    EXPECT_EQ(filesystem_.set_attributes(find("blob"), wish, {}).error().sys_errno(), EPERM);
  }
  EXPECT_EQ(filesystem_.no_such_change("mkdir").sys_errno(), EPERM);
}

TEST_F(FilesystemTest, TellsForHowLongANameIsAbsent) {
  const auto found = filesystem_.lookup(kRootIno, "absent", {});
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ(found->ino, 0u);
  EXPECT_EQ(found->name_ttl, tree::Ttl(5000));
  view_.negative = tree::Ttl(0);
  EXPECT_THAT(filesystem_.lookup(kRootIno, "absent", {}), HasCode(Errc::not_found));
}

TEST_F(FilesystemTest, AForgottenNumberIsNotFound) {
  view_.folder("f");
  const Ino ino = find("f");
  filesystem_.forget(ino, 1);
  EXPECT_THAT(filesystem_.attributes(ino, {}), HasCode(Errc::not_found));
  EXPECT_THAT(filesystem_.lookup(ino, "x", {}), HasCode(Errc::not_found));
}

TEST_F(FilesystemTest, ATagThatMovedIsAnotherInode) {
  view_.link("v1", ".manifests/sha256/aa");
  const Ino before = find("v1");
  view_.link("v1", ".manifests/sha256/bb");
  EXPECT_NE(find("v1"), before);
}

TEST_F(FilesystemTest, ReadsExactlyWhatIsThere) {
  view_.file("f", "hello");
  const auto file = open("f");
  std::array<std::byte, 16> buffer{};
  EXPECT_EQ(filesystem_.expected(*file, 2, 16), 3u);
  EXPECT_THAT(filesystem_.read(*file, 2, buffer, {}), test::IsOkAndHolds(3u));
  EXPECT_EQ(as_text({buffer.data(), 3}), "llo");
  EXPECT_THAT(filesystem_.read(*file, 5, buffer, {}), test::IsOkAndHolds(0u));
  EXPECT_THAT(filesystem_.read(*file, 500, buffer, {}), test::IsOkAndHolds(0u));
}

TEST_F(FilesystemTest, AShortReadIsAnErrorBecauseTheKernelWouldShrinkTheFile) {
  view_.file("f", "hello");
  view_.lost_bytes = 1;
  const auto file = open("f");
  std::array<std::byte, 16> buffer{};
  EXPECT_THAT(filesystem_.read(*file, 0, buffer, {}), HasCode(Errc::internal));
}

TEST_F(FilesystemTest, AFileOfUnknownSizeIsReadToItsEnd) {
  view_.file("log", "line\n").direct_io = true;
  view_.at("log").length = 0;
  const auto file = open("log");
  std::array<std::byte, 16> buffer{};
  EXPECT_THAT(filesystem_.read(*file, 0, buffer, {}), test::IsOkAndHolds(5u));
}

TEST_F(FilesystemTest, PagesAreKeptForVerifiedFilesOnly) {
  view_.file("whole", "x");
  view_.file("partial", "x").keep_pages = false;
  EXPECT_TRUE(open("whole")->pages.keep_pages);
  EXPECT_FALSE(open("partial")->pages.keep_pages);
}

TEST_F(FilesystemTest, ADroppedDigestNamesTheFilesThatShowedIt) {
  const Digest digest = *Digest::parse("sha256:" + std::string(64, 'a'));
  view_.file("partial", "x").keep_pages = false;
  view_.at("partial").digest = digest;
  const Ino ino = find("partial");
  const auto file = filesystem_.open(ino, {});
  ASSERT_THAT(file, IsOk());
  EXPECT_THAT(filesystem_.pages_of(digest), ElementsAre(ino));
}

TEST_F(FilesystemTest, PositionsInAListingHoldWhileItChanges) {
  for (const char* name : {"a", "b", "c"}) view_.folder(name);
  const auto folder = filesystem_.open_folder(kRootIno);
  ASSERT_THAT(folder, IsOk());
  EXPECT_EQ(view_.lists, 0) << "to open a folder is not to list it";
  EXPECT_THAT(list(**folder, 0, 3), ElementsAre(".", "..", "a"));
  view_.remove("a");
  view_.folder("aa");
  EXPECT_THAT(list(**folder, last_.position, 99), ElementsAre("b", "c"));
  EXPECT_EQ(view_.lists, 1);
  EXPECT_THAT(list(**folder, 0, 99), ElementsAre(".", "..", "aa", "b", "c")) << "after a rewind";
}

TEST_F(FilesystemTest, ListedNamesHaveNumbersOfTheirOwn) {
  view_.folder("a");
  view_.folder("b");
  const auto folder = filesystem_.open_folder(kRootIno);
  std::set<Ino> numbers;
  EXPECT_THAT(filesystem_.read_folder(
                  **folder, 2, {},
                  [&](const DirectoryEntry& entry) { return numbers.insert(entry.ino).second; }),
              IsOk());
  EXPECT_EQ(numbers.size(), 2u);
}

TEST_F(FilesystemTest, DoesNotWaitWhenAskedNotTo) {
  view_.names.shut();
  const Context now = Context{}.nonblocking();
  EXPECT_THAT(filesystem_.lookup(kRootIno, "x", now), HasCode(Errc::would_block));
  const auto folder = filesystem_.open_folder(kRootIno);
  EXPECT_THAT(filesystem_.read_folder(**folder, 0, now, [](auto&) { return true; }),
              HasCode(Errc::would_block));
}

}  // namespace
}  // namespace berth::fuse
