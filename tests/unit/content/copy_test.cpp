// SPDX-License-Identifier: Apache-2.0
#include "berth/content/copy.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>

#include "unit/content/images.hpp"
#include "unit/content/store_fixture.hpp"

namespace berth::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

/// What this process writes beyond it fails, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = ::signal(SIGXFSZ, SIG_IGN);
    const rlimit less{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &less);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  sighandler_t handler_ = nullptr;
};

class CopyTest : public StoreFixture {
 protected:
  void SetUp() override { open(); }

  Result<void> copy(const Digest& digest, const std::string& tag,
                    content::CopyOptions options = {}) {
    return content::copy_to_layout(*store_, source_, "a", digest, layout_, tag, options, soon());
  }
  std::filesystem::path blob(const Digest& digest) const {
    return layout_ / "blobs" / std::string(digest.algorithm_name()) / std::string(digest.hex());
  }
  std::vector<std::string> tags() {
    auto source = content::open_layout(layout_);
    EXPECT_THAT(source, IsOk());
    auto page = (*source)->list_tags("", "", soon());
    EXPECT_THAT(page, IsOk());
    return page->names;
  }
  void expect_layers(const Image& image) {
    for (std::size_t i = 0; i < image.layers.size(); ++i) {
      EXPECT_EQ(file(blob(image.digests[i + 1])), image.layers[i]);
    }
  }

  const std::filesystem::path layout_ = folder_ / "layout";
};

TEST_F(CopyTest, WritesALayoutThatHoldsTheSameBytes) {
  const Image image = push_image(*source_, {9 * kMiB + 5, 1000, 0, 5 * kMiB});
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  ASSERT_THAT(copy(image.manifest.digest, "v1",
                   {.progress =
                        [&](std::uint64_t d, std::uint64_t t) {
                          EXPECT_GE(d, done);
                          done = d;
                          total = t;
                        }}),
              IsOk());
  EXPECT_EQ(done, total);
  EXPECT_GT(total, 14 * kMiB);
  expect_layers(image);
  EXPECT_EQ(file(layout_ / "oci-layout"), R"({"imageLayoutVersion":"1.0.0"})");
  auto source = content::open_layout(layout_);
  ASSERT_THAT(source, IsOk());
  auto head = (*source)->head_manifest("", "v1", soon());
  ASSERT_THAT(head, IsOk());
  EXPECT_EQ(head->digest, image.manifest.digest);
}

TEST_F(CopyTest, CopiesFromTheCacheWithoutTheNetwork) {
  const Image image = push_image(*source_, {5 * kMiB, 1000});
  ASSERT_THAT(copy(image.manifest.digest, "v1"), IsOk());
  const auto asked = source_->gets().size();
  std::filesystem::remove_all(layout_);
  open({.offline = true});
  ASSERT_THAT(copy(image.manifest.digest, "v1"), IsOk());
  expect_layers(image);
  EXPECT_EQ(source_->gets().size(), asked);
}

TEST_F(CopyTest, CopiesOnlyWhatTheLayoutDoesNotHold) {
  const Image image = push_image(*source_, {5 * kMiB, 1000, 2000});
  ASSERT_THAT(copy(image.manifest.digest, "v1"), IsOk());
  const auto before = std::filesystem::last_write_time(blob(image.digests[1]));
  // One is damaged and one is gone: both are written again.
  std::ofstream(blob(image.digests[2])) << std::string(1000, '?');
  std::filesystem::remove(blob(image.digests[3]));
  ASSERT_THAT(copy(image.manifest.digest, "v2"), IsOk());
  expect_layers(image);
  EXPECT_EQ(std::filesystem::last_write_time(blob(image.digests[1])), before);
  EXPECT_THAT(tags(), ::testing::ElementsAre("v1", "v2"));
}

