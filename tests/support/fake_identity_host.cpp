// SPDX-License-Identifier: Apache-2.0
#include "support/fake_identity_host.hpp"

#include <nlohmann/json.hpp>

namespace berth::test {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kImdsPath = "/metadata/identity/oauth2/token";
constexpr const char* kMsiPath = "/msi/token";
constexpr const char* kKey = "arc-key-of-this-machine";

HttpReply bad(const std::string& why) {
  return {.status = 400,
          .headers = {{"Content-Type", "application/json"}},
          .body = Json{{"error", "invalid_request"}, {"error_description", why}}.dump()};
}

}  // namespace

FakeIdentityHost::FakeIdentityHost(Kind kind, HttpServerOptions options)
    : kind_(kind) {
  dir_.write("machine.key", kKey);
  server_ = std::make_unique<HttpServer>(
      [this](const HttpRequest& request) { return serve(request); }, std::move(options));
}

std::map<std::string, std::string> FakeIdentityHost::environment() const {
  switch (kind_) {
    case Kind::imds:
      return {{"AZURE_POD_IDENTITY_AUTHORITY_HOST", origin() + "/"}};
    case Kind::app_service:
      return {{"IDENTITY_ENDPOINT", origin() + kMsiPath}, {"IDENTITY_HEADER", kSecret}};
    case Kind::machine_learning:
      return {{"MSI_ENDPOINT", origin() + kMsiPath}, {"MSI_SECRET", kSecret}};
    case Kind::cloud_shell:
      return {{"MSI_ENDPOINT", origin() + kMsiPath}};
    case Kind::arc:
      return {{"IDENTITY_ENDPOINT", origin() + kImdsPath}, {"IMDS_ENDPOINT", origin()}};
    case Kind::fabric:
      break;
  }
  return {{"IDENTITY_ENDPOINT", origin() + kMsiPath}, {"IDENTITY_HEADER", kSecret}};
}

void FakeIdentityHost::answer_next(HttpReply reply, int times) {
  const std::lock_guard lock(mutex_);
  next_.insert(next_.end(), static_cast<std::size_t>(times), reply);
}

void FakeIdentityHost::set_answer(std::string body) {
  const std::lock_guard lock(mutex_);
  answer_ = std::move(body);
}

void FakeIdentityHost::set_challenge(std::string value) {
  const std::lock_guard lock(mutex_);
  challenge_ = std::move(value);
}

void FakeIdentityHost::assign(const std::string& client_id) {
  const std::lock_guard lock(mutex_);
  assigned_ = client_id;
}

std::optional<HttpReply> FakeIdentityHost::check(const HttpRequest& request) const {
  const bool msi = kind_ != Kind::imds && kind_ != Kind::arc;
  if (request.path() != (msi ? kMsiPath : kImdsPath)) return HttpReply{.status = 404};
  static const std::map<Kind, std::string> kVersions = {{Kind::imds, "2018-02-01"},
                                                        {Kind::app_service, "2019-08-01"},
                                                        {Kind::machine_learning, "2017-09-01"},
                                                        {Kind::arc, "2020-06-01"},
                                                        {Kind::fabric, "2019-07-01-preview"},
                                                        {Kind::cloud_shell, ""}};
  if (request.query("api-version") != kVersions.at(kind_)) return bad("api-version");
  const bool metadata = kind_ != Kind::app_service && kind_ != Kind::fabric;
  if (metadata && request.header("Metadata") != "true") return bad("Metadata header is required");
  if (kind_ == Kind::app_service && request.header("X-IDENTITY-HEADER") != kSecret) {
    return HttpReply{.status = 401};
  }
  if ((kind_ == Kind::machine_learning || kind_ == Kind::fabric) &&
      request.header("secret") != kSecret) {
    return HttpReply{.status = 401};
  }
  if (request.has_header("X-Forwarded-For")) return bad("proxies are not allowed");
  const bool post = kind_ == Kind::cloud_shell;
  if (request.method != (post ? "POST" : "GET")) return HttpReply{.status = 405};
  return std::nullopt;
}

HttpReply FakeIdentityHost::give(const HttpRequest& question) {
  if (question.query("resource") != "https://containerregistry.azure.net") return bad("resource");
  const std::string client =
      question.query(kind_ == Kind::machine_learning ? "clientid" : "client_id");
  if (!client.empty() && client != assigned_) return bad("Identity not found");
  const std::string by_resource =
      question.query(kind_ == Kind::app_service ? "mi_res_id" : "msi_res_id");
  Json answer{{"access_token", kToken},     {"client_id", client.empty() ? "the-machine" : client},
              {"expires_in", "86399"},      {"expires_on", "1767312000"},
              {"not_before", "1767225600"}, {"resource", "https://containerregistry.azure.net"},
              {"token_type", "Bearer"}};
  if (!by_resource.empty()) answer["msi_res_id"] = by_resource;
  if (const auto object = question.query("object_id"); !object.empty()) {
    answer["object_id"] = object;
  }
  return {.headers = {{"Content-Type", "application/json"}},
          .body = answer_.empty() ? answer.dump() : answer_};
}

HttpReply FakeIdentityHost::serve(const HttpRequest& request) {
  const std::lock_guard lock(mutex_);
  if (!next_.empty()) {
    HttpReply reply = std::move(next_.front());
    next_.erase(next_.begin());
    return reply;
  }
  if (auto refused = check(request)) return *std::move(refused);
  if (kind_ == Kind::arc && !request.has_header("Authorization")) {
    HttpReply reply{.status = 401};
    reply.set_header("WWW-Authenticate", challenge_.empty()
                                             ? "Basic realm=" + (dir_ / "machine.key").native()
                                             : challenge_);
    return reply;
  }
  if (kind_ == Kind::arc && request.header("Authorization") != std::string("Basic ") + kKey) {
    return {.status = 401};
  }
  HttpRequest question = request;
  if (kind_ == Kind::cloud_shell) question.target = "?" + request.body;
  return give(question);
}

}  // namespace berth::test
