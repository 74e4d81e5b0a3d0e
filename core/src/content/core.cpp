// SPDX-License-Identifier: Apache-2.0
#include "content/core.hpp"

#include <vector>

#include <fmt/core.h>

#include "berth/base/log.hpp"

#include "content/fetch.hpp"

namespace berth::content {
namespace {

/// What may have to be fetched again after the end of the machine: whichever comes first.
constexpr std::uint64_t kSyncBytes = std::uint64_t{8} * 1024 * 1024 * 1024;
constexpr std::chrono::seconds kSyncTime{60};
/// Configs beyond kVerifyFirst: there are hardly any. Beyond that many the set starts anew.
constexpr std::size_t kLargeConfigs = 10'000;

}  // namespace

Core::Core(cache::Cache& the_cache, StoreOptions the_options)
    : cache(the_cache),
      options(std::move(the_options)),
      notifier(options.on_dropped),
      synced_at(options.clock->ticks().time_since_epoch().count()) {}

bool Core::verifies_first(const Digest& digest, std::uint64_t size) {
  if (size <= kVerifyFirst || options.verify_full) return true;
  MutexLock lock(mutex);
  return large_configs.contains(digest);
}

void Core::note_config(const oci::Descriptor& config) {
  if (config.size <= kVerifyFirst) return;
  MutexLock lock(mutex);
  if (large_configs.size() >= kLargeConfigs) large_configs.clear();
  large_configs.insert(config.digest);
}

void Core::sync_when_due() {
  const std::uint64_t fetched = counting.bytes_fetched;
  const Clock::SteadyTime last{Clock::SteadyTime::duration(synced_at.load())};
  const Clock::SteadyTime now = options.clock->ticks();
  if (fetched - synced_bytes < kSyncBytes && now - last < kSyncTime) return;
  if (syncing.exchange(true)) return;
  synced_bytes = fetched;
  synced_at = now.time_since_epoch().count();
  const bool submitted = scheduler.submit("", TransferKind::brief, [this] {
    if (auto done = cache.sync_data(); !done) log::warning(done.error().describe());
    syncing = false;
  });
  if (!submitted) syncing = false;
}

Result<std::shared_ptr<Fetch>> Core::fetch(const std::shared_ptr<Core>& self, const Digest& digest,
                                           std::uint64_t size) {
  MutexLock lock(mutex);
  std::erase_if(fetches, [](const auto& entry) { return entry.second.expired(); });
  auto& entry = fetches[digest];
  auto fetch = entry.lock();
  if (!fetch) {
    entry = fetch = std::make_shared<Fetch>(self, digest, size);
  } else if (fetch->size() != size) {
    return Error(
        Errc::conflict,
        fmt::format("blob {} is being read as one of {} bytes; a manifest that promises {} "
                    "must wait",
                    digest.text(), fetch->size(), size));
  }
  return fetch;
}

void Core::shutdown() {
  closed = true;
  std::vector<std::shared_ptr<Fetch>> running;
  {
    MutexLock lock(mutex);
    for (const auto& entry : fetches) {
      if (auto fetch = entry.second.lock()) running.push_back(std::move(fetch));
    }
  }
  for (const auto& fetch : running) fetch->stop();
  scheduler.shutdown();
  notifier.shutdown();
}

}  // namespace berth::content
