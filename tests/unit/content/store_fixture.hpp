// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include "berth/content/store.hpp"

#include "support/fake_clock.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"
#include "unit/content/fake_source.hpp"

namespace berth::test {

inline constexpr std::uint64_t kMiB = 1024 * 1024;

/// A store over a real cache in a folder of its own, and one scripted registry.
class StoreFixture : public ::testing::Test {
 protected:
  void open(content::StoreOptions options = {}, std::uint64_t limit = 256 * kMiB) {
    store_.reset();
    cache_.reset();
    auto cache = cache::Cache::open(
        {.folder = folder_ / "cache", .limit = limit, .clock = cache_clock_, .boot_id = boot_});
    ASSERT_THAT(cache, IsOk());
    cache_ = std::move(*cache);
    store_ = std::make_unique<content::Store>(*cache_, std::move(options));
  }

  std::shared_ptr<content::BlobReader> reader(const Digest& digest, std::uint64_t size) {
    auto opened = store_->open_blob(source_, "a", digest, size, soon());
    EXPECT_THAT(opened, IsOk());
    return opened ? *opened : nullptr;
  }

  static Context soon() { return Context().with_timeout(std::chrono::seconds(45)); }

  static Result<std::string> read(content::BlobReader& reader, std::uint64_t offset,
                                  std::size_t length) {
    std::string bytes(length, '\0');
    auto got = reader.read(offset, std::as_writable_bytes(std::span(bytes)), soon());
    if (!got) return std::move(got).error();
    bytes.resize(*got);
    return bytes;
  }

  /// From start to end in pieces, as `cat` does.
  static Result<std::string> read_all(content::BlobReader& reader, std::size_t piece = 128 * 1024) {
    std::string all;
    while (all.size() < reader.size()) {
      auto got = read(reader, all.size(), piece);
      if (!got) return std::move(got).error();
      all += *got;
    }
    return all;
  }

  TempDir folder_;
  FakeClock stopped_clock_;
  Clock* cache_clock_ = &real_clock();  ///< &stopped_clock_: nobody is passed by as stalled
  std::string boot_ = "boot-1";         ///< another one: the machine was started again
  std::unique_ptr<cache::Cache> cache_;
  std::unique_ptr<content::Store> store_;
  std::shared_ptr<FakeSource> source_ = std::make_shared<FakeSource>();
};

}  // namespace berth::test
