// SPDX-License-Identifier: Apache-2.0
#include "berth/base/fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include <gtest/gtest.h>

#include "berth/base/atomic_file.hpp"

#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace berth {
namespace {

using test::HasCode;
using test::IsOk;
using test::IsOkAndHolds;
using test::TempDir;
using testing::HasSubstr;

std::size_t count_entries(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder),
                                                std::filesystem::directory_iterator()));
}

mode_t mode_of(const std::filesystem::path& path) {
  struct stat status{};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return status.st_mode & 07777;
}

TEST(FdTest, ClosesWhatItOwnsOnce) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  Fd moved(std::move(writer));
  writer.reset();  // NOLINT(bugprone-use-after-move): it owns nothing any more
  EXPECT_EQ(::write(moved.get(), "x", 1), 1);
  moved = Fd();
  std::array<char, 2> buffer{};
  EXPECT_EQ(::read(reader.get(), buffer.data(), 2), 1);
  EXPECT_EQ(::read(reader.get(), buffer.data(), 2), 0) << "the writing end is still open";
}

TEST(FdTest, OpenMarksCloseOnExecAndNamesThePath) {
  const TempDir dir;
  const Result<Fd> made = open_at(AT_FDCWD, dir / "a", O_CREAT | O_WRONLY);
  ASSERT_THAT(made, IsOk());
  EXPECT_NE(::fcntl(made->get(), F_GETFD) & FD_CLOEXEC, 0);
  const Result<Fd> absent = open_at(AT_FDCWD, dir / "b", O_RDONLY);
  ASSERT_THAT(absent, HasCode(Errc::not_found));
  EXPECT_THAT(absent.error().message(), HasSubstr((dir / "b").string()));
}

TEST(FdTest, WritesAndReadsAtAnOffset) {
  const TempDir dir;
  const Result<Fd> fd = open_at(AT_FDCWD, dir / "a", O_CREAT | O_RDWR);
  ASSERT_THAT(fd, IsOk());
  ASSERT_THAT(pwrite_all(fd->get(), as_bytes("berth"), 3), IsOk());
  std::array<std::byte, 5> out{};
  ASSERT_THAT(pread_exact(fd->get(), out, 3), IsOk());
  EXPECT_EQ(as_text(out), "berth");
  EXPECT_THAT(pread_exact(fd->get(), out, 4), HasCode(Errc::io)) << "one byte is not there";
}

TEST(FdTest, WriteAllReportsAFullDisk) {
  const Result<Fd> full = open_at(AT_FDCWD, "/dev/full", O_WRONLY);
  ASSERT_THAT(full, IsOk());
  EXPECT_THAT(write_all(full->get(), as_bytes("x")), HasCode(Errc::no_space));
}

TEST(ReadFileTest, ReadsUpToItsLimit) {
  const TempDir dir;
  const auto path = dir.write("a", "12345");
  EXPECT_THAT(read_file(path, 5), IsOkAndHolds("12345"));
  EXPECT_THAT(read_file(path, 100), IsOkAndHolds("12345"));
  EXPECT_THAT(read_file(path, 4), HasCode(Errc::too_large));
  EXPECT_THAT(read_file(dir.write("empty", ""), 0), IsOkAndHolds(""));
}

TEST(ReadFileTest, ReadsFilesThatStateNoSize) {
  EXPECT_THAT(read_file("/proc/self/stat", 1 << 20), IsOkAndHolds(HasSubstr("(unit_base)")));
}

TEST(ReadFileTest, TellsAbsentFromUnreadable) {
  const TempDir dir;
  EXPECT_THAT(read_file(dir / "a", 10), HasCode(Errc::not_found));
  EXPECT_THAT(read_file(dir.path(), 10), HasCode(Errc::invalid_argument)) << "a folder";
}

TEST(ReadFileTest, ReadsBesideAnOpenFolder) {
  const TempDir dir;
  dir.write("sub/a", "x");
  const Result<Fd> folder = open_at(AT_FDCWD, dir / "sub", O_RDONLY | O_DIRECTORY);
  ASSERT_THAT(folder, IsOk());
  EXPECT_THAT(read_file_at(folder->get(), "a", 10), IsOkAndHolds("x"));
}

