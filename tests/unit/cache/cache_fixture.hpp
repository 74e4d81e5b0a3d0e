// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "berth/cache/cache.hpp"
#include "berth/digest/hasher.hpp"

#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace berth::cache::test {

using namespace berth::test;  // NOLINT(google-build-using-namespace): matchers

inline constexpr std::size_t kMiB = 1024 * 1024;

/// Moves only when told; shared with children that were forked, as the machine's clock is.
class FakeClock final : public Clock {
 public:
  FakeClock();
  ~FakeClock() override;
  SystemTime now() const override;
  SteadyTime ticks() const override;
  Result<void> sleep(std::chrono::nanoseconds time, const Context& context) override;
  void pass(std::chrono::nanoseconds time) { *shared_ += time.count(); }

 private:
  std::atomic<std::int64_t>* shared_;
};

/// Bytes that do not repeat and differ between seeds; the same for the same seed.
std::string content(std::size_t size, unsigned seed = 1);

/// A forked process that ends by _exit. `work` returns its exit status.
class Child {
 public:
  explicit Child(const std::function<int()>& work);
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();
  void kill();  ///< with SIGKILL, and waits for its end
  void stop();  ///< with SIGSTOP, and waits until it stands
  void resume();
  int wait();  ///< its exit status; 128 + signal
  pid_t pid() const noexcept { return pid_; }

 private:
  pid_t pid_ = -1;
};

/// Memory that forked processes share: to tell each other how far they are.
class Signals {
 public:
  Signals();
  ~Signals();
  void raise(int which) { flags_[which] = 1; }
  bool is_raised(int which) const { return flags_[which] != 0; }
  /// False when it was not raised within 20 s.
  bool wait_for(int which) const;
  std::atomic<std::int64_t>& number(int which) { return flags_[which]; }

 private:
  std::atomic<std::int64_t>* flags_;
};

/// Every thread that comes to a fault point stands there, until the test is over with it. One at a
/// time.
class Stall {
 public:
  explicit Stall(const char* point);
  Stall(const Stall&) = delete;
  Stall& operator=(const Stall&) = delete;
  ~Stall();
  void wait_until_there() const;
  void release();
};

class CacheTest : public ::testing::Test {
 protected:
  CacheTest() = default;

  std::filesystem::path folder() const { return dir_ / "cache"; }
  Options options(std::uint64_t limit = 0) {
    return Options{.folder = folder(), .limit = limit, .clock = &clock_, .boot_id = boot_};
  }
  std::unique_ptr<Cache> open(std::uint64_t limit = 0);
  std::string read_blob(Cache& cache, const Digest& digest);
  std::filesystem::path blob_path(const Digest& digest) const;
  std::filesystem::path ingest_path(const Digest& digest) const;
  /// Hashes every file under blobs/ against its name: the first promise.
  void expect_blobs_verified() const;

  TempDir dir_;
  FakeClock clock_;
  std::string boot_ = "boot-1";
};

/// Fills a partial blob from `bytes`, in steps, until it is complete or another process has all
/// chunks that are left. Returns how many bytes were written here.
std::size_t fill(Partial& partial, const std::string& bytes, std::size_t step = 64 * 1024);
/// As fill, and waits for others until the state changes.
State fill_to_end(Partial& partial, const std::string& bytes, std::size_t* written = nullptr);

/// Bytes of blocks of a folder with all in it.
std::uint64_t disk_usage(const std::filesystem::path& folder);

}  // namespace berth::cache::test
