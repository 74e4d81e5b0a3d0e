// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "support/http_server.hpp"

namespace berth::test {

/// Microsoft Entra ID, as far as applications see it: POST /TENANT/oauth2/v2.0/token. It verifies
/// what it is shown (the PS256 signature of an assertion, its claims, a secret) with OpenSSL and
/// none of berth's code, and refuses in the words of the service. Thread safe.
class FakeAuthority {
 public:
  explicit FakeAuthority(HttpServerOptions options = {});

  std::string origin() const { return server_->origin(); }
  HttpServer& server() { return *server_; }

  /// Who it knows, in tenant "contoso".
  void add_secret(const std::string& client, const std::string& secret, bool expired = false);
  void add_certificate(const std::string& client, const std::filesystem::path& pem);
  void add_federation(const std::string& client, const std::string& token);
  void remove(const std::string& client);

  /// The answers to the requests that follow, before it goes on by itself.
  void answer_next(HttpReply reply);
  /// What `code` is refused with: {"error":...,"error_description":"AADSTS...: ..."}.
  static HttpReply refusal(int status, const std::string& error, const std::string& description);

  /// What it gave out so far.
  std::set<std::string> tokens();
  void set_time(std::function<std::int64_t()> unix_time);
  void set_lifetime(int seconds, int refresh_in = 0);

 private:
  struct Application {
    std::string secret;
    bool expired = false;
    std::vector<std::string> certificates;  // PEM
    std::set<std::string> federated;
  };
  HttpReply serve(const HttpRequest& request);
  std::optional<HttpReply> check(const Application& application, const HttpRequest& form,
                                 const std::string& endpoint, const std::string& client);
  std::optional<HttpReply> check_assertion(const Application& application,
                                           const std::string& assertion,
                                           const std::string& endpoint, const std::string& client);

  std::mutex mutex_;
  std::map<std::string, Application> applications_;
  std::vector<HttpReply> next_;
  std::set<std::string> tokens_;
  std::set<std::string> seen_ids_;
  std::function<std::int64_t()> unix_time_;
  int lifetime_ = 3599;
  int refresh_in_ = 0;
  int numbers_ = 0;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace berth::test