TEST(MakeDirectoriesTest, MakesAllThatIsMissing) {
  const TempDir dir;
  EXPECT_THAT(make_directories(dir / "a/b/c", 0700), IsOk());
  EXPECT_EQ(mode_of(dir / "a"), 0700U);
  EXPECT_EQ(mode_of(dir / "a/b/c"), 0700U);
  EXPECT_THAT(make_directories(dir / "a/b/c", 0700), IsOk()) << "it is there already";
}

TEST(MakeDirectoriesTest, RefusesAFileInTheWay) {
  const TempDir dir;
  dir.write("a", "");
  EXPECT_THAT(make_directories(dir / "a"), HasCode(Errc::not_found));
  EXPECT_THAT(make_directories(dir / "a/b"), HasCode(Errc::not_found));
}

TEST(AtomicFileTest, AppearsOnlyWhenCommitted) {
  const TempDir dir;
  Result<AtomicFile> file = AtomicFile::create(dir / "a");
  ASSERT_THAT(file, IsOk());
  ASSERT_THAT(file->write(as_bytes("new")), IsOk());
  EXPECT_FALSE(std::filesystem::exists(dir / "a"));
  ASSERT_THAT(file->commit(true), IsOk());
  EXPECT_THAT(read_file(dir / "a", 10), IsOkAndHolds("new"));
  EXPECT_EQ(count_entries(dir.path()), 1U);
}

TEST(AtomicFileTest, LeavesTheOldFileAndNothingElseWhenAbandoned) {
  const TempDir dir;
  dir.write("a", "old");
  {
    Result<AtomicFile> file = AtomicFile::create(dir / "a");
    ASSERT_THAT(file, IsOk());
    ASSERT_THAT(file->write(as_bytes("half of the new")), IsOk());
  }
  EXPECT_THAT(read_file(dir / "a", 10), IsOkAndHolds("old"));
  EXPECT_EQ(count_entries(dir.path()), 1U);
}

TEST(AtomicFileTest, AMovedOneIsCommittedOnce) {
  const TempDir dir;
  Result<AtomicFile> file = AtomicFile::create(dir / "a");
  ASSERT_THAT(file, IsOk());
  AtomicFile moved = *std::move(file);
  ASSERT_THAT(moved.commit(), IsOk());
  EXPECT_THAT(moved.commit(), HasCode(Errc::internal));
  EXPECT_TRUE(std::filesystem::exists(dir / "a"));
}

TEST(AtomicFileTest, AFailedCommitLeavesNoTemporary) {
  const TempDir dir;
  std::filesystem::create_directories(dir / "a/in the way");
  EXPECT_FALSE(write_file_atomically(dir / "a", "x"));
  EXPECT_EQ(count_entries(dir.path()), 1U);
}

TEST(AtomicFileTest, ReplacesAFileWithTheModeAskedFor) {
  const TempDir dir;
  dir.write("a", "a longer old content");
  ASSERT_THAT(write_file_atomically(dir / "a", "new", 0400), IsOk());
  EXPECT_THAT(read_file(dir / "a", 100), IsOkAndHolds("new"));
  EXPECT_EQ(mode_of(dir / "a"), 0400U);
}

TEST(AtomicFileTest, NamesTheFileThatItIsToBeAndNoOther) {
  const TempDir dir;
  const auto absent = dir / "absent/a";
  const Result<void> written = write_file_atomically(absent, "x");
  ASSERT_THAT(written, HasCode(Errc::not_found));
  EXPECT_EQ(written.error().message(),
            "cannot write '" + absent.string() + "': No such file or directory");
  Result<AtomicFile> file = AtomicFile::create(dir / "a");
  ASSERT_THAT(file, IsOk());
  // Its disk is full from now on.
  ASSERT_EQ(::dup2(open_at(AT_FDCWD, "/dev/full", O_WRONLY)->get(), file->fd()), file->fd());
  const Result<void> full = file->write(as_bytes("x"));
  ASSERT_THAT(full, HasCode(Errc::no_space));
  EXPECT_EQ(full.error().message(),
            "cannot write '" + (dir / "a").string() + "': No space left on device");
}

}  // namespace
}  // namespace berth
