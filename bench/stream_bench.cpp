// SPDX-License-Identifier: Apache-2.0
// Streaming throughput in one process: the transport alone, a fetch that is verified into the
// cache, and a read from the cache; from docker-registry on loopback, which has its share of the
// same cores. Through the mount: mount_bench.cpp.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "berth/content/store.hpp"

#include "support/real_registry.hpp"
#include "support/registry_rig.hpp"
#include "support/temp_dir.hpp"

namespace {

using namespace berth;

constexpr std::size_t kBlob = 256 << 20;
constexpr const char* kRepository = "bench/blob";

std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint64_t state = 88172645463325252ULL;
  for (char& byte : bytes) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    byte = static_cast<char>(state);
  }
  return bytes;
}

/// docker-registry with one blob, started when the first benchmark asks.
struct Served {
  test::RealRegistry registry;
  Digest digest;

  static Served& instance() {
    static Served served;
    return served;
  }

  Served()
      : digest(push(registry)) {}

  static Digest push(test::RealRegistry& registry) {
    return Digest::parse(registry.client({kRepository}).push_blob(kRepository, pattern(kBlob)))
        .value();
  }
};

Result<std::uint64_t> drain(registry::Client& client, const Digest& digest) {
  auto stream = client.get_blob(kRepository, digest, 0, std::nullopt, Context{});
  if (!stream) return stream.error();
  std::uint64_t total = 0;
  while (true) {
    const auto piece = stream->body->next(Context{});
    if (!piece) return piece.error();
    if (piece->empty()) return total;
    total += piece->size();
  }
}

void transport(benchmark::State& state) {
  Served& served = Served::instance();
  test::RegistryRig rig({served.registry.origin()});
  for (auto _ : state) {
    if (const auto got = drain(*rig, served.digest); !got || *got != kBlob)
      state.SkipWithError("the transfer failed");
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kBlob));
}
BENCHMARK(transport)->Unit(benchmark::kMillisecond)->UseRealTime();

Result<void> read_all_of(content::BlobReader& reader, std::vector<std::byte>& buffer) {
  for (std::uint64_t offset = 0; offset < reader.size();) {
    const auto got = reader.read(offset, buffer, Context{});
    if (!got) return got.error();
    offset += *got;
  }
  return {};
}

/// `fresh`: an empty cache for each round. Otherwise the blob is there.
void through_the_cache(benchmark::State& state, bool fresh) {
  Served& served = Served::instance();
  std::vector<std::byte> buffer(512 * 1024);
  std::optional<test::TempDir> folder;
  std::unique_ptr<cache::Cache> cache;
  for (auto _ : state) {
    state.PauseTiming();
    if (fresh || !cache) {
      cache.reset();
      folder.emplace();
      auto opened = cache::Cache::open({.folder = *folder / "cache", .limit = 4 * kBlob});
      if (!opened) return state.SkipWithError("no cache");
      cache = std::move(*opened);
    }
    auto rig =
        std::make_unique<test::RegistryRig>(std::vector<std::string>{served.registry.origin()});
    std::vector<registry::Endpoint> endpoints = rig->endpoints();
    const auto source = content::make_registry_source(
        std::make_unique<registry::Client>(served.registry.host(), endpoints));
    content::Store store(*cache, {});
    if (!fresh && !cache->contains(served.digest)) {
      auto first = store.open_blob(source, kRepository, served.digest, kBlob, Context{});
      if (!first || !read_all_of(**first, buffer)) return state.SkipWithError("the fetch failed");
    }
    state.ResumeTiming();
    auto reader = store.open_blob(source, kRepository, served.digest, kBlob, Context{});
    if (!reader || !read_all_of(**reader, buffer)) return state.SkipWithError("the read failed");
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kBlob));
}
BENCHMARK_CAPTURE(through_the_cache, fetched_and_verified, true)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(through_the_cache, already_there, false)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
