// SPDX-License-Identifier: Apache-2.0
#include "cache/map_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <thread>

#include "berth/cache/partial.hpp"

#include "cache/ingest.hpp"
#include "unit/cache/cache_fixture.hpp"

namespace berth::cache::test {
namespace {

class MapFileTest : public ::testing::Test {
 protected:
  MapFileTest() {
    auto fd = open_at(AT_FDCWD, dir_ / "map", O_RDWR | O_CREAT);
    fd_ = std::move(*fd);
  }
  MapFile create(std::uint64_t size) {
    auto map = MapFile::create(fd_.get(), digest_, size, 7, "boot");
    EXPECT_THAT(map, IsOk());
    return std::move(*map);
  }
  /// Somebody sleeps on the map, or is about to.
  bool is_waiting() const {
    std::uint32_t waiters = 0;
    EXPECT_EQ(::pread(fd_.get(), &waiters, 4, 40), 4);
    return waiters != 0;
  }
  static HashPoint point(std::uint64_t count) {
    HashPoint point{.count = count, .state = {}};
    point.state.fill(static_cast<std::byte>(count));
    return point;
  }
  TempDir dir_;
  Fd fd_;
  const Digest digest_ = digest_of(as_bytes("x"));
};

TEST_F(MapFileTest, IsFoundAsItWasMade) {
  create(9 * kMiB);
  const auto map = MapFile::open(fd_.get());
  ASSERT_THAT(map, IsOk());
  EXPECT_EQ(map->size(), 9 * kMiB);
  EXPECT_EQ(map->chunks(), 3U);
  EXPECT_EQ(map->attempt(), 7U);
  EXPECT_EQ(map->boot_id(), "boot");
  EXPECT_EQ(map->digest(), digest_.text());
  EXPECT_EQ(map->hashed(), 0U);
  EXPECT_EQ(map->load().count, 0U);
}

TEST_F(MapFileTest, AStepFailsWhenSomebodyElseTookOne) {
  MapFile map = create(9 * kMiB);
  const Chunk before = map.chunk(1);
  const Chunk after{.written = 100, .generation = 3, .writing = true, .reserved = true};
  EXPECT_TRUE(map.exchange(1, before, after));
  EXPECT_EQ(map.chunk(1), after);
  EXPECT_FALSE(map.exchange(1, before, Chunk{.written = 5}));
  EXPECT_EQ(map.chunk(1), after);
  EXPECT_EQ(map.chunk(0), Chunk{});
}

TEST_F(MapFileTest, ATornStateOfTheHashIsNotTaken) {
  MapFile map = create(9 * kMiB);
  map.save(point(10));
  map.save(point(20));
  EXPECT_EQ(map.load().count, 20U);
  // A byte of the newer slot's state, as a writer that was killed in the middle leaves it.
  for (const off_t slot : {1024, 1024 + 280}) {
    std::uint64_t count = 0;
    ASSERT_EQ(::pread(fd_.get(), &count, 8, slot + 8), 8);
    if (count != 20) continue;
    ASSERT_EQ(::pwrite(fd_.get(), "?", 1, slot + 100), 1);
  }
  EXPECT_EQ(map.load().count, 10U);
  EXPECT_EQ(map.load().state, point(10).state);
}

TEST_F(MapFileTest, FailingIsForWhatIsNotPublished) {
  MapFile map = create(1);
  EXPECT_TRUE(map.fail());
  EXPECT_FALSE(map.fail());
  MapFile complete = *MapFile::complete(5);
  EXPECT_FALSE(complete.fail());
  EXPECT_EQ(complete.hashed(), 5U);
}

TEST_F(MapFileTest, AWaiterHasABitForEachUnitOfBytes) {
  constexpr std::uint64_t kUnit = 256 * 1024;
  EXPECT_EQ(MapFile::waiters_of(0, 1), 1U);
  EXPECT_EQ(MapFile::waiters_of(kUnit - 1, kUnit), 1U);
  EXPECT_EQ(MapFile::waiters_of(kUnit, kUnit + 1), 2U);
  EXPECT_EQ(MapFile::waiters_of(kUnit - 1, kUnit + 1), 3U);
  EXPECT_EQ(MapFile::waiters_of(31 * kUnit, 33 * kUnit), 0x80000001U) << "in turn";
  EXPECT_EQ(MapFile::waiters_of(0, 33 * kUnit), MapFile::kAllWaiters);
  EXPECT_EQ(MapFile::waiters_of(5, 5), MapFile::kNoWaiters);
}

TEST_F(MapFileTest, AWaiterIsWokenByItsBit) {
  MapFile map = create(9 * kMiB);
  // Several times: one that is only about to sleep sees the change without being woken.
  for (int i = 0; i < 20; ++i) {
    const std::uint32_t seen = map.changes();
    const auto begun = std::chrono::steady_clock::now();
    {
      std::jthread waiter([&] { map.wait(seen, std::chrono::seconds(20), 4); });
      while (!is_waiting()) std::this_thread::yield();
      map.changed(i % 2 == 0 ? 4 : MapFile::kAllWaiters);
    }
    ASSERT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(19));
  }
}

TEST_F(MapFileTest, ASlotIsReadWholeWhileItIsWritten) {
  MapFile map = create(9 * kMiB);
  map.save(point(1));
  std::atomic<bool> ended = false;
  std::jthread writer([&] {
    for (std::uint64_t i = 2; i < 20'000; ++i) map.save(point(i));
    ended = true;
  });
  while (!ended) {
    const HashPoint found = map.load();
    ASSERT_EQ(found.state, found.count == 0 ? HashPoint{}.state : point(found.count).state);
  }
}

TEST_F(MapFileTest, RefusesWhatIsNotAMap) {
  EXPECT_THAT(MapFile::open(fd_.get()), HasCode(Errc::corrupt));
  create(9 * kMiB);
  ASSERT_EQ(::ftruncate(fd_.get(), 4096), 0);
  EXPECT_THAT(MapFile::open(fd_.get()), HasCode(Errc::corrupt)) << "would be SIGBUS";
  ASSERT_EQ(::ftruncate(fd_.get(), 0), 0);
  create(1);
  ASSERT_EQ(::pwrite(fd_.get(), "?", 1, 0), 1);
  EXPECT_THAT(MapFile::open(fd_.get()), HasCode(Errc::corrupt));
}

}  // namespace
}  // namespace berth::cache::test
