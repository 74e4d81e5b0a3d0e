// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/try.hpp"

#include "cache/cache_impl.hpp"
#include "cache/evictor.hpp"
#include "cache/index_file.hpp"
#include "cache/partial_impl.hpp"

namespace berth::cache {

Result<Status> Cache::status() const {
  const auto store = impl_->store();
  Status status;
  status.folder = impl_->options.folder;
  status.used = store->quota().used();
  status.limit = store->quota().limit();
  status.blobs = list_blobs(*store).size();
  for (const std::string& name : names_in(store->root(), "ingest")) {
    if (name.starts_with(".")) continue;
    ++status.partial;
    status.partial_bytes += allocated_below(store->root(), "ingest/" + name);
  }
  return status;
}

Result<VerifyReport> Cache::verify(const std::function<void(std::uint64_t)>& progress,
                                   const Context& context) {
  const auto store = impl_->store();
  VerifyReport report;
  for (const BlobFile& blob : list_blobs(*store)) {
    TRY(context.check());
    auto fd = open_at(store->root(), blob_name(blob.digest), O_RDONLY | O_NOFOLLOW);
    if (!fd) continue;  // evicted meanwhile
    const auto verified = verify_file(
        fd->get(), blob.digest,
        [&](std::uint64_t bytes) {
          report.bytes += bytes;
          if (progress) progress(report.bytes);
        },
        context);
    if (!verified &&
        (verified.error().code() == Errc::cancelled || verified.error().code() == Errc::timeout)) {
      return verified.error();
    }
    ++report.checked;
    if (verified) continue;
    log::warning(
        fmt::format("cache: dropped {}: {}", blob.digest.text(), verified.error().message()));
    drop_blob(*store, blob.digest);
    report.bad.push_back(blob.digest);
  }
  store->quota().scan();
  return report;
}

Result<std::uint64_t> Cache::prune(std::uint64_t keep, const Context& context) {
  const auto store = impl_->store();
  TRY(store->check_writable());
  store->quota().scan();
  std::uint64_t freed = 0;
  while (store->quota().used() > keep) {
    TRY(context.check());
    const auto bytes = store->evictor().evict_one();
    if (!bytes) break;
    freed += *bytes;
  }
  return freed;
}

Result<void> Cache::set_limit(std::uint64_t bytes, const Context& context) {
  const auto store = impl_->store();
  TRY(store->check_writable());
  store->quota().set_limit(bytes);
  if (bytes != 0) TRY(prune(store->quota().limit(), context));
  return {};
}

// Whoever fills them, and whether anybody does: the next process takes them up.
void Cache::Impl::sync_partials(Store& store, const std::vector<std::string>& names) {
  bool any = false;
  for (const std::string& name : names) {
    if (name.starts_with(".")) continue;
    const auto synced = sync_ingest(store, name);
    any |= synced.value_or(false);
    // Dropped meanwhile, or the disk is full: that costs bytes fetched again, no more.
    if (!synced) log::debug("cache: " + synced.error().describe());
  }
  if (!any) return;
  const auto folder = open_at(store.root(), "ingest", O_RDONLY | O_DIRECTORY);
  if (folder) ::fsync(folder->get());
}

Result<void> Cache::sync_data() {
  const auto store = impl_->store();
  if (store->folder().read_only()) return {};
  impl_->take_joined();
  impl_->sync_partials(*store, names_in(store->root(), "ingest"));
  return store->journal().sync();
}

bool Cache::is_index_stale() const {
  const auto store = impl_->store();
  return store->index_stale && !store->folder().read_only();
}

Result<void> Cache::sync() {
  TRY(sync_data());
  const auto store = impl_->store();
  if (store->folder().read_only() || !store->index_stale.exchange(false)) return {};
  auto written = write_index(*store);
  if (!written) store->index_stale = true;
  return written;
}

}  // namespace berth::cache