TEST_F(CopyTest, ALayoutOnTheSameFileSystemSharesTheCachesFiles) {
  const Image image = push_image(*source_, {9 * kMiB, 1000});
  ASSERT_THAT(copy(image.manifest.digest, "v1"), IsOk());
  expect_layers(image);
  const Digest& layer = image.digests[1];
  const auto cached = folder_ / "cache/blobs/sha256" / std::string(layer.hex());
  struct stat ours{};
  struct stat theirs{};
  ASSERT_EQ(::stat(cached.c_str(), &ours), 0);
  ASSERT_EQ(::stat(blob(layer).c_str(), &theirs), 0);
  const Fd from(::open(cached.c_str(), O_RDONLY | O_CLOEXEC));
  const Fd to(::open((folder_ / "clone").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const bool clones = ::ioctl(to.get(), FICLONE, from.get()) == 0;
  EXPECT_EQ(ours.st_ino == theirs.st_ino, !clones) << "where blocks are shared the files are two";
  std::filesystem::remove_all(layout_);
  const auto one = reader(layer, image.layers[0].size());
  EXPECT_TRUE(one->complete()) << "the cache has lost nothing";
}

TEST_F(CopyTest, ALayoutOnAnotherFileSystemIsACopy) {
  const Image image = push_image(*source_, {9 * kMiB, 1000});
  // Every Linux has it, and nobody's cache is there.
  const auto elsewhere = std::filesystem::path("/dev/shm") / folder_.path().filename();
  ASSERT_THAT(content::copy_to_layout(*store_, source_, "a", image.manifest.digest, elsewhere, "v1",
                                      {}, soon()),
              IsOk());
  const auto copied = elsewhere / "blobs/sha256" / std::string(image.digests[1].hex());
  EXPECT_EQ(file(copied), image.layers[0]);
  EXPECT_EQ(std::filesystem::hard_link_count(copied), 1U);
  std::filesystem::remove_all(elsewhere);
}

TEST_F(CopyTest, ATagMovesToTheNewManifest) {
  const Image first = push_image(*source_, {1000}, 1);
  const Image second = push_image(*source_, {1000}, 2);
  ASSERT_THAT(copy(first.manifest.digest, "v1"), IsOk());
  ASSERT_THAT(copy(second.manifest.digest, "v1"), IsOk());
  auto source = content::open_layout(layout_);
  ASSERT_THAT(source, IsOk());
  auto head = (*source)->head_manifest("", "v1", soon());
  ASSERT_THAT(head, IsOk());
  EXPECT_EQ(head->digest, second.manifest.digest);
  EXPECT_THAT((*source)->get_manifest("", first.manifest.digest.text(), soon()), IsOk());
}

TEST_F(CopyTest, TakesTheManifestOfOnePlatform) {
  Image amd = push_image(*source_, {1000}, 1);
  Image arm = push_image(*source_, {1000}, 2);
  amd.manifest.more = R"(,"platform":{"os":"linux","architecture":"amd64"})";
  arm.manifest.more = R"(,"platform":{"os":"linux","architecture":"arm64"})";
  const std::string type(oci::media::kImageIndex);
  const Digest index = source_->add_manifest(index_json({amd.manifest, arm.manifest}), type);
  const auto platform = [](const char* text) { return *oci::Platform::parse(text); };
  ASSERT_THAT(copy(index, "one", {.platform = platform("linux/arm64")}), IsOk());
  EXPECT_TRUE(std::filesystem::exists(blob(arm.digests[1])));
  EXPECT_FALSE(std::filesystem::exists(blob(amd.digests[1])));
  auto none = copy(index, "none", {.platform = platform("windows/amd64")});
  ASSERT_THAT(none, HasCode(Errc::not_found));
  EXPECT_THAT(none.error().message(), ::testing::HasSubstr("linux/amd64, linux/arm64"));
  ASSERT_THAT(copy(index, "all"), IsOk());
  expect_layers(amd);
  expect_layers(arm);
}

TEST_F(CopyTest, CopiesReferrersWhenAsked) {
  const Image image = push_image(*source_, {1000}, 1);
  const Image signature = push_image(*source_, {500}, 2, R"(,"subject":)" + image.manifest.json());
  source_->add_referrer(image.manifest.digest, {.media_type = signature.manifest.media_type,
                                                .digest = signature.manifest.digest,
                                                .size = signature.manifest.size});
  ASSERT_THAT(copy(image.manifest.digest, "v1"), IsOk());
  EXPECT_FALSE(std::filesystem::exists(blob(signature.manifest.digest)));
  ASSERT_THAT(copy(image.manifest.digest, "v1", {.referrers = true}), IsOk());
  expect_layers(signature);
  auto source = content::open_layout(layout_);
  ASSERT_THAT(source, IsOk());
  auto found = (*source)->referrers("", image.manifest.digest, soon());
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ(found->size(), 1U);
  EXPECT_THAT(tags(), ::testing::ElementsAre("v1"));
}

TEST_F(CopyTest, StreamsPastACacheWithoutRoom) {
  open({}, 512 * 1024);
  const Image image = push_image(*source_, {9 * kMiB, 1000});
  ASSERT_THAT(copy(image.manifest.digest, "v1"), IsOk());
  expect_layers(image);
  EXPECT_FALSE(cache_->contains(image.digests[1]));
}

TEST_F(CopyTest, ALieLeavesNothingUnderTheBlobsName) {
  const Image image = push_image(*source_, {9 * kMiB});
  source_->always({});
  ASSERT_THAT(store_->manifest(source_, "a", image.manifest.digest, soon()), IsOk());
  source_->always({.wrong_byte = 5});
  EXPECT_THAT(copy(image.manifest.digest, "v1"), HasCode(Errc::digest_mismatch));
  EXPECT_FALSE(std::filesystem::exists(blob(image.digests[1])));
  EXPECT_FALSE(std::filesystem::exists(layout_ / "index.json"));
  source_->always({});
  EXPECT_THAT(copy(image.manifest.digest, "v1"), IsOk());
  expect_layers(image);
}

TEST_F(CopyTest, OneLieIsMadeGood) {
  const Image image = push_image(*source_, {9 * kMiB});
  ASSERT_THAT(store_->manifest(source_, "a", image.manifest.digest, soon()), IsOk());
  source_->script({.wrong_byte = 1});
  EXPECT_THAT(copy(image.manifest.digest, "v1"), IsOk());
  expect_layers(image);
}

TEST_F(CopyTest, CancellingLeavesNoIndex) {
  const Image image = push_image(*source_, {9 * kMiB});
  ASSERT_THAT(store_->manifest(source_, "a", image.manifest.digest, soon()), IsOk());
  const auto gate = std::make_shared<Barrier>();
  source_->always({.stall_at = kMiB, .gate = gate});
  std::stop_source stop;
  std::jthread canceller([&] {
    EXPECT_TRUE(gate->wait_for_someone());
    stop.request_stop();
  });
  EXPECT_THAT(content::copy_to_layout(*store_, source_, "a", image.manifest.digest, layout_, "v1",
                                      {}, Context().with_stop(stop.get_token())),
              HasCode(Errc::cancelled));
  EXPECT_FALSE(std::filesystem::exists(layout_ / "index.json"));
}

TEST_F(CopyTest, AFolderWithOtherFilesIsLeftAlone) {
  const Image image = push_image(*source_, {10});
  folder_.write("layout/precious.txt", "mine");
  EXPECT_THAT(copy(image.manifest.digest, "v1"), HasCode(Errc::conflict));
  EXPECT_FALSE(std::filesystem::exists(layout_ / "oci-layout"));
}

TEST_F(CopyTest, WritesAFileCompleteOrNotAtAll) {
  const std::string bytes = sample_bytes(5 * kMiB);
  const Digest digest = source_->add(bytes);
  const std::filesystem::path target = folder_.write("out", "old");
  std::uint64_t done = 0;
  source_->script({.error = Error(Errc::unavailable, "down")});
  const auto one = reader(digest, bytes.size());
  EXPECT_THAT(content::copy_to_file(*one, target, {}, soon()), HasCode(Errc::unavailable));
  EXPECT_EQ(file(target), "old");
  ASSERT_THAT(content::copy_to_file(
                  *one, target, [&](std::uint64_t d, std::uint64_t) { done = d; }, soon()),
              IsOk());
  EXPECT_EQ(file(target), bytes);
  EXPECT_EQ(done, bytes.size());
  // From the cache, over what stands there.
  ASSERT_THAT(content::copy_to_file(*reader(digest, bytes.size()), target, {}, soon()), IsOk());
  EXPECT_EQ(file(target), bytes);
}

TEST_F(CopyTest, SaysOfAFileOnlyWhatBefellTheFile) {
  const std::string bytes = sample_bytes(2 * kMiB);
  const Digest digest = source_->add(bytes);
  const std::filesystem::path target = folder_ / "out";
  source_->script({.error = Error(Errc::unavailable, "down").with_sys_errno(ECONNREFUSED)});
  const auto unread = content::copy_to_file(*reader(digest, bytes.size()), target, {}, soon());
  ASSERT_THAT(unread, HasCode(Errc::unavailable));
  EXPECT_THAT(unread.error().message(), Not(HasSubstr(target.string())));

  const auto one = reader(digest, bytes.size());
  ASSERT_THAT(read_all(*one), IsOk());
  const FileSizeLimit full(kMiB);
  const auto unwritten = content::copy_to_file(*one, target, {}, soon());
  ASSERT_FALSE(unwritten.has_value());
  EXPECT_EQ(unwritten.error().message(), "cannot write '" + target.string() + "': File too large");
}

}  // namespace
}  // namespace berth::test
