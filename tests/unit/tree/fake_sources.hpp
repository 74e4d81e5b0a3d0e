// SPDX-License-Identifier: Apache-2.0
#pragma once

// Registries, a memory and a store for tests of the tree: everything in memory, every question
// counted, changeable between steps, and able to be away.

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "berth/base/sync.hpp"
#include "berth/digest/hasher.hpp"
#include "berth/oci/media_type.hpp"

#include "tree/sources.hpp"

namespace berth::test {

class TestClock final : public Clock {
 public:
  SystemTime now() const override { return SystemTime(std::chrono::seconds(1'700'000'000)) + at(); }
  SteadyTime ticks() const override {
    return SteadyTime(
        std::chrono::duration_cast<SteadyTime::duration>(std::chrono::hours(1) + at()));
  }
  Result<void> sleep(std::chrono::nanoseconds time, const Context& /*context*/) override {
    advance(std::chrono::ceil<std::chrono::milliseconds>(time));
    return {};
  }
  void advance(std::chrono::milliseconds time) { passed_ += time.count(); }

 private:
  std::chrono::milliseconds at() const { return std::chrono::milliseconds(passed_.load()); }
  std::atomic<std::int64_t> passed_ = 0;
};

/// What a descriptor says in JSON.
inline std::string descriptor_json(const std::string& type, const std::string& content,
                                   const std::string& more = "") {
  return R"({"mediaType":")" + type + R"(","digest":")" + digest_of(as_bytes(content)).text() +
         R"(","size":)" + std::to_string(content.size()) + more + "}";
}
inline std::string titled(const std::string& title) {
  return R"(,"annotations":{"org.opencontainers.image.title":")" + title + R"("})";
}

struct MemoryRepository {
  std::map<std::string, Digest> tags;
  std::map<Digest, std::pair<std::string, std::string>> manifests;  ///< type and bytes
  std::map<Digest, std::string> blobs;
  std::map<Digest, std::vector<oci::Descriptor>> referrers;
};

/// A registry, or a layout when its name says so.
class MemoryRegistry final : public content::Source {
 public:
  explicit MemoryRegistry(std::string name)
      : name_(std::move(name)) {}

  // What it holds. Lock before changing it while threads run.
  std::map<std::string, MemoryRepository> repositories;
  content::Capabilities can;
  std::size_t page_size = 1000;
  std::optional<Error> away;                                  ///< every question fails so
  bool silent = false;                                        ///< takes questions, answers none
  std::map<std::string, Error> refusals;                      ///< by question, as in counts
  std::function<void(const std::string& reference)> on_head;  ///< called without the lock
  std::function<void()> on_head_answered;        ///< the same, with the answer on its way
  std::shared_ptr<content::Management> managed;  ///< shown where `can` says so
  Mutex mutex;

