// SPDX-License-Identifier: Apache-2.0
#include "unit/cache/cache_fixture.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "cache/fault_point.hpp"
#include "cache/quota.hpp"

namespace berth::cache::test {
namespace {

std::atomic<std::int64_t>* shared_numbers(std::size_t count) {
  void* memory = ::mmap(nullptr, count * sizeof(std::int64_t), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return static_cast<std::atomic<std::int64_t>*>(memory);
}

const char* stall_at = nullptr;
std::atomic<bool> is_stalled;
std::atomic<bool> goes_on;

}  // namespace

Stall::Stall(const char* point) {
  stall_at = point;
  is_stalled = goes_on = false;
  fault_hook = [](const char* here) {
    if (std::string_view(here) != stall_at) return;
    is_stalled = true;
    is_stalled.notify_all();
    goes_on.wait(false);
  };
}
Stall::~Stall() {
  release();
  fault_hook = nullptr;
}
void Stall::wait_until_there() const { is_stalled.wait(false); }
void Stall::release() {
  goes_on = true;
  goes_on.notify_all();
}

FakeClock::FakeClock()
    : shared_(shared_numbers(1)) {
  *shared_ = 1'000'000'000'000'000;
}
FakeClock::~FakeClock() { ::munmap(shared_, sizeof(std::int64_t)); }
Clock::SystemTime FakeClock::now() const {
  return SystemTime(std::chrono::seconds(1'700'000'000) + std::chrono::nanoseconds(*shared_));
}
Clock::SteadyTime FakeClock::ticks() const {
  return SteadyTime(std::chrono::nanoseconds(shared_->load()));
}
Result<void> FakeClock::sleep(std::chrono::nanoseconds time, const Context& context) {
  pass(time);
  return context.check();
}

std::string content(std::size_t size, unsigned seed) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; i += 8) {
    const std::uint64_t value = random();
    std::memcpy(bytes.data() + i, &value, std::min<std::size_t>(8, size - i));
  }
  return bytes;
}

Child::Child(const std::function<int()>& work)
    : pid_(::fork()) {
  if (pid_ != 0) return;
  int status = 99;
  try {
    status = work();
  } catch (...) {
  }
  ::_exit(status);
}
Child::~Child() {
  if (pid_ > 0) kill();
}
void Child::kill() {
  ::kill(pid_, SIGKILL);
  wait();
}
void Child::stop() {
  ::kill(pid_, SIGSTOP);
  siginfo_t info{};
  // Leaves an end, if it came first, to wait().
  ::waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WEXITED | WNOWAIT);
}
void Child::resume() { ::kill(pid_, SIGCONT); }
int Child::wait() {
  int status = 0;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Signals::Signals()
    : flags_(shared_numbers(64)) {}
Signals::~Signals() { ::munmap(flags_, 64 * sizeof(std::int64_t)); }
bool Signals::wait_for(int which) const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!is_raised(which)) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

std::unique_ptr<Cache> CacheTest::open(std::uint64_t limit) {
  auto cache = Cache::open(options(limit));
  EXPECT_THAT(cache, IsOk());
  return cache ? std::move(*cache) : nullptr;
}

std::string CacheTest::read_blob(Cache& cache, const Digest& digest) {
  auto text = cache.get(digest, 1024 * kMiB);
  EXPECT_THAT(text, IsOk());
  return text && *text ? **text : "(absent)";
}

std::filesystem::path CacheTest::blob_path(const Digest& digest) const {
  return folder() / "blobs" / digest.algorithm_name() / digest.hex();
}
std::filesystem::path CacheTest::ingest_path(const Digest& digest) const {
  return folder() / "ingest" /
         (std::string(digest.algorithm_name()) + "-" + std::string(digest.hex()));
}

void CacheTest::expect_blobs_verified() const {
  for (const char* algorithm : {"sha256", "sha384", "sha512"}) {
    const auto below = folder() / "blobs" / algorithm;
    if (!std::filesystem::exists(below)) continue;
    for (const auto& entry : std::filesystem::directory_iterator(below)) {
      std::ostringstream text;
      text << std::ifstream(entry.path(), std::ios::binary).rdbuf();
      const auto named = Digest::from_parts(algorithm, entry.path().filename().string());
      ASSERT_THAT(named, IsOk());
      EXPECT_EQ(digest_of(as_bytes(text.str()), named->algorithm()), *named);
    }
  }
}

std::size_t fill(Partial& partial, const std::string& bytes, std::size_t step) {
  std::size_t written = 0;
  std::uint64_t from = 0;
  while (partial.state() == State::filling) {
    auto download = partial.begin_download(from);
    if (!download || !*download) break;
    Download& now = **download;
    for (bool more = true; more && now.position() < bytes.size();) {
      const std::size_t length =
          std::min<std::size_t>(step, bytes.size() - static_cast<std::size_t>(now.position()));
      const std::uint64_t before = now.position();
      const auto result = now.write(
          as_bytes(std::string_view(bytes).substr(static_cast<std::size_t>(before), length)));
      written += static_cast<std::size_t>(now.position() - before);
      if (!result) return written;
      more = *result;
    }
  }
  return written;
}

State fill_to_end(Partial& partial, const std::string& bytes, std::size_t* written) {
  std::uint64_t seen = partial.changes();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (partial.state() == State::filling && std::chrono::steady_clock::now() < deadline) {
    std::size_t here = 0;
    for (std::uint64_t from = 0; from < bytes.size(); from += kChunk) {
      auto download = partial.begin_download(from);
      if (!download || !*download) continue;
      Download& now = **download;
      const auto position = static_cast<std::size_t>(now.position());
      const std::size_t end = static_cast<std::size_t>(now.end());
      if (now.write(as_bytes(std::string_view(bytes).substr(position, end - position)))) {
        here += static_cast<std::size_t>(now.position()) - position;
      }
    }
    if (written != nullptr) *written += here;
    static_cast<void>(partial.advance(Context{}));
    if (here == 0) seen = partial.wait(seen, std::chrono::milliseconds(20), Context{});
  }
  return partial.state();
}

std::uint64_t disk_usage(const std::filesystem::path& folder) {
  std::uint64_t bytes = 0;
  struct stat info{};
  if (::lstat(folder.c_str(), &info) == 0)
    bytes += static_cast<std::uint64_t>(info.st_blocks) * 512;
  std::error_code ignored;
  for (auto it = std::filesystem::recursive_directory_iterator(folder, ignored);
       it != std::filesystem::recursive_directory_iterator(); it.increment(ignored)) {
    if (::lstat(it->path().c_str(), &info) != 0) continue;
    bytes += static_cast<std::uint64_t>(info.st_blocks) * 512;
    if (ignored) break;
  }
  return bytes;
}

}  // namespace berth::cache::test
