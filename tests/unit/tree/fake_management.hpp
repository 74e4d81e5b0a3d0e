// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a registry with properties adds to the one in memory.

#include <map>
#include <string>
#include <utility>

#include "berth/base/try.hpp"

#include "unit/tree/tree_fixture.hpp"

namespace berth::test {

/// Times and locks of a MemoryRegistry's content; questions are counted there: "tag properties",
/// "manifest properties", "repository properties", "tag list", "manifest list", "change".
class MemoryManagement final : public content::Management {
 public:
  struct Record {
    std::int64_t created = 1'600'000'000;  ///< unix seconds
    std::int64_t updated = 1'650'000'000;
    acr::ChangeableProperties can{true, true, true, true};
  };
  using Page = acr::Page<acr::ArtifactTagProperties>;

  explicit MemoryManagement(MemoryRegistry& registry)
      : registry_(registry) {}

  /// By "a", "a:v1" or "a@sha256:...".
  std::map<std::string, Record> records;
  std::size_t page_size = 1000;

  bool offered() const noexcept override { return true; }
  Result<acr::ContainerRepositoryProperties> repository(const std::string& repository,
                                                        const Context&) override {
    TRY(registry_.question("repository properties"));
    return repository_of(repository);
  }
  Result<acr::ArtifactTagProperties> tag(const std::string& repository, const std::string& tag,
                                         const Context&) override {
    TRY(registry_.question("tag properties"));
    return tag_of(repository, tag);
  }
  Result<acr::ArtifactManifestProperties> manifest(const std::string& repository,
                                                   const Digest& digest, const Context&) override {
    TRY(registry_.question("manifest properties"));
    return manifest_of(repository, digest);
  }
  Result<acr::ContainerRepositoryProperties> update_repository(
      const std::string& repository, const acr::ChangeableProperties& changes,
      const Context&) override {
    TRY(change(repository, changes));
    return repository_of(repository);
  }
  Result<acr::ArtifactTagProperties> update_tag(const std::string& repository,
                                                const std::string& tag,
                                                const acr::ChangeableProperties& changes,
                                                const Context&) override {
    TRY(change(repository + ":" + tag, changes));
    return tag_of(repository, tag);
  }
  Result<acr::ArtifactManifestProperties> update_manifest(const std::string& repository,
                                                          const Digest& digest,
                                                          const acr::ChangeableProperties& changes,
                                                          const Context&) override {
    TRY(change(repository + "@" + digest.text(), changes));
    return manifest_of(repository, digest);
  }
  Result<void> delete_tag(const std::string& /*repository*/, const std::string& /*tag*/,
                          const Context& /*context*/) override {
    return Error(Errc::unsupported, "not of these tests");
  }
  Result<void> delete_repository(const std::string& /*repository*/,
                                 const Context& /*context*/) override {
    return Error(Errc::unsupported, "not of these tests");
  }
  Result<Page> list_tags(const std::string& repository, const std::string& from,
                         const Context&) override {
    TRY(registry_.question("tag list"));
    if (!registry_.repositories.contains(repository)) return absent(repository);
    Page page;
    std::size_t at = 0;
    const std::size_t first = from.empty() ? 0 : std::stoul(from);
    const auto& tags = registry_.repositories[repository].tags;
    for (const auto& [name, digest] : tags) {
      if (at >= first && page.items.size() < page_size) {
        page.items.push_back(tag_of(repository, name).value());
      }
      ++at;
    }
    if (first + page.items.size() < tags.size()) {
      page.continuation_token = std::to_string(first + page.items.size());
    }
    return page;
  }
  Result<acr::Page<acr::ArtifactManifestProperties>> list_manifests(const std::string& repository,
                                                                    const std::string&,
                                                                    const Context&) override {
    TRY(registry_.question("manifest list"));
    acr::Page<acr::ArtifactManifestProperties> page;
    for (const auto& [digest, raw] : registry_.repositories[repository].manifests) {
      page.items.push_back(manifest_of(repository, digest).value());
    }
    return page;
  }
  Result<std::vector<std::string>> deleted_repositories(const Context&) override { return no(); }
  Result<std::vector<acr::DeletedManifest>> deleted_manifests(const std::string&,
                                                              const Context&) override {
    return no();
  }
  Result<std::vector<acr::DeletedTag>> deleted_tags(const std::string&, const Context&) override {
    return no();
  }
  Result<void> restore_manifest(const std::string&, const Digest&, const std::string&, bool,
                                const Context&) override {
    return no();
  }
  Result<Digest> restore_tag(const std::string&, const std::string&, bool,
                             const Context&) override {
    return no();
  }
  Result<acr::Purge> purge(acr::PurgeOptions) override { return no(); }