  std::string push_blob(const std::string& repository, const std::string& content) {
    const Digest digest = digest_of(as_bytes(content));
    repositories[repository].blobs.insert_or_assign(digest, content);
    return digest.text();
  }
  Digest push(const std::string& repository, const std::string& tag, const std::string& type,
              const std::string& raw) {
    const Digest digest = digest_of(as_bytes(raw));
    MemoryRepository& held = repositories[repository];
    held.manifests.insert_or_assign(digest, std::pair(type, raw));
    if (!tag.empty()) held.tags.insert_or_assign(tag, digest);
    return digest;
  }
  /// An image or artifact: `layers` are pairs of a descriptor's extra JSON and the content.
  Digest push_image(const std::string& repository, const std::string& tag,
                    const std::vector<std::pair<std::string, std::string>>& layers,
                    const std::string& config = "{}", const std::string& more = "") {
    push_blob(repository, config);
    std::string list;
    for (const auto& [extra, content] : layers) {
      push_blob(repository, content);
      list += (list.empty() ? "" : ",") +
              descriptor_json("application/vnd.oci.image.layer.v1.tar+gzip", content, extra);
    }
    return push(repository, tag, std::string(oci::media::kImageManifest),
                R"({"schemaVersion":2,"mediaType":")" + std::string(oci::media::kImageManifest) +
                    R"(","config":)" +
                    descriptor_json(std::string(oci::media::kImageConfig), config) +
                    R"(,"layers":[)" + list + "]" + more + "}");
  }
  /// An index: pairs of a platform's JSON ("" for none) and a manifest's digest in this repository.
  Digest push_index(const std::string& repository, const std::string& tag,
                    const std::vector<std::pair<std::string, Digest>>& children) {
    std::string list;
    for (const auto& [platform, digest] : children) {
      list += std::string(list.empty() ? "" : ",") + R"({"mediaType":")" +
              std::string(oci::media::kImageManifest) + R"(","digest":")" + digest.text() +
              R"(","size":100)" + (platform.empty() ? "" : R"(,"platform":)" + platform) + "}";
    }
    return push(repository, tag, std::string(oci::media::kImageIndex),
                R"({"schemaVersion":2,"mediaType":")" + std::string(oci::media::kImageIndex) +
                    R"(","manifests":[)" + list + "]}");
  }

  std::size_t count(const std::string& question) {
    const MutexLock lock(mutex);
    return counts_[question];
  }
  std::size_t requests() {
    const MutexLock lock(mutex);
    std::size_t all = 0;
    for (const auto& [question, number] : counts_) all += number;
    return all;
  }

  const std::string& name() const noexcept override { return name_; }
  content::Capabilities capabilities() const override { return can; }
  content::Management* management() const noexcept override {
    return can.properties ? managed.get() : nullptr;
  }
  /// Counts a question of `managed`, and says what it meets.
  Result<void> question(const std::string& name) {
    const MutexLock lock(mutex);
    if (auto error = ask(name)) return *error;
    return {};
  }

  Result<registry::Page> list_repositories(const std::string& from,
                                           const Context& context) override {
    if (auto late = keep_silent("catalogue", context)) return *late;
    const MutexLock lock(mutex);
    if (auto error = ask("catalogue")) return *error;
    std::vector<std::string> names;
    for (const auto& [name, held] : repositories) names.push_back(name);
    return page(names, from);
  }
  Result<registry::Page> list_tags(const std::string& repository, const std::string& from,
                                   const Context& context) override {
    if (auto late = keep_silent("tags", context)) return *late;
    const MutexLock lock(mutex);
    if (auto error = ask("tags")) return *error;
    const auto held = repositories.find(repository);
    if (held == repositories.end()) return absent(repository);
    std::vector<std::string> names;
    for (const auto& [name, digest] : held->second.tags) names.push_back(name);
    return page(names, from);
  }
  Result<registry::ManifestHead> head_manifest(const std::string& repository,
                                               const std::string& reference,
                                               const Context& context) override {
    if (on_head) on_head(reference);
    if (auto late = keep_silent("head", context)) return *late;
    const auto raw = [&]() -> Result<registry::Client::RawManifest> {
      const MutexLock lock(mutex);
      if (auto error = ask("head")) return *error;
      return find(repository, reference);
    }();
    if (on_head_answered) on_head_answered();
    if (!raw) return raw.error();
    return registry::ManifestHead{raw->digest, raw->raw.size(), raw->media_type, ""};
  }
  Result<registry::Client::RawManifest> get_manifest(const std::string& repository,
                                                     const std::string& reference,
                                                     const Context&) override {
    const MutexLock lock(mutex);
    if (auto error = ask("manifest")) return *error;
    return find(repository, reference);
  }
  Result<registry::BlobHead> head_blob(const std::string& repository, const Digest& digest,
                                       const Context&) override {
    const MutexLock lock(mutex);
    if (auto error = ask("head blob")) return *error;
    const auto held = repositories.find(repository);
    if (held == repositories.end() || !held->second.blobs.contains(digest)) {
      return absent(digest.text());
    }
    return registry::BlobHead{held->second.blobs.at(digest).size(), true};
  }
  Result<registry::BlobStream> get_blob(const std::string&, const Digest&, std::uint64_t,
                                        std::optional<std::uint64_t>, const Context&) override {
    return Error(Errc::internal, "the fake store reads blobs itself");
  }
  Result<std::vector<oci::Descriptor>> referrers(const std::string& repository,
                                                 const Digest& digest, const Context&) override {
    const MutexLock lock(mutex);
    if (auto error = ask("referrers")) return *error;
    const auto& all = repositories[repository].referrers;
    const auto found = all.find(digest);
    return found == all.end() ? std::vector<oci::Descriptor>{} : found->second;
  }
  std::optional<std::filesystem::path> local_file(const Digest&) const override {
    return std::nullopt;
  }

  /// A blob's bytes; a question of its own.
  Result<std::string> blob(const std::string& repository, const Digest& digest) {
    const MutexLock lock(mutex);
    if (auto error = ask("blob")) return *error;
    const auto held = repositories.find(repository);
    if (held == repositories.end() || !held->second.blobs.contains(digest)) {
      return absent(digest.text());
    }
    return held->second.blobs.at(digest);
  }

 private:
  static Error absent(const std::string& what) { return {Errc::not_found, what + " is unknown"}; }

  /// What a transport says whose server takes the request and sends nothing.
  std::optional<Error> keep_silent(const std::string& question, const Context& context) {
    const MutexLock lock(mutex);
    if (!silent) return std::nullopt;
    ++counts_[question];
    CondVar never;
    while (context.check()) never.wait(mutex, context);
    return Error(context.check().error().code(), name_ + " does not answer");
  }

  std::optional<Error> ask(const std::string& question) BERTH_REQUIRES(mutex) {
    ++counts_[question];
    if (away) return away;
    const auto refused = refusals.find(question);
    if (refused != refusals.end()) return refused->second;
    return std::nullopt;
  }
  Result<registry::Page> page(const std::vector<std::string>& names,
                              const std::string& from) const {
    const std::size_t first = from.empty() ? 0 : std::stoul(from);
    const std::size_t end = std::min(names.size(), first + page_size);
    registry::Page page;
    page.names.assign(names.begin() + static_cast<std::ptrdiff_t>(first),
                      names.begin() + static_cast<std::ptrdiff_t>(end));
    if (end < names.size()) page.next = std::to_string(end);
    return page;
  }
  Result<registry::Client::RawManifest> find(const std::string& repository,
                                             const std::string& reference) BERTH_REQUIRES(mutex) {
    const auto held = repositories.find(repository);
    if (held == repositories.end()) return absent(repository);
    auto digest = Digest::parse(reference);
    if (!digest) {
      const auto tag = held->second.tags.find(reference);
      if (tag == held->second.tags.end()) return absent(reference);
      digest = tag->second;
    }
    const auto manifest = held->second.manifests.find(*digest);
    if (manifest == held->second.manifests.end()) return absent(reference);
    return registry::Client::RawManifest{manifest->second.second, manifest->second.first, *digest};
  }

  const std::string name_;
  std::map<std::string, std::size_t> counts_ BERTH_GUARDED_BY(mutex);
};

