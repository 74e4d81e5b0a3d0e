// SPDX-License-Identifier: Apache-2.0
#include "berth/cache/cache.hpp"

#include <sys/stat.h>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/digest/hasher.hpp"

#include "cache/cache_impl.hpp"
#include "cache/index_file.hpp"
#include "cache/partial_impl.hpp"

namespace berth::cache {
namespace {

Result<void> check_verifiable(const Digest& digest) {
  if (digest.is_verifiable()) return {};
  return Error(Errc::unsupported,
               fmt::format("{} cannot be cached: berth cannot compute {} digests", digest.text(),
                           digest.algorithm_name()));
}

// Else all other blobs would go for one that finds no room in the end.
Result<void> check_fits(Store& store, const Digest& digest, std::uint64_t size) {
  if (store.quota().fits(ingest_bytes(size))) return {};
  return Error(Errc::no_space,
               fmt::format("{} ({}) is larger than the cache has room for ({}); {}", digest.text(),
                           text::format_size(size), text::format_size(store.quota().limit()),
                           store.quota().remedy()));
}

std::string folder_name(const Digest& digest) {
  return ingest_name(digest).substr(std::string_view("ingest/").size());
}

}  // namespace

Cache::Cache(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}

Cache::~Cache() {
  if (impl_ == nullptr) return;
  const auto store = impl_->store();
  if (store->folder().read_only()) return;
  // A command that ends does not wait for the disk: what it linked is hashed again should the
  // machine end before the next sync point, and that costs less than a sync for every command.
  // What it leaves half done would be fetched again.
  Impl::sync_partials(*store, impl_->take_joined());
  Result<void> ended;
  if (store->journal().is_long()) {
    ended = sync();
  } else if (store->index_stale.exchange(false)) {
    ended = write_index(*store);
  }
  if (!ended) log::debug("cache: " + ended.error().describe());
}

Result<std::unique_ptr<Cache>> Cache::open(Options options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  auto store = TRY(Store::open(impl->options));
  {
    MutexLock lock(impl->mutex);
    impl->current = std::move(store);
  }
  impl->remembered = make_remembered([owner = impl.get()] { return owner->store(); });
  return std::unique_ptr<Cache>(new Cache(std::move(impl)));
}

std::shared_ptr<Store> Cache::Impl::store() const {
  MutexLock lock(mutex);
  return current;
}

Result<std::shared_ptr<Store>> Cache::Impl::live_store() {
  auto known = store();
  if (known->state().removed()) return reopen();
  if (known->folder().is_open_to_others() && !warned_open.exchange(true)) {
    log::warning(
        fmt::format("the cache {0} was opened to other users: what is in use goes on, "
                    "and nobody can open it anew; close it with: chmod 700 {0}",
                    options.folder.string()));
  }
  return known;
}

// Opening may wait for another process, and whoever only looks for a blob must not: `mutex` is for
// the exchange alone.
Result<std::shared_ptr<Store>> Cache::Impl::reopen() {
  MutexLock turn(reopening);
  if (auto known = store(); !known->state().removed()) return known;
  log::info(fmt::format("cache: {} was removed; making it again", options.folder.string()));
  auto opened = TRY(Store::open(options));
  MutexLock lock(mutex);
  current = std::move(opened);
  return current;
}

Result<std::optional<Blob>> Cache::find(const Digest& digest, const Context& context) {
  if (!digest.is_verifiable()) return std::optional<Blob>();
  return find_blob(*impl_->store(), digest, context);
}

bool Cache::contains(const Digest& digest) const { return has_blob(*impl_->store(), digest); }

std::shared_ptr<Partial> Cache::Impl::known_partial(const Digest& digest) {
  MutexLock lock(join_mutex);
  const auto found = partials.find(digest);
  if (found == partials.end()) return nullptr;
  auto partial = found->second.lock();
  if (partial != nullptr && partial->state() != State::failed) return partial;
  partials.erase(found);
  return nullptr;
}

std::vector<std::string> Cache::Impl::take_joined() {
  MutexLock lock(join_mutex);
  std::vector<std::string> names(joined.begin(), joined.end());
  joined.clear();
  return names;
}

Result<std::shared_ptr<Partial>> Cache::join(const Digest& digest, std::uint64_t size,
                                             const Context& context) {
  TRY(check_verifiable(digest));
  for (;;) {
    auto partial = impl_->known_partial(digest);
    if (partial != nullptr && partial->size() == size) return partial;
    if (context.is_nonblocking()) {
      return Error(Errc::would_block, fmt::format("{} is not joined yet", digest.text()));
    }
    if (partial != nullptr) partial->fail();
    partial = TRY(impl_->joins.run(digest.text(), context,
                                   [&] { return impl_->open_partial(digest, size, context); }));
    // Else another thread led, which had been promised another size.
    if (partial->size() == size) return partial;
  }
}

Result<std::shared_ptr<Partial>> Cache::Impl::open_partial(const Digest& digest, std::uint64_t size,
                                                           const Context& context) {
  // Whoever led before this one has left it there.
  if (auto known = known_partial(digest)) return known;
  const auto store = TRY(live_store());
  auto blob = TRY(find_blob(*store, digest, context));
  const auto is_there = [&] { return blob && blob->size == size; };
  std::optional<Ingest> ingest;
  if (!is_there()) {
    TRY(store->check_writable());
    TRY(check_fits(*store, digest, size));
    ingest = TRY(open_ingest(*store, digest, size));
    store->recency().touch(digest);
    // Between the two looks another process may have published it and taken its folder away: then
    // the one in hand is new, and would be filled for nothing.
    blob = TRY(find_blob(*store, digest, context));
    if (is_there() && ingest->map.chunk(0).written == 0) remove_ingest(*store, digest, *ingest);
  }
  if (is_there()) ingest = Ingest{std::move(blob->fd), Fd{}, TRY(MapFile::complete(size))};
  auto shared = std::make_shared<Partial::Impl>(store, digest, std::move(*ingest));
  std::shared_ptr<Partial> partial(new Partial(std::move(shared)));
  if (size == 0 && partial->state() == State::filling) {
    // Nothing will ever arrive that would say so. A mismatch shows in state().
    static_cast<void>(partial->advance(Context{}));
  }
  MutexLock lock(join_mutex);
  if (partial->state() == State::filling) joined.insert(folder_name(digest));
  partials.insert_or_assign(digest, partial);
  if (partials.size() % 256 == 0) {
    std::erase_if(partials, [](const auto& entry) { return entry.second.expired(); });
  }
  return partial;
}

Result<void> Cache::put(const Digest& digest, ByteView bytes) {
  TRY(check_verifiable(digest));
  TRY(berth::verify(bytes, digest));
  const auto store = TRY(impl_->live_store());
  if (has_blob(*store, digest)) return {};
  return put_blob(*store, digest, bytes);
}

Result<std::optional<std::string>> Cache::get(const Digest& digest, std::size_t limit,
                                              const Context& context) {
  auto blob = TRY(find(digest, context));
  if (!blob) return std::optional<std::string>();
  if (blob->size > limit) {
    return Error(Errc::too_large, fmt::format("{} has {} bytes; at most {} are read here",
                                              digest.text(), blob->size, limit));
  }
  std::string text(static_cast<std::size_t>(blob->size), '\0');
  TRY(pread_exact(blob->fd.get(), std::as_writable_bytes(std::span(text)), 0));
  return std::optional<std::string>(std::move(text));
}

Remembered& Cache::remembered() noexcept { return *impl_->remembered; }

std::uint64_t Cache::limit() const { return impl_->store()->quota().limit(); }

std::string Cache::remedy() const { return impl_->store()->quota().remedy(); }

bool Cache::is_read_only() const { return impl_->store()->folder().read_only(); }

const std::filesystem::path& Cache::folder() const noexcept { return impl_->options.folder; }

}  // namespace berth::cache