 private:
  static Error no() { return {Errc::internal, "the tree has no business with this"}; }
  static Error absent(const std::string& what) { return {Errc::not_found, what + " is unknown"}; }
  static acr::Timestamp time(std::int64_t seconds) {
    return acr::Timestamp(std::chrono::seconds(seconds));
  }
  template <class Properties>
  void fill(Properties& out, const std::string& key) {
    const Record& record = records[key];
    out.created_on = time(record.created);
    out.last_updated_on = time(record.updated);
    out.can_read = record.can.can_read;
    out.can_write = record.can.can_write;
    out.can_delete = record.can.can_delete;
    out.can_list = record.can.can_list;
  }
  Result<acr::ContainerRepositoryProperties> repository_of(const std::string& repository) {
    if (!registry_.repositories.contains(repository)) return absent(repository);
    acr::ContainerRepositoryProperties out;
    out.manifest_count = registry_.repositories[repository].manifests.size();
    out.tag_count = registry_.repositories[repository].tags.size();
    fill(out, repository);
    return out;
  }
  Result<acr::ArtifactTagProperties> tag_of(const std::string& repository, const std::string& tag) {
    const auto& tags = registry_.repositories[repository].tags;
    const auto found = tags.find(tag);
    if (found == tags.end()) return absent(tag);
    acr::ArtifactTagProperties out{.registry_login_server = {},
                                   .repository_name = {},
                                   .name = tag,
                                   .digest = found->second,
                                   .created_on = {},
                                   .last_updated_on = {},
                                   .can_delete = {},
                                   .can_write = {},
                                   .can_list = {},
                                   .can_read = {},
                                   .is_signed = {}};
    fill(out, repository + ":" + tag);
    return out;
  }
  Result<acr::ArtifactManifestProperties> manifest_of(const std::string& repository,
                                                      const Digest& digest) {
    const auto& manifests = registry_.repositories[repository].manifests;
    const auto found = manifests.find(digest);
    if (found == manifests.end()) return absent(digest.text());
    acr::ArtifactManifestProperties out{.registry_login_server = {},
                                        .repository_name = {},
                                        .digest = digest,
                                        .size_in_bytes = 12345,
                                        .created_on = {},
                                        .last_updated_on = {},
                                        .architecture = {},
                                        .operating_system = {},
                                        .related_artifacts = {},
                                        .tags = {},
                                        .can_delete = {},
                                        .can_write = {},
                                        .can_list = {},
                                        .can_read = {},
                                        .media_type = found->second.first,
                                        .config_media_type = {}};
    fill(out, repository + "@" + digest.text());
    return out;
  }
  Result<void> change(const std::string& key, const acr::ChangeableProperties& changes) {
    TRY(registry_.question("change"));
    acr::ChangeableProperties& can = records[key].can;
    if (changes.can_read) can.can_read = changes.can_read;
    if (changes.can_write) can.can_write = changes.can_write;
    if (changes.can_delete) can.can_delete = changes.can_delete;
    if (changes.can_list) can.can_list = changes.can_list;
    return {};
  }

  MemoryRegistry& registry_;
};

/// A registry with properties, holding a:v1, a:v2 (the same manifest, later) and a:old.
class ManagedTest : public TreeFixture {
 protected:
  ManagedTest() {
    show(tree::Root::Kind::registry);
    management_ = std::make_shared<MemoryManagement>(registry());
    registry().managed = management_;
    registry().can.properties = registry().can.tag_list_has_digests = true;
    one_ = registry().push_image("a", "v1", {{"", "layer"}});
    registry().repositories["a"].tags.insert_or_assign("v2", *one_);
    two_ = registry().push_image("a", "old", {{"", "another"}});
    management_->records["a:v2"].updated = 1'660'000'000;
    management_->records["a:old"].updated = 1'610'000'000;
  }

  std::int64_t mtime(const std::string& path, bool follow = false) {
    const auto found = find(path, follow);
    EXPECT_THAT(found, IsOk()) << path;
    return found ? found->attributes.mtime : -1;
  }
  Result<void> write(const std::string& path, const std::string& text) {
    const auto found = find(path);
    if (!found) return found.error();
    return tree().write(found->node, text, {});
  }

  std::shared_ptr<MemoryManagement> management_;
  std::optional<Digest> one_;
  std::optional<Digest> two_;
};

}  // namespace berth::test
