// SPDX-License-Identifier: Apache-2.0
// Streaming throughput through a mount: berthfs beside this program, docker-registry on loopback,
// on the same cores. How that compares with peers: side_by_side.py.
#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "berth/base/fd.hpp"

#include "e2e/mounted.hpp"
#include "support/fake_registry.hpp"
#include "support/real_registry.hpp"

namespace {

using namespace berth;

constexpr std::size_t kBlob = 256 << 20;
constexpr const char* kRepository = "bench/blob";

/// docker-registry with one image of one layer, started when the first benchmark asks.
struct Served {
  test::RealRegistry registry;
  std::string digest;

  static Served& instance() {
    static Served served;
    return served;
  }

  Served() {
    auto client = registry.client({kRepository});
    digest = client.push_blob(kRepository, test::pattern_bytes(kBlob));
    const std::string config = client.push_blob(kRepository, "{}");
    client.push_manifest(
        kRepository, "v1",
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)"
        R"("config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":2,"digest":")" +
            config +
            R"("},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","size":)" +
            std::to_string(kBlob) + R"(,"digest":")" + digest + R"("}]})",
        "application/vnd.oci.image.manifest.v1+json");
  }
};

bool read_all(const std::string& path, std::vector<char>& buffer) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::size_t total = 0;
  ssize_t got = 0;
  while ((got = ::read(fd.get(), buffer.data(), buffer.size())) > 0) {
    total += static_cast<std::size_t>(got);
  }
  return got == 0 && total == kBlob;
}

enum class Cache : unsigned char {
  empty,      ///< each round begins with an empty cache
  remounted,  ///< the blob is cached, the kernel has none of its pages
  read,       ///< and was read through this mount
};

void through_the_mount(benchmark::State& state, Cache cache) {
  Served& served = Served::instance();
  std::vector<char> buffer(128 * 1024);
  auto home = std::make_shared<test::TempDir>();
  std::optional<test::Mounted> mount;
  const auto read = [&] {
    return read_all(mount->path(std::string(kRepository) + "/v1/layers/00.tar.gz"), buffer);
  };
  for (auto _ : state) {
    state.PauseTiming();
    const bool first = !mount;
    if (first || cache != Cache::read) {
      mount.reset();
      if (cache == Cache::empty) home = std::make_shared<test::TempDir>();
      mount.emplace(home, served.registry.host(), "");
    }
    if (first && cache != Cache::empty && !read()) return state.SkipWithError("the read failed");
    if (first && cache == Cache::remounted) {
      mount.reset();
      mount.emplace(home, served.registry.host(), "");
    }
    state.ResumeTiming();
    if (!read()) return state.SkipWithError("the read failed");
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kBlob));
}
BENCHMARK_CAPTURE(through_the_mount, cold, Cache::empty)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(through_the_mount, cached, Cache::remounted)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(through_the_mount, read_before, Cache::read)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