/// What is remembered on disk, in memory: shared by trees that come one after another.
class MemoryRemembered final : public cache::Remembered {
 public:
  explicit MemoryRemembered(Clock& clock)
      : clock_(clock) {}

  std::optional<cache::RememberedList> list(const std::string& registry,
                                            const std::string& repository) override {
    const MutexLock lock(mutex_);
    const auto found = lists_.find(registry + ' ' + repository);
    if (found == lists_.end()) return std::nullopt;
    return found->second;
  }
  void set_list(const std::string& registry, const std::string& repository,
                const std::vector<std::string>& names) override {
    const MutexLock lock(mutex_);
    lists_[registry + ' ' + repository] = {names, clock_.now()};
    if (!repository.empty()) repositories_[registry].insert(repository);
  }
  std::vector<std::string> repositories(const std::string& registry) override {
    const MutexLock lock(mutex_);
    return {repositories_[registry].begin(), repositories_[registry].end()};
  }
  std::vector<std::string> registries() override { return {}; }
  std::optional<cache::RememberedTag> tag(const std::string& registry,
                                          const std::string& repository,
                                          const std::string& tag) override {
    const MutexLock lock(mutex_);
    const auto found = tags_.find({registry + ' ' + repository, tag});
    if (found == tags_.end()) return std::nullopt;
    return found->second;
  }
  std::vector<std::pair<std::string, cache::RememberedTag>> tags(
      const std::string& registry, const std::string& repository) override {
    const MutexLock lock(mutex_);
    std::vector<std::pair<std::string, cache::RememberedTag>> all;
    for (const auto& [key, value] : tags_) {
      if (key.first == registry + ' ' + repository) all.emplace_back(key.second, value);
    }
    return all;
  }
  cache::RememberedTag set_tag(const std::string& registry, const std::string& repository,
                               const std::string& tag, cache::RememberedTag value) override {
    const MutexLock lock(mutex_);
    repositories_[registry].insert(repository);
    const std::pair key(registry + ' ' + repository, tag);
    const auto before = tags_.find(key);
    const bool same = before != tags_.end() && before->second.digest == value.digest;
    if (value.checked == Clock::SystemTime{}) value.checked = clock_.now();
    value.first_seen = same ? before->second.first_seen : clock_.now();
    if (same && !value.properties) value.properties = before->second.properties;
    if (same && value.media_type.empty()) {
      value.size = before->second.size;
      value.media_type = before->second.media_type;
    }
    tags_.insert_or_assign(key, value);
    return value;
  }
  void set_tags(const std::string& registry, const std::string& repository,
                const std::vector<std::pair<std::string, cache::RememberedTag>>& tags) override {
    for (const auto& [tag, value] : tags) set_tag(registry, repository, tag, value);
  }
  void forget_tag(const std::string& registry, const std::string& repository,
                  const std::string& tag) override {
    const MutexLock lock(mutex_);
    tags_.erase({registry + ' ' + repository, tag});
  }
  void distrust(const std::string& registry, const std::string& repository) override {
    const MutexLock lock(mutex_);
    trusted_since_[registry + ' ' + repository] = clock_.now();
  }
  Clock::SystemTime trusted_since(const std::string& registry,
                                  const std::string& repository) override {
    const MutexLock lock(mutex_);
    const auto found = trusted_since_.find(registry + ' ' + repository);
    return found == trusted_since_.end() ? Clock::SystemTime::min() : found->second;
  }
  std::optional<cache::SeenDigest> seen(const std::string& registry, const std::string& repository,
                                        const Digest& digest) override {
    const MutexLock lock(mutex_);
    const auto found = seen_.find({registry + ' ' + repository, digest});
    if (found == seen_.end()) return std::nullopt;
    return found->second;
  }
  void set_seen(const std::string& registry, const std::string& repository, const Digest& digest,
                std::uint64_t size, const std::string& media_type) override {
    const MutexLock lock(mutex_);
    repositories_[registry].insert(repository);
    seen_.insert({{registry + ' ' + repository, digest}, {size, media_type, clock_.now()}});
  }
  void forget_seen(const std::string& registry, const std::string& repository,
                   const Digest& digest) override {
    const MutexLock lock(mutex_);
    seen_.erase({registry + ' ' + repository, digest});
  }
  void forget_repository(const std::string& registry, const std::string& repository) override {
    const MutexLock lock(mutex_);
    const auto of_it = [key = registry + ' ' + repository](const auto& entry) {
      return entry.first.first == key;
    };
    std::erase_if(tags_, of_it);
    std::erase_if(seen_, of_it);
  }

