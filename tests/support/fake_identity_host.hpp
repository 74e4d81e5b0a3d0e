// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "support/http_server.hpp"
#include "support/temp_dir.hpp"

namespace berth::test {

/// The identity endpoints that Azure gives to what runs there, each with its own path, headers and
/// parameters, which it checks to the letter: a question that the real one would not take is a 400.
/// Thread safe.
class FakeIdentityHost {
 public:
  enum class Kind : unsigned char { imds, app_service, machine_learning, cloud_shell, arc, fabric };

  explicit FakeIdentityHost(Kind kind, HttpServerOptions options = {});

  HttpServer& server() { return *server_; }
  std::string origin() const { return server_->origin(); }
  /// The environment of a program there.
  std::map<std::string, std::string> environment() const;
  /// Arc's folder of keys.
  std::filesystem::path keys() const { return dir_.path(); }

  void answer_next(HttpReply reply, int times = 1);
  /// The token's answer in place of the usual one.
  void set_answer(std::string body);
  /// What Arc's challenge says, in place of the right one.
  void set_challenge(std::string value);
  /// The identity that is assigned besides the machine's own, by its client id.
  void assign(const std::string& client_id);

  static constexpr const char* kToken = "managed-identity-token";
  static constexpr const char* kSecret = "identity-header";

 private:
  HttpReply serve(const HttpRequest& request);
  std::optional<HttpReply> check(const HttpRequest& request) const;
  HttpReply give(const HttpRequest& question);

  const Kind kind_;
  TempDir dir_;
  std::mutex mutex_;
  std::vector<HttpReply> next_;
  std::string answer_;
  std::string challenge_;
  std::string assigned_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace berth::test
