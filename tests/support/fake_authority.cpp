// SPDX-License-Identifier: Apache-2.0
#include "support/fake_authority.hpp"

#include <ctime>
#include <fstream>
#include <iterator>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "support/jwt.hpp"

namespace berth::test {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kTenant = "contoso";
constexpr const char* kAdfs = "/adfs/oauth2/token";

/// Every certificate of a PEM text by its thumbprint: whichever is the application's own will do.
/// AD FS knows them by their SHA-1.
std::map<std::string, EVP_PKEY*> keys_of(const std::string& pem, bool adfs) {
  std::map<std::string, EVP_PKEY*> keys;
  BIO* reader = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  while (X509* certificate = PEM_read_bio_X509(reader, nullptr, nullptr, nullptr)) {
    unsigned char print[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    X509_digest(certificate, adfs ? EVP_sha1() : EVP_sha256(), print, &size);
    keys[base64url({reinterpret_cast<const char*>(print), size})] = X509_get_pubkey(certificate);
    X509_free(certificate);
  }
  BIO_free(reader);
  return keys;
}

bool verifies(EVP_PKEY* key, const std::string& text, const std::string& signature, bool adfs) {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EVP_PKEY_CTX* options = nullptr;
  const bool good =
      EVP_DigestVerifyInit(context, &options, EVP_sha256(), nullptr, key) == 1 &&
      EVP_PKEY_CTX_set_rsa_padding(options, adfs ? RSA_PKCS1_PADDING : RSA_PKCS1_PSS_PADDING) ==
          1 &&
      (adfs || EVP_PKEY_CTX_set_rsa_pss_saltlen(options, 32) == 1) &&
      EVP_DigestVerify(context, reinterpret_cast<const unsigned char*>(signature.data()),
                       signature.size(), reinterpret_cast<const unsigned char*>(text.data()),
                       text.size()) == 1;
  EVP_MD_CTX_free(context);
  return good;
}

HttpReply refuse_assertion() {
  return FakeAuthority::refusal(401, "invalid_client",
                                "AADSTS700027: The certificate with identifier used to sign the "
                                "client assertion is not registered on application.");
}

}  // namespace

FakeAuthority::FakeAuthority(HttpServerOptions options)
    : unix_time_([] { return static_cast<std::int64_t>(std::time(nullptr)); }) {
  server_ = std::make_unique<HttpServer>(
      [this](const HttpRequest& request) { return serve(request); }, std::move(options));
}

void FakeAuthority::add_secret(const std::string& client, const std::string& secret, bool expired) {
  const std::lock_guard lock(mutex_);
  applications_[client].secret = secret;
  applications_[client].expired = expired;
}

void FakeAuthority::add_certificate(const std::string& client, const std::filesystem::path& pem) {
  std::ifstream file(pem);
  const std::lock_guard lock(mutex_);
  applications_[client].certificates.emplace_back(std::istreambuf_iterator<char>(file),
                                                  std::istreambuf_iterator<char>());
}

void FakeAuthority::add_federation(const std::string& client, const std::string& token) {
  const std::lock_guard lock(mutex_);
  applications_[client].federated.insert(token);
}

void FakeAuthority::remove(const std::string& client) {
  const std::lock_guard lock(mutex_);
  applications_.erase(client);
}

void FakeAuthority::answer_next(HttpReply reply) {
  const std::lock_guard lock(mutex_);
  next_.push_back(std::move(reply));
}

std::set<std::string> FakeAuthority::tokens() {
  const std::lock_guard lock(mutex_);
  return tokens_;
}

void FakeAuthority::set_time(std::function<std::int64_t()> unix_time) {
  const std::lock_guard lock(mutex_);
  unix_time_ = std::move(unix_time);
}

void FakeAuthority::set_lifetime(int seconds, int refresh_in) {
  const std::lock_guard lock(mutex_);
  lifetime_ = seconds;
  refresh_in_ = refresh_in;
}

HttpReply FakeAuthority::refusal(int status, const std::string& error,
                                 const std::string& description) {
  HttpReply reply{.status = status};
  reply.set_header("Content-Type", "application/json; charset=utf-8");
  reply.body = Json{{"error", error},
                    {"error_description", description + " Trace ID: 0001 Correlation ID: 0002"},
                    {"error_codes", Json::array({1})},
                    {"timestamp", "2026-01-01 00:00:00Z"},
                    {"trace_id", "0001"},
                    {"correlation_id", "0002"},
                    {"error_uri", "https://login.microsoftonline.com/error"}}
                   .dump();
  return reply;
}

HttpReply FakeAuthority::serve(const HttpRequest& request) {
  const std::lock_guard lock(mutex_);
  if (!next_.empty()) {
    HttpReply reply = std::move(next_.front());
    next_.erase(next_.begin());
    return reply;
  }
  const std::string path = request.path();
  const std::size_t end = path.find('/', 1);
  const std::string tenant = path.substr(1, end == std::string::npos ? end : end - 1);
  const bool adfs = path == kAdfs;
  if (request.method != "POST" || end == std::string::npos ||
      (!adfs && path.substr(end) != "/oauth2/v2.0/token")) {
    return {.status = 404};
  }
  HttpRequest form;
  form.target = "?" + request.body;
  const std::string client = form.query("client_id");
  if (!adfs && tenant != kTenant) {
    return refusal(400, "invalid_request",
                   "AADSTS90002: Tenant '" + tenant +
                       "' not found. Check to make sure you have the correct tenant ID.");
  }
  const auto known = applications_.find(client);
  if (known == applications_.end()) {
    return refusal(400, "unauthorized_client",
                   "AADSTS700016: Application with identifier '" + client +
                       "' was not found in the directory 'Contoso'.");
  }
  if (!form.query("scope").ends_with("/.default") ||
      form.query("grant_type") != "client_credentials") {
    return refusal(400, "invalid_scope",
                   "AADSTS1002012: The provided value for scope is not valid.");
  }
  if (auto refused = check(known->second, form, server_->origin() + path, client)) return *refused;
  const std::int64_t now = unix_time_();
  const std::string token = unsigned_jwt({{"tid", tenant},
                                          {"appid", client},
                                          {"aud", form.query("scope")},
                                          {"exp", now + lifetime_},
                                          {"jti", "entra-" + std::to_string(++numbers_)}});
  tokens_.insert(token);
  HttpReply reply;
  reply.set_header("Content-Type", "application/json; charset=utf-8");
  Json answer{{"token_type", "Bearer"},
              {"expires_in", lifetime_},
              {"ext_expires_in", lifetime_},
              {"access_token", token}};
  if (refresh_in_ > 0) answer["refresh_in"] = refresh_in_;
  reply.body = answer.dump();
  return reply;
}

std::optional<HttpReply> FakeAuthority::check(const Application& application,
                                              const HttpRequest& form, const std::string& endpoint,
                                              const std::string& client) {
  const std::string secret = form.query("client_secret");
  if (!secret.empty()) {
    if (secret != application.secret) {
      return refusal(401, "invalid_client",
                     "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent "
                     "in the request is the client secret value, not the client secret ID.");
    }
    if (!application.expired) return std::nullopt;
    return refusal(
        401, "invalid_client",
        "AADSTS7000222: The provided client secret keys for app '" + client + "' are expired.");
  }
  if (form.query("client_assertion_type") !=
      "urn:ietf:params:oauth:client-assertion-type:jwt-bearer") {
    return refusal(401, "invalid_client",
                   "AADSTS7000218: The request body must contain the following parameter: "
                   "'client_assertion' or 'client_secret'.");
  }
  const std::string assertion = form.query("client_assertion");
  if (application.certificates.empty()) {
    if (application.federated.contains(assertion)) return std::nullopt;
    return refusal(401, "invalid_client",
                   "AADSTS70021: No matching federated identity record found for presented "
                   "assertion.");
  }
  return check_assertion(application, assertion, endpoint, client);
}

std::optional<HttpReply> FakeAuthority::check_assertion(const Application& application,
                                                        const std::string& assertion,
                                                        const std::string& endpoint,
                                                        const std::string& client) {
  const std::size_t first = assertion.find('.');
  const std::size_t last = assertion.rfind('.');
  if (first == std::string::npos || first == last) return refuse_assertion();
  const Json header = Json::parse(from_base64url(assertion.substr(0, first)), nullptr, false);
  const Json claims =
      Json::parse(from_base64url(assertion.substr(first + 1, last - first - 1)), nullptr, false);
  if (!header.is_object() || !claims.is_object()) return refuse_assertion();
  const bool adfs = endpoint.ends_with(kAdfs);
  bool good = false;
  for (const std::string& pem : application.certificates) {
    for (const auto& [print, key] : keys_of(pem, adfs)) {
      good = good || (header.value(adfs ? "x5t" : "x5t#S256", "") == print &&
                      header.value("alg", "") == (adfs ? "RS256" : "PS256") &&
                      verifies(key, assertion.substr(0, last),
                               from_base64url(assertion.substr(last + 1)), adfs));
      EVP_PKEY_free(key);
    }
  }
  if (!good || claims.value("iss", "") != client || claims.value("sub", "") != client ||
      !seen_ids_.insert(claims.value("jti", "")).second) {
    return refuse_assertion();
  }
  if (claims.value("aud", "") != endpoint) {
    return refusal(401, "invalid_client", "AADSTS700023: Client assertion audience is wrong.");
  }
  const std::int64_t now = unix_time_();
  if (claims.value("nbf", std::int64_t{0}) > now + 300 ||
      claims.value("exp", std::int64_t{0}) < now - 300) {
    return refusal(401, "invalid_client",
                   "AADSTS700024: Client assertion is not within its valid time range.");
  }
  return std::nullopt;
}

}  // namespace berth::test