 private:
  Clock& clock_;
  Mutex mutex_;
  std::map<std::string, cache::RememberedList> lists_;
  std::map<std::string, std::set<std::string>> repositories_;
  std::map<std::string, Clock::SystemTime> trusted_since_;
  std::map<std::pair<std::string, std::string>, cache::RememberedTag> tags_;
  std::map<std::pair<std::string, Digest>, cache::SeenDigest> seen_;
};

class TextBlobReader final : public content::BlobReader {
 public:
  explicit TextBlobReader(std::string text)
      : text_(std::move(text)) {}
  std::uint64_t size() const noexcept override { return text_.size(); }
  bool complete() const noexcept override { return true; }
  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out,
                           const Context&) override {
    if (offset >= text_.size()) return 0;
    const std::size_t count = std::min<std::size_t>(out.size(), text_.size() - offset);
    std::ranges::copy(as_bytes(text_).subspan(offset, count), out.begin());
    return count;
  }
  std::optional<FileRange> file_range(std::uint64_t, std::uint64_t) override {
    return std::nullopt;
  }

 private:
  const std::string text_;
};

/// What outlives one tree: registries, the clock, what is remembered, and a cache of content.
struct World {
  TestClock clock;
  MemoryRemembered remembered{clock};
  std::map<std::string, std::shared_ptr<MemoryRegistry>> registries;
  std::vector<std::string> known;
  bool offline = false;
  Mutex mutex;
  std::map<std::string, registry::Client::RawManifest> manifests;  ///< cached, by place and digest
  std::map<std::string, std::string> blobs;

