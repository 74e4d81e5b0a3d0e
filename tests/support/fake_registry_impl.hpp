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
    std::set<std::string> scopes;  // "repository:a:pull"; one action each
    std::chrono::steady_clock::time_point end;
  };
  /// The parts of /v2/<name>/<kind>/<reference>.
  struct Target {
    std::string repository;
    std::string kind;  // manifests blobs tags referrers uploads
    std::string reference;
  };

  Impl(RegistryBehaviour how, const HttpServerOptions& options);

  std::mutex mutex;
  RegistryBehaviour behaviour;
  std::map<std::string, Repository> repositories;
  std::map<std::string, std::string> uploads;  // id -> bytes so far
  std::map<std::string, Token> given_tokens;
  int numbers = 0;  // of uploads and tokens
  FaultList registry_faults, token_faults, storage_faults;
  // Last, so that they stop before what they use goes.
  std::unique_ptr<HttpServer> storage, tokens, registry;

  // fake_registry_read.cpp; all with the mutex held
  HttpReply serve(const HttpRequest& request);
  HttpReply serve_catalogue(const HttpRequest& request);
  HttpReply serve_tags(const HttpRequest& request, const std::string& repository);
  HttpReply serve_manifest(const HttpRequest& request, const Target& target);
  HttpReply serve_blob(const HttpRequest& request, const Target& target);
  HttpReply serve_referrers(const HttpRequest& request, const Target& target);
  HttpReply serve_storage(const HttpRequest& request);
  HttpReply blob_reply(const HttpRequest& request, const std::string& digest,
                       const Content& content);
  HttpReply list_reply(const HttpRequest& request, nlohmann::ordered_json head, const char* key,
                       const std::vector<std::string>& names);
  static std::optional<Target> parse_target(const std::string& path);

  // fake_registry_write.cpp
  HttpReply write(const HttpRequest& request, const Target& target);
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
};

HttpReply json_reply(int status, const nlohmann::ordered_json& json, HttpFields headers = {});
HttpReply error_reply(int status, const char* code, const std::string& message = {});

}  // namespace berth::test
