// SPDX-License-Identifier: Apache-2.0
#include "berth/cache/cache.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <future>

#include "unit/cache/cache_fixture.hpp"

namespace berth::cache::test {
namespace {

TEST_F(CacheTest, PutsAndGetsSmallContent) {
  const auto cache = open();
  const std::string text = "a manifest";
  const Digest digest = digest_of(as_bytes(text));
  ASSERT_THAT(cache->put(digest, as_bytes(text)), IsOk());
  EXPECT_TRUE(cache->contains(digest));
  EXPECT_EQ(read_blob(*cache, digest), text);
  struct stat info{};
  ASSERT_EQ(::stat(blob_path(digest).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0444U);
}

TEST_F(CacheTest, RefusesToPutWhatDoesNotHaveItsDigest) {
  const auto cache = open();
  const Digest digest = digest_of(as_bytes("expected"));
  EXPECT_THAT(cache->put(digest, as_bytes("other")), HasCode(Errc::digest_mismatch));
  EXPECT_FALSE(cache->contains(digest));
}

TEST_F(CacheTest, AnswersNulloptForWhatIsAbsent) {
  const auto cache = open();
  const auto found = cache->find(digest_of(as_bytes("nothing")));
  ASSERT_THAT(found, IsOk());
  EXPECT_FALSE(found->has_value());
  const auto text = cache->get(digest_of(as_bytes("nothing")), 10);
  ASSERT_THAT(text, IsOk());
  EXPECT_FALSE(text->has_value());
}

TEST_F(CacheTest, GetRefusesMoreThanItsLimit) {
  const auto cache = open();
  const Digest digest = digest_of(as_bytes("12345"));
  ASSERT_THAT(cache->put(digest, as_bytes("12345")), IsOk());
  EXPECT_THAT(cache->get(digest, 4), HasCode(Errc::too_large));
}

TEST_F(CacheTest, StoresBlobsOfEveryVerifiableAlgorithm) {
  const auto cache = open();
  const std::string bytes = content(5 * kMiB);
  for (const Algorithm algorithm : {Algorithm::sha256, Algorithm::sha384, Algorithm::sha512}) {
    const Digest digest = digest_of(as_bytes(bytes), algorithm);
    const auto partial = cache->join(digest, bytes.size());
    ASSERT_THAT(partial, IsOk());
    fill(**partial, bytes);
    EXPECT_EQ((*partial)->state(), State::complete) << digest.text();
    EXPECT_EQ(read_blob(*cache, digest), bytes);
  }
}

TEST_F(CacheTest, RefusesDigestsThatItCannotVerify) {
  const auto cache = open();
  const auto digest = Digest::parse("blake3:" + std::string(64, 'a'));
  ASSERT_THAT(digest, IsOk());
  EXPECT_THAT(cache->join(*digest, 3), HasCode(Errc::unsupported));
  EXPECT_THAT(cache->put(*digest, as_bytes("abc")), HasCode(Errc::unsupported));
}

TEST_F(CacheTest, StoresTheEmptyBlob) {
  const auto cache = open();
  const Digest digest = digest_of(as_bytes(""));
  const auto partial = cache->join(digest, 0);
  ASSERT_THAT(partial, IsOk());
  EXPECT_EQ((*partial)->state(), State::complete);
  EXPECT_EQ(read_blob(*cache, digest), "");
}

TEST_F(CacheTest, AnEmptyBlobWithAnotherDigestFails) {
  const auto cache = open();
  const auto partial = cache->join(digest_of(as_bytes("x")), 0);
  ASSERT_THAT(partial, IsOk());
  EXPECT_EQ((*partial)->state(), State::failed);
}

TEST_F(CacheTest, RefusesAFolderThatOthersMayRead) {
  ASSERT_EQ(::mkdir(folder().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(folder().c_str(), 0755), 0);
  const auto cache = Cache::open(options());
  ASSERT_THAT(cache, HasCode(Errc::denied));
  EXPECT_NE(cache.error().message().find("chmod 700"), std::string::npos);
}

TEST_F(CacheTest, TheRemedyNamesTheNarrower) {
  Options here = options();
  here.limit = 1 << 20;
  EXPECT_THAT((*Cache::open(here))->remedy(), ::testing::HasSubstr("berth cache limit"));
  here.limit = 1ULL << 60;
  const std::string disk = (*Cache::open(here))->remedy();
  EXPECT_THAT(disk, ::testing::HasSubstr("the disk of " + here.folder.string()));
  EXPECT_THAT(disk, ::testing::Not(::testing::HasSubstr("cache limit")));
}

TEST_F(CacheTest, AFolderThatCannotBeMadeIsNeitherAbsentNorForbidden) {
  const std::filesystem::path file = folder().parent_path() / "file";
  std::ofstream(file) << "x";
  Options here = options();
  here.folder = file / "cache";
  const auto cache = Cache::open(here);
  ASSERT_THAT(cache, HasCode(Errc::io));
  EXPECT_THAT(cache.error().message(), ::testing::HasSubstr("BERTH_CACHE"));
  EXPECT_THAT(cache.error().message(), ::testing::HasSubstr(here.folder.string()));
}

TEST_F(CacheTest, RefusesAFolderOfAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  ASSERT_EQ(::mkdir(folder().c_str(), 0700), 0);
  ASSERT_EQ(::chown(folder().c_str(), 12345, 12345), 0);
  EXPECT_THAT(Cache::open(options()), HasCode(Errc::denied));
}

TEST_F(CacheTest, RefusesAFolderWithSomebodysFiles) {
  dir_.write("cache/letter.txt", "dear");
  ASSERT_EQ(::chmod(folder().c_str(), 0700), 0);
  EXPECT_THAT(Cache::open(options()), HasCode(Errc::corrupt));
}

TEST_F(CacheTest, RefusesSomebodysIndex) {
  dir_.write("cache/index.json", R"({"my":"own file"})");
  ASSERT_EQ(::chmod(folder().c_str(), 0700), 0);
  EXPECT_THAT(Cache::open(options()), HasCode(Errc::corrupt));
}

TEST_F(CacheTest, TakesAFolderInWhichNothingButAnEmptyIndexIsLeft) {  // S383
  dir_.write("cache/oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  dir_.write("cache/index.json", R"({"schemaVersion":2,"manifests":[]})");
  std::filesystem::create_directory(folder() / "ingest");
  ASSERT_EQ(::chmod(folder().c_str(), 0700), 0);
  EXPECT_THAT(Cache::open(options()), IsOk());
}

TEST_F(CacheTest, RefusesSomebodysLayout) {
  dir_.write("cache/oci-layout", "{}");
  dir_.write("cache/index.json", "{}");
  dir_.write("cache/blobs/sha256/0123", "theirs");
  ASSERT_EQ(::chmod(folder().c_str(), 0700), 0);
  EXPECT_THAT(Cache::open(options()), HasCode(Errc::corrupt));
}

TEST_F(CacheTest, OpenedToOthersWhileInUseItGoesOnAndIsNotOpenedAnew) {  // S384
  const auto cache = open();
  ASSERT_EQ(::chmod(folder().c_str(), 0777), 0);
  const Digest digest = digest_of(as_bytes("more"));
  EXPECT_THAT(cache->put(digest, as_bytes("more")), IsOk());
  EXPECT_EQ(read_blob(*cache, digest), "more");
  EXPECT_THAT(Cache::open(options()), HasCode(Errc::denied));
}

TEST_F(CacheTest, RefusesAnotherFormatVersionWithTheRemedy) {
  open();
  std::ofstream(folder() / "berth-cache") << "berth cache format 2\n";
  const auto cache = Cache::open(options());
  ASSERT_THAT(cache, HasCode(Errc::corrupt));
  EXPECT_NE(cache.error().message().find("remove the folder"), std::string::npos);
}

TEST_F(CacheTest, VerifyDropsWhatWasChanged) {
  const auto cache = open();
  const Digest good = digest_of(as_bytes("good"));
  const Digest bad = digest_of(as_bytes("bad"));
  ASSERT_THAT(cache->put(good, as_bytes("good")), IsOk());
  ASSERT_THAT(cache->put(bad, as_bytes("bad")), IsOk());
  ASSERT_EQ(::chmod(blob_path(bad).c_str(), 0600), 0);
  std::ofstream(blob_path(bad)) << "worse";
  const auto report = cache->verify(nullptr, Context{});
  ASSERT_THAT(report, IsOk());
  EXPECT_EQ(report->checked, 2U);
  EXPECT_EQ(report->bad, std::vector<Digest>{bad});
  EXPECT_FALSE(cache->contains(bad));
  EXPECT_TRUE(cache->contains(good));
}

TEST_F(CacheTest, WhatWasWrittenToIsHashedBeforeItIsBelieved) {
  const auto cache = open();
  const Digest same = digest_of(as_bytes("same"));
  const Digest other = digest_of(as_bytes("other"));
  ASSERT_THAT(cache->put(same, as_bytes("same")), IsOk());
  ASSERT_THAT(cache->put(other, as_bytes("other")), IsOk());
  // Through a second name, as a layout has it; by a process that minds no modes.
  for (const auto& [digest, bytes] : {std::pair(same, "same"), std::pair(other, "wrong")}) {
    std::filesystem::create_hard_link(blob_path(digest), dir_ / digest.text());
    ASSERT_EQ(::chmod((dir_ / digest.text()).c_str(), 0600), 0);
    std::ofstream(dir_ / digest.text()) << bytes;
  }
  EXPECT_THAT(cache->find(same, Context{}.nonblocking()), HasCode(Errc::would_block));
  EXPECT_EQ(read_blob(*cache, same), "same");
  EXPECT_THAT(cache->find(same, Context{}.nonblocking()), IsOk()) << "hashed once is enough";
  const auto found = cache->find(other);
  ASSERT_THAT(found, IsOk());
  EXPECT_FALSE(found->has_value());
  EXPECT_FALSE(cache->contains(other));
}

TEST_F(CacheTest, MakesTheFolderAgainAfterItWasRemoved) {
  const auto cache = open();
  std::filesystem::remove_all(folder());
  const Digest digest = digest_of(as_bytes("again"));
  EXPECT_FALSE(cache->contains(digest));
  ASSERT_THAT(cache->put(digest, as_bytes("again")), IsOk());
  EXPECT_EQ(read_blob(*cache, digest), "again");
}

TEST_F(CacheTest, ALookIsAnsweredWhileTheFolderIsMadeAgain) {  // S431
  const auto cache = open();
  std::filesystem::remove_all(folder());
  const Digest digest = digest_of(as_bytes("again"));
  Stall opening("quota.scan");
  auto writer =
      std::async(std::launch::async, [&] { return cache->put(digest, as_bytes("again")); });
  opening.wait_until_there();
  auto reader = std::async(std::launch::async, [&] {
    EXPECT_THAT(cache->find(digest, Context{}.nonblocking()), IsOk());
    EXPECT_FALSE(cache->contains(digest));
  });
  EXPECT_EQ(reader.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  opening.release();
  EXPECT_THAT(writer.get(), IsOk());
  EXPECT_EQ(read_blob(*cache, digest), "again");
}

TEST(DefaultFolderTest, TakesTheFirstThatIsNamed) {
  std::map<std::string, std::string> variables{{"HOME", "/home/ann"}};
  const Environment environment = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
  EXPECT_THAT(default_folder(environment, false), IsOkAndHolds("/home/ann/.cache/berth"));
  variables["XDG_CACHE_HOME"] = "/scratch";
  EXPECT_THAT(default_folder(environment, false), IsOkAndHolds("/scratch/berth"));
  variables["BERTH_CACHE"] = "/big/cache";
  EXPECT_THAT(default_folder(environment, true), IsOkAndHolds("/big/cache"));
  variables["BERTH_CACHE"] = "here";
  EXPECT_THAT(default_folder(environment, false), HasCode(Errc::invalid_argument));
  variables.clear();
  EXPECT_THAT(default_folder(environment, false), HasCode(Errc::io));
}

}  // namespace
}  // namespace berth::cache::test
