// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "berth/acr/options.hpp"
#include "berth/auth/session.hpp"
#include "berth/http/client.hpp"
#include "berth/registry/client.hpp"

#include "acr/pipeline.hpp"

namespace berth::acr {

/// One request to the registry.
struct Call {
  std::string method = "GET";
  std::string target;  ///< path and query
  std::string body{};  ///< JSON
  auth::Scopes scopes{};
  std::string repository{};
  std::string operation;   ///< begins messages: "properties of R/a"
  bool repeatable = true;  ///< may be sent again when it is not known whether it was acted upon
};

struct Answer {
  int status = 0;
  http::Headers headers;
  std::string body;
  bool existed = true;  ///< false: a 404 that the caller wanted to ignore
};

/// What a client, its repositories and its artifacts share: connections, tokens, options. Thread
/// safe.
class Core {
 public:
  static Result<std::shared_ptr<Core>> make(std::string_view endpoint,
                                            ContainerRegistryClientOptions options);

  const std::string& endpoint() const noexcept { return endpoint_; }
  const std::string& name() const noexcept { return name_; }
  Clock& clock() const noexcept { return *options_.clock; }
  const http::Url& base() const noexcept { return base_; }
  std::uint64_t requests() const noexcept { return pipeline_.requests(); }
  /// The distribution client of the same registry, over the same session.
  registry::Client& registry() noexcept { return registry_; }

  /// As far as it is known without asking: by its name, by who logs in, or by an answer.
  bool is_azure() const;

  /// While it lives, requests of this thread that go through registry() bear the call's own headers
  /// and id, and are shown to its on_response (without bodies). `options` must outlive it.
  Result<Pipeline::Dress> dress(const OperationOptions& options);

  /// Any 2xx. Errors begin with the call's operation; not_found unless it is to be ignored.
  Result<Answer> send(const Call& call, const OperationOptions& options, const Context& context,
                      bool ignore_not_found = false);

  /// "/acr/v1/" and these, each encoded as one segment but for those that begin with '_'.
  static std::string path(std::initializer_list<std::string_view> segments);
  using Parameters = std::initializer_list<std::pair<std::string_view, std::string>>;
  /// "?a=b&c=d" without those that are empty.
  static std::string query(Parameters parameters);
  std::string api_version() const { return options_.service_version; }

 private:
  Core(http::Url base, ContainerRegistryClientOptions options);
  http::Request request(const Call& call) const;
  Error refusal(const Call& call, http::Response& response, const Context& context) const;

  const ContainerRegistryClientOptions options_;
  const http::Url base_;
  const std::string endpoint_;
  const std::string name_;
  Pipeline pipeline_;
  http::Client http_;
  const std::shared_ptr<credential::Keychain> keychain_;
  const std::shared_ptr<auth::TokenStore> tokens_;
  auth::Session session_;
  registry::Client registry_;
};

/// Token scopes for a repository, and for the registry's list (acr.md 2.2).
auth::Scopes repository_scopes(std::string_view repository, std::string_view actions);

/// Errc::invalid_argument with what is wrong with it.
Result<void> check_repository_name(const std::string& name);
Result<void> check_tag(const std::string& tag);

}  // namespace berth::acr
