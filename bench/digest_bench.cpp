// SPDX-License-Identifier: Apache-2.0
// Digest verification: one stream, several at once, small ones, and of a blob in the cache;
// beside OpenSSL's EVP interface in the same program.
#include <memory>
#include <vector>

#include <benchmark/benchmark.h>
#include <openssl/evp.h>

#include "berth/cache/cache.hpp"
#include "berth/digest/hasher.hpp"

#include "support/temp_dir.hpp"

namespace {

using berth::Algorithm;
using berth::Bytes;
using berth::ByteView;
using berth::Hasher;

Bytes pattern(std::size_t size) {
  Bytes bytes(size);
  std::uint32_t state = 12345;
  for (auto& byte : bytes)
    byte = static_cast<std::byte>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

constexpr std::size_t kPiece = 256 * 1024;

void one_stream(benchmark::State& state) {
  const auto algorithm = static_cast<Algorithm>(state.range(0));
  const Bytes data = pattern(64 << 20);
  for (auto _ : state) {
    Hasher hasher = *Hasher::create(algorithm);
    for (std::size_t at = 0; at < data.size(); at += kPiece)
      hasher.update(ByteView(data).subspan(at, kPiece));
    benchmark::DoNotOptimize(std::move(hasher).finish());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(data.size()));
  state.SetLabel(std::string(to_string(algorithm)));
}
BENCHMARK(one_stream)
    ->Arg(static_cast<int>(Algorithm::sha256))
    ->Arg(static_cast<int>(Algorithm::sha512))
    ->Unit(benchmark::kMillisecond);

void one_stream_openssl(benchmark::State& state) {
  const Bytes data = pattern(64 << 20);
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                   EVP_MD_CTX_free);
  for (auto _ : state) {
    unsigned char out[EVP_MAX_MD_SIZE];
    EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
    for (std::size_t at = 0; at < data.size(); at += kPiece)
      EVP_DigestUpdate(context.get(), data.data() + at, kPiece);
    EVP_DigestFinal_ex(context.get(), out, nullptr);
    benchmark::DoNotOptimize(out);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(data.size()));
  state.SetLabel("sha256, EVP");
}
BENCHMARK(one_stream_openssl)->Unit(benchmark::kMillisecond);

/// As many streams as threads, as a pull of many layers has them.
void many_streams(benchmark::State& state) {
  const Bytes data = pattern(16 << 20);
  for (auto _ : state) benchmark::DoNotOptimize(berth::digest_of(data));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(data.size()));
}
BENCHMARK(many_streams)->Threads(1)->Threads(2)->UseRealTime()->Unit(benchmark::kMillisecond);

void small(benchmark::State& state) {
  const Bytes data = pattern(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(berth::digest_of(data));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(small)->Arg(64)->Arg(1024)->Arg(16 * 1024);

void small_openssl(benchmark::State& state) {
  const Bytes data = pattern(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    unsigned char out[EVP_MAX_MD_SIZE];
    EVP_Digest(data.data(), data.size(), out, nullptr, EVP_sha256(), nullptr);
    benchmark::DoNotOptimize(out);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(small_openssl)->Arg(64)->Arg(1024)->Arg(16 * 1024);

/// A blob that is in the cache, and in the page cache, verified again as `berth cache verify` does.
void from_the_cache(benchmark::State& state) {
  const Bytes data = pattern(64 << 20);
  const berth::test::TempDir folder;
  auto cache = berth::cache::Cache::open({.folder = folder / "cache", .limit = 4 * data.size()});
  if (!cache || !(*cache)->put(berth::digest_of(data), data)) {
    state.SkipWithError("no cache");
    return;
  }
  for (auto _ : state) {
    const auto report = (*cache)->verify([](std::uint64_t) {}, berth::Context{});
    if (!report || report->bytes != data.size() || !report->bad.empty())
      state.SkipWithError("not verified");
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(data.size()));
}
BENCHMARK(from_the_cache)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