  MemoryRegistry& registry(const std::string& name) {
    auto& made = registries[name];
    if (!made) {
      made = std::make_shared<MemoryRegistry>(name);
      known.push_back(name);
    }
    return *made;
  }
};

class MemorySources final : public tree::Sources {
 public:
  explicit MemorySources(World& world)
      : world_(world) {}

  Result<std::shared_ptr<content::Source>> source(const std::string& registry) override {
    const auto found = world_.registries.find(registry);
    if (found == world_.registries.end()) return Error(Errc::internal, "no source " + registry);
    return std::shared_ptr<content::Source>(found->second);
  }
  std::vector<std::string> known_registries() override { return world_.known; }
  cache::Remembered& remembered() override { return world_.remembered; }
  bool offline() const override { return world_.offline; }

  Result<oci::ManifestDocument> manifest(const std::shared_ptr<content::Source>& source,
                                         const std::string& repository, const Digest& digest,
                                         const Context& context) override {
    auto raw = raw_manifest(source, repository, digest, context);
    if (!raw) return raw.error();
    return oci::parse_manifest(raw->raw, raw->media_type, digest);
  }
  Result<registry::Client::RawManifest> raw_manifest(const std::shared_ptr<content::Source>& source,
                                                     const std::string& repository,
                                                     const Digest& digest,
                                                     const Context& context) override {
    const std::string key = source->name() + ' ' + repository + ' ' + digest.text();
    {
      const MutexLock lock(world_.mutex);
      const auto found = world_.manifests.find(key);
      if (found != world_.manifests.end()) return found->second;
    }
    if (context.is_nonblocking()) return Error(Errc::would_block, "not cached");
    if (world_.offline) return Error(Errc::unavailable, "offline");
    auto raw = source->get_manifest(repository, digest.text(), context);
    if (!raw) return raw;
    world_.remembered.set_seen(source->name(), repository, digest, raw->raw.size(),
                               raw->media_type);
    const MutexLock lock(world_.mutex);
    world_.manifests.insert_or_assign(key, *raw);
    return raw;
  }
  Result<std::shared_ptr<content::BlobReader>> open_blob(
      const std::shared_ptr<content::Source>& source, const std::string& repository,
      const Digest& digest, std::uint64_t size, const Context& context) override {
    auto text = small_blob(source, repository, digest, size, 1 << 30, context);
    if (!text) return text.error();
    return std::shared_ptr<content::BlobReader>(std::make_shared<TextBlobReader>(*text));
  }
  Result<std::string> small_blob(const std::shared_ptr<content::Source>& source,
                                 const std::string& repository, const Digest& digest,
                                 std::uint64_t size, std::size_t limit,
                                 const Context& context) override {
    if (size > limit) return Error(Errc::too_large, "too large");
    const std::string key = source->name() + ' ' + repository + ' ' + digest.text();
    {
      const MutexLock lock(world_.mutex);
      const auto found = world_.blobs.find(key);
      if (found != world_.blobs.end()) return found->second;
    }
    if (context.is_nonblocking()) return Error(Errc::would_block, "not cached");
    auto text = static_cast<MemoryRegistry&>(*source).blob(repository, digest);
    if (!text) return text;
    const MutexLock lock(world_.mutex);
    world_.blobs[key] = *text;
    return text;
  }
  std::vector<std::pair<std::string, std::uint64_t>> counters() const override {
    return {{"http_requests_total", 7}, {"cache_used_bytes", 8}};
  }

 private:
  World& world_;
};

}  // namespace berth::test
