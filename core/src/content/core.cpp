// SPDX-License-Identifier: Apache-2.0
#include "content/core.hpp"

#include <vector>

#include <fmt/core.h>

#include "content/fetch.hpp"

namespace berth::content {

Core::Core(cache::Cache& the_cache, StoreOptions the_options)
    : cache(the_cache),
      options(std::move(the_options)),
      notifier(options.on_dropped) {}

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
