// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "berth/registry/client.hpp"

namespace berth::registry {

/// A request to any endpoint: what follows "v2/" in its path, and what it needs.
struct Call {
  std::string method = "GET";
  std::string path;  ///< "library/a/manifests/v1"
  http::Headers headers;
  auth::Scopes scopes;
  std::string repository;
  bool is_body = false;                        ///< of a blob: large
  std::string body{};                          ///< what is sent: a manifest
  std::shared_ptr<http::BodySource> source{};  ///< what is sent: a blob
  std::chrono::milliseconds patience{0};       ///< as in http::Request
  bool repeatable = false;                     ///< as in http::Request
  std::string operation;                       ///< begins messages: "manifest of R/a:v1"
};

/// The endpoints of one registry, in order. Thread safe.
class Endpoints {
 public:
  enum class For : unsigned char { pull, resolve };

  Endpoints(std::string name, std::vector<Endpoint> endpoints);

  /// Who has the last word: the registry itself. Lists come from it alone, since a cache in front
  /// of it lists only what it was asked for.
  const Endpoint& registry() const noexcept { return endpoints_.back(); }

  http::Url url(const Endpoint& endpoint, const std::string& path) const;
  /// Any status is a Response. Errors are told with the call's operation.
  Result<http::Response> send(const Endpoint& endpoint, const Call& call, const Context& context);
  /// The same to a URL of the endpoint that was learned: a next page.
  Result<http::Response> send_to(const Endpoint& endpoint, const Call& call, http::Url url,
                                 const Context& context);
  /// The same to another origin, which the registry named: without credentials, where the URL
  /// policy lets a redirect lead.
  Result<http::Response> send_away(const Endpoint& endpoint, const Call& call, const http::Url& url,
                                   const Context& context);
  /// For a status that is no success.
  Error refusal(const Endpoint& endpoint, const Call& call, http::Response& response,
                const Context& context) const;

  /// Asks the endpoints that may answer, one after the other: a mirror that cannot is passed,
  /// whatever is wrong with it, because the registry behind it still can; one that does not answer
  /// at all rests for a while. Only the end of the Context ends the search.
  template <class T>
  Result<T> first_of(For purpose, const Context& context,
                     const std::function<Result<T>(const Endpoint&)>& ask) {
    for (std::size_t i = 0; i + 1 < endpoints_.size(); ++i) {
      if (!may_ask(i, purpose)) continue;
      Result<T> answer = ask(endpoints_[i]);
      if (answer || !context.check()) return answer;
      if (const Errc code = answer.error().code(); code == Errc::would_block) return answer;
      note_failure(i, answer.error());
    }
    return ask(registry());
  }

  std::uint64_t requests() const noexcept { return requests_; }
  const std::string& name() const noexcept { return name_; }

 private:
  static http::Request request(const Endpoint& endpoint, const Call& call, http::Url url);
  bool may_ask(std::size_t index, For purpose) const;
  void note_failure(std::size_t index, const Error& error);
  bool is_mirror(const Endpoint& endpoint) const noexcept { return &endpoint != &registry(); }

  const std::string name_;
  const std::vector<Endpoint> endpoints_;
  const std::unique_ptr<std::atomic<std::int64_t>[]> rests_until_;  // steady, nanoseconds
  std::atomic<std::uint64_t> requests_ = 0;
};

}  // namespace berth::registry
