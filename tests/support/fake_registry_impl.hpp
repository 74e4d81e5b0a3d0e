// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <mutex>

#include <nlohmann/json.hpp>

#include "support/fake_registry.hpp"

namespace berth::test {

/// The inside of a FakeRegistry, shared by its .cpp files: serving, pushing, authentication.
struct FakeRegistry::Impl {
  using Content = std::shared_ptr<const std::string>;
  struct StoredManifest {
    Content content;
    std::string media_type;
    std::string subject;  // digest; "" for none
  };
  struct Repository {
    std::map<std::string, Content> blobs;
    std::map<std::string, StoredManifest> manifests;
    std::map<std::string, std::string> tags;
  };
  struct Token {
    std::set<std::string> scopes;   // "repository:a:pull"; one action each
    std::int64_t end = 0;           // in seconds since 1970
    std::set<std::string> asked{};  // scopes, and those that were not given
  };
  /// The parts of /v2/<name>/<kind>/<reference>.
  struct Target {
    std::string repository;
    std::string kind;  // manifests blobs tags referrers uploads
    std::string reference;
  };

  Impl(RegistryBehaviour how, const HttpServerOptions& options);

  /// What ACR keeps beside a repository, a tag or a manifest. Times in ticks of 100 ns since 1970.
  struct AcrRecord {
    std::int64_t created = 0;
    std::int64_t updated = 0;
    bool can_delete = true, can_write = true, can_list = true, can_read = true;
  };
  /// What a repository of ACR lost and may get back.
  struct AcrDeleted {
    struct Tag {
      std::string name, digest, at;
    };
    struct Manifest {
      StoredManifest stored;
      std::vector<std::string> tags;
      std::string at;
    };
    std::vector<Tag> tags;
    std::map<std::string, Manifest> manifests;
  };

  std::mutex mutex;
  RegistryBehaviour behaviour;
  std::map<std::string, Repository> repositories;
  std::map<std::string, std::string> uploads;  // id -> bytes so far
  std::map<std::string, Token> given_tokens;
  /// Of ACR's exchange: when it ends, and what its identity might do when it was made.
  struct RefreshToken {
    std::int64_t end = 0;
    std::set<std::string> actions;
  };
  std::map<std::string, RefreshToken> refresh_tokens;
  int numbers = 0;                               // of uploads and tokens
  std::map<std::string, AcrRecord> acr_records;  // "a", "a:tag", "a@sha256:..."
  std::map<std::string, AcrDeleted> acr_deleted;
  std::int64_t acr_clock = 0;
  int acr_answers = 0;
  unsigned acr_coin = 0;
  FaultList registry_faults, token_faults, storage_faults;
  Scripted<BodyFault> body_faults;
  // Last, so that they stop before what they use goes.
  std::unique_ptr<HttpServer> storage, tokens, registry;

  // fake_registry_read.cpp; all with the mutex held
  HttpReply serve(const HttpRequest& request);  // takes the mutex
  HttpReply serve_distribution(const HttpRequest& request);
  HttpReply serve_catalogue(const HttpRequest& request);
  HttpReply serve_tags(const HttpRequest& request, const std::string& repository);
  HttpReply serve_manifest(const HttpRequest& request, const Target& target);
  HttpReply serve_blob(const HttpRequest& request, const Target& target);
  HttpReply serve_referrers(const HttpRequest& request, const Target& target);
  HttpReply serve_storage(const HttpRequest& request);
  std::string storage_query() const;
  bool storage_link_expired(const HttpRequest& request) const;
  HttpReply blob_reply(const HttpRequest& request, const std::string& digest,
                       const Content& content);
  HttpReply list_reply(const HttpRequest& request, nlohmann::ordered_json head, const char* key,
                       const std::vector<std::string>& names);
  static std::optional<Target> parse_target(const std::string& path);

  // fake_registry_acr.cpp
  HttpReply serve_as_acr(const HttpRequest& request);
  HttpReply serve_acr_api(const HttpRequest& request, const std::string& rest);
  HttpReply serve_v2_of_acr(const HttpRequest& request);
  HttpReply serve_upload_of_acr(const HttpRequest& asked, const Target& target);
  HttpReply serve_deleted(const HttpRequest& request, const std::string& rest);
  HttpReply acr_object(const HttpRequest& request, const std::string& repository,
                       const std::string& reference);
  HttpReply acr_remove(const std::string& repository, const std::string& reference);
  HttpReply acr_restore(const HttpRequest& request, const std::string& repository,
                        const std::string& digest);
  using AcrItem = std::function<std::string(std::size_t)>;
  HttpReply acr_page(const HttpRequest& request, const nlohmann::ordered_json& head,
                     const char* key, const std::vector<std::string>& names, const AcrItem& item);
  void acr_put_in_order(std::vector<std::string>& names, const std::string& repository,
                        const std::string& order);
  AcrRecord& acr_record(const std::string& repository, const std::string& reference);
  void acr_stored(const std::string& repository, const std::string& reference);
  void acr_forget(const std::string& repository, const std::string& reference);
  bool acr_is_locked(const std::string& repository, const std::string& reference);
  /// Lists leave it out: its listEnabled is false.
  bool acr_hides(const std::string& repository, const std::string& reference) const;
  /// The readEnabled of a repository, or of a tag or manifest in it, or of what the tag leads to,
  /// is false.
  bool acr_withholds(const std::string& repository, const std::string& reference) const;
  static std::string acr_attributes(const AcrRecord& record);
  std::string acr_tag(const std::string& repository, const std::string& tag);
  nlohmann::ordered_json acr_manifest(const std::string& repository, const std::string& digest,
                                      bool single);
  nlohmann::ordered_json acr_repository(const std::string& repository);
  std::vector<std::string> acr_scopes(const HttpRequest& request, const std::string& path);
  std::optional<HttpReply> refuse_as_acr(const HttpRequest& request, const std::string& path);
  bool acr_may_mount(const HttpRequest& request);
  std::string acr_realm() const;

  // fake_registry_oauth.cpp
  HttpReply serve_oauth2(const HttpRequest& request, const std::string& path);
  HttpReply exchange_entra_token(const HttpRequest& form);
  HttpReply give_acr_token(const std::vector<std::string>& asked, bool all,
                           const RefreshToken* entra);
  const RefreshToken* find_refresh_token(const std::string& token) const;

  // fake_registry_write.cpp
  HttpReply write(const HttpRequest& request, const Target& target);
  std::string upload_origin() const;
  HttpReply start_upload(const HttpRequest& request, const Target& target);
  HttpReply continue_upload(const HttpRequest& request, const Target& target);
  HttpReply put_manifest(const HttpRequest& request, const Target& target);
  HttpReply remove(const Target& target);
  std::string store_manifest(const std::string& repository, std::string content,
                             const std::string& media_type, const std::string& tag,
                             const char* algorithm);

  // fake_registry_auth.cpp
  std::optional<HttpReply> refuse(const HttpRequest& request, const std::optional<Target>& target);
  HttpReply serve_token(const HttpRequest& request);
  bool token_grants(const std::string& token, const std::vector<std::string>& scopes);
  bool is_user(const HttpRequest& request) const;
  std::int64_t unix_time() const;
};

/// "repository:a:pull,push repository:b:pull" as single permissions.
std::vector<std::string> single_scopes(const std::string& text);
HttpReply json_reply(int status, const nlohmann::ordered_json& json, HttpFields headers = {});
HttpReply error_reply(int status, const char* code, const std::string& message = {});

}  // namespace berth::test
