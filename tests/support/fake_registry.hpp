// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/fault.hpp"
#include "support/http_server.hpp"

namespace berth::test {

/// How a FakeRegistry behaves when no fault is scripted. May be changed while it runs.
struct RegistryBehaviour {
  enum class Auth : unsigned char { none, basic, bearer };
  Auth auth = Auth::none;
  std::string username = "alice";
  std::string password = "wonder";
  std::optional<std::set<std::string>> user_actions{};  ///< ACR: all that the user may do
  /// ACR: by repository, what the user may not do there though he may elsewhere.
  std::map<std::string, std::set<std::string>> user_denials{};
  bool anonymous_pull = false;        ///< bearer: a token without credentials may pull
  bool token_post = true;             ///< the token server serves POST; else 404 (as GCR)
  bool refuse_cached_tokens = false;  ///< every token given so far is worth nothing from now on
  int token_seconds = 300;            ///< expires_in
  std::string token_field = "token";  ///< or "access_token"
  std::string realm{};                ///< "": the fake's own token server

  enum class Catalogue : unsigned char { on, off, denied };
  Catalogue catalogue = Catalogue::on;
  std::size_t page_size = 0;         ///< of every list, when the client asks for none; 0: no limit
  std::size_t max_page_size = 1000;  ///< a larger n= is refused, as ECR does
  bool absolute_links = false;       ///< in Link headers
  bool null_tags = false;            ///< `"tags": null` for an empty list

  bool referrers_api = true;
  bool filters_referrers = true;  ///< answers artifactType= with OCI-Filters-Applied
  bool head = true;               ///< else HEAD is 405
  bool content_digest = true;     ///< sends Docker-Content-Digest
  bool checks_accept = true;      ///< OCI manifests are 404 to whom does not accept their type, as
                                  ///< docker-registry has it
  bool manifest_types = true;     ///< else manifests come as text/plain (static registries)
  bool ranges = true;             ///< of blobs; else Range is ignored
  bool etags = true;              ///< of blobs and manifests: strong, of the digest
  bool redirect_blobs = false;    ///< to a second server, which answers 400 to Authorization
  bool tag_delete = true;         ///< DELETE by tag; else 405
  bool absolute_locations = false;   ///< of uploads
  std::size_t keeps_of_a_patch = 0;  ///< at most so many bytes of each; 0: all

  bool acr = false;          ///< it is an Azure container registry: /acr/v1, locks, its errors
  bool soft_delete = false;  ///< ACR keeps what is deleted, and gives it back
  int storage_seconds = 0;   ///< how long a redirect to the storage is good for; 0: for ever

  // ACR's own token service, /oauth2/exchange and /oauth2/token.
  std::set<std::string> entra_tokens{};  ///< the Entra ID tokens that the exchange takes
  std::string tenant{};                  ///< whose tokens they are; "": of any
  bool abac = false;                     ///< rights by repository: wildcards are dropped
  std::set<std::string> entra_actions{
      "pull",           "push",         "delete",          "metadata_read",
      "metadata_write", "deleted_read", "deleted_restore", "*"};  ///< what the identity may do
  /// By repository, what it may not do there though it may elsewhere.
  std::map<std::string, std::set<std::string>> entra_denials{};
  int refresh_token_seconds = 11'700;
  std::function<std::int64_t()> unix_time{};  ///< what time it is there; absent: the machine's
};

struct FakeImage {
  std::string digest;  ///< of the manifest
  std::string manifest;
  std::string config_digest;
  std::vector<std::string> layer_digests;
};

/// A registry in memory, speaking distribution-spec 1.1 at the level of bytes: repositories,
/// manifests, tags, blobs, referrers, paging, authentication, and pushes. It can be told to lie,
/// break and stall by faults. Three servers: the registry, its token server, and the storage that
/// blobs are redirected to. Thread safe.
class FakeRegistry {
 public:
  using Titled = std::vector<std::pair<std::string, std::string>>;  ///< title, content

  explicit FakeRegistry(RegistryBehaviour behaviour = {}, HttpServerOptions options = {});
  ~FakeRegistry();

  std::string host() const { return server().host(); }      ///< "127.0.0.1:34567"
  std::string origin() const { return server().origin(); }  ///< "http://127.0.0.1:34567"
  HttpServer& server() const;                               ///< counts and logs are here
  HttpServer& tokens() const;                               ///< GET and POST /token
  HttpServer& storage() const;                              ///< GET and HEAD /storage/<digest>
  void change(const std::function<void(RegistryBehaviour&)>& how);

  /// Scripts a fault of the registry (or of `where`). The first one that matches and is not used up
  /// is taken.
  void fault(FaultMatch match, Fault action);
  void fault(HttpServer& where, FaultMatch match, Fault action);
  /// The same for the body of a request to the registry, while it is read.
  void body_fault(FaultMatch match, BodyFault fault);
  void clear_faults();

  /// Content. All give digests, "sha256:<hex>". A repository exists once it holds something.
  std::string add_blob(const std::string& repository, std::string content,
                       const char* algorithm = "sha256");
  std::string add_manifest(const std::string& repository, std::string content,
                           const std::string& media_type, const std::string& tag = {},
                           const char* algorithm = "sha256");
  /// An OCI image of one platform, with these layers (bytes as they are; media type tar+gzip).
  FakeImage add_image(const std::string& repository, const std::string& tag,
                      const std::vector<std::string>& layers, const std::string& os = "linux",
                      const std::string& architecture = "amd64");
  /// An index of manifests of the repository; platforms are taken from their configs.
  std::string add_index(const std::string& repository, const std::string& tag,
                        const std::vector<std::string>& manifests);
  /// An artifact of titled files; with a `subject` it is a referrer of that digest.
  FakeImage add_artifact(const std::string& repository, const std::string& tag,
                         const std::string& artifact_type, const Titled& files,
                         const std::optional<std::string>& subject = {});
  /// The index of a subject's referrers under `tag`, as clients keep it where the registry has no
  /// referrers API. Gives its digest.
  std::string add_referrers_tag(const std::string& repository, const std::string& tag,
                                const std::string& subject);
  void tag(const std::string& repository, const std::string& tag, const std::string& digest);
  void untag(const std::string& repository, const std::string& tag);
  void remove_manifest(const std::string& repository, const std::string& digest);
  void remove_blob(const std::string& repository, const std::string& digest);
  void remove_repository(const std::string& repository);
  void add_empty_repository(const std::string& repository);

  /// ACR's metadata of a repository (`reference` is ""), a tag or a manifest: times in ticks of
  /// 100 ns since 1970, and what may be done with it.
  void set_times(const std::string& repository, const std::string& reference, std::int64_t created,
                 std::int64_t updated);
  void lock(const std::string& repository, const std::string& reference, bool can_delete = false,
            bool can_write = true);

  /// What it holds: for tests of what was pushed or deleted.
  std::optional<std::string> tag_target(const std::string& repository, const std::string& tag);
  std::set<std::string> repositories();
  bool has_blob(const std::string& repository, const std::string& digest);
  int open_uploads();  ///< sessions that were neither completed nor cancelled
  bool has_manifest(const std::string& repository, const std::string& digest);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// "sha256:<hex>" of the bytes, by OpenSSL and none of berth's code; any algorithm that OpenSSL
/// names.
std::string digest_text(std::string_view bytes, const char* algorithm = "sha256");
/// `size` bytes that look random and are the same for the same seed.
std::string pattern_bytes(std::size_t size, unsigned seed = 1);

}  // namespace berth::test
