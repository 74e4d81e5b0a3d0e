// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/identity_chain.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "berth/auth/client_credentials.hpp"
#include "berth/auth/managed_identity.hpp"
#include "berth/auth/tool_credentials.hpp"
#include "berth/base/sync.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

#include "auth/identity_network.hpp"
#include "auth/identity_rules.hpp"

namespace berth::auth {
namespace {

constexpr std::chrono::seconds kNobodyLasts{30};
constexpr const char* kEnvironment = "EnvironmentCredential";
constexpr const char* kDefault = "DefaultAzureCredential";

using Sources = std::vector<std::shared_ptr<TokenCredential>>;

/// What the official SDKs take in AZURE_TOKEN_CREDENTIALS and berth does not: it needs a desktop's
/// or an editor's own libraries.
bool is_of_the_sdks(std::string_view wish) {
  constexpr std::array<std::string_view, 4> kNames = {
      "visualstudiocodecredential", "visualstudiocredential", "interactivebrowsercredential",
      "brokercredential"};
  return std::ranges::find(kNames, wish) != kNames.end();
}

/// Not what holds for this one credential alone.
IdentityOptions options_of(const DefaultCredentialOptions& options) {
  IdentityOptions identity = with_transports(options.identity);
  if (identity.additionally_allowed_tenants.empty()) {
    identity.additionally_allowed_tenants = allowed_tenants(identity.environment);
  }
  return identity;
}

using Maker = std::shared_ptr<TokenCredential> (*)(const DefaultCredentialOptions&,
                                                   const IdentityOptions&, bool alone);

struct Member {
  const char* name;
  bool prod;
  Maker make;
};

/// The order of the official SDKs. What needs a desktop's own broker, or Visual Studio Code, has no
/// counterpart here.
constexpr Member kMembers[] = {
    {kEnvironment, true,
     [](const DefaultCredentialOptions&, const IdentityOptions& identity,
        bool) -> std::shared_ptr<TokenCredential> {
       return std::make_shared<EnvironmentCredential>(identity);
     }},
    {"WorkloadIdentityCredential", true,
     [](const DefaultCredentialOptions& options, const IdentityOptions& identity,
        bool) -> std::shared_ptr<TokenCredential> {
       return std::make_shared<WorkloadIdentityCredential>(
           WorkloadIdentity{.client_id = options.workload_identity_client_id}, identity);
     }},
    {"ManagedIdentityCredential", true,
     [](const DefaultCredentialOptions& options, const IdentityOptions& identity,
        bool alone) -> std::shared_ptr<TokenCredential> {
       ManagedIdentity managed{.client_id = options.managed_identity_client_id,
                               .resource_id = options.managed_identity_resource_id};
       if (managed.client_id.empty() && managed.resource_id.empty()) {
         managed.client_id = identity.environment("AZURE_CLIENT_ID").value_or("");
       }
       managed.probe = !alone;  // who names it knows that it is there
       return std::make_shared<ManagedIdentityCredential>(std::move(managed), identity);
     }},
    {"AzureCliCredential", false,
     [](const DefaultCredentialOptions& options, const IdentityOptions& identity,
        bool) -> std::shared_ptr<TokenCredential> {
       return std::make_shared<AzureCliCredential>(ToolAccount{.tenant_id = options.tenant_id},
                                                   identity);
     }},
    {"AzurePowerShellCredential", false,
     [](const DefaultCredentialOptions& options, const IdentityOptions& identity,
        bool) -> std::shared_ptr<TokenCredential> {
       return std::make_shared<AzurePowerShellCredential>(
           ToolAccount{.tenant_id = options.tenant_id}, identity);
     }},
    {"AzureDeveloperCliCredential", false,
     [](const DefaultCredentialOptions& options, const IdentityOptions& identity,
        bool) -> std::shared_ptr<TokenCredential> {
       return std::make_shared<AzureDeveloperCliCredential>(
           ToolAccount{.tenant_id = options.tenant_id}, identity);
     }},
};

bool is_wanted(const Member& member, std::string_view wish) {
  if (wish.empty()) return true;
  if (wish == "prod" || wish == "dev") return member.prod == (wish == "prod");
  return text::equals_ignoring_case(member.name, wish);
}

bool is_on(const std::optional<std::string>& value) {
  return value && (*value == "1" || text::equals_ignoring_case(*value, "true"));
}

}  // namespace

struct ChainedTokenCredential::Impl {
  Sources sources;
  Clock& clock;
  Mutex mutex;
  /// When nobody was there, and who was not.
  struct Nobody {
    Clock::SteadyTime at;
    std::string of;
    std::string why;
  };
  std::optional<Nobody> nobody BERTH_GUARDED_BY(mutex);
};

ChainedTokenCredential::ChainedTokenCredential(Sources sources, Clock& clock)
    : impl_(new Impl{.sources = std::move(sources), .clock = clock, .mutex = {}, .nobody = {}}) {}
ChainedTokenCredential::~ChainedTokenCredential() = default;

std::string ChainedTokenCredential::name() const { return "ChainedTokenCredential"; }

std::string ChainedTokenCredential::identity_key() const {
  std::string key;
  for (const auto& source : impl_->sources) {
    const std::string one = source->identity_key();
    key += fmt::format("{}:{}", one.size(), one);
  }
  return key;
}

Result<AccessToken> ChainedTokenCredential::get_token(const TokenRequest& request,
                                                      const Context& context) {
  std::string of = identity_key() + " " + request.tenant_id;
  for (const std::string& scope : request.scopes) of += " " + scope;
  {
    const MutexLock lock(impl_->mutex);
    // By its full name each time: the analysis of locks does not follow a reference.
    if (impl_->nobody && impl_->nobody->of == of &&
        impl_->clock.ticks() - impl_->nobody->at < kNobodyLasts) {
      return Error(Errc::not_found, impl_->nobody->why);
    }
  }
  std::string why;
  for (const auto& source : impl_->sources) {
    auto token = source->get_token(request, context);
    if (token && token->given_by.empty()) token->given_by = source->name();
    if (token || token.error().code() != Errc::not_found) return token;
    why += (why.empty() ? "" : "; ") + token.error().message();
  }
  why = impl_->sources.empty() ? "no credential was given"
                               : fmt::format("no identity is available: {}", why);
  const MutexLock lock(impl_->mutex);
  impl_->nobody = Impl::Nobody{.at = impl_->clock.ticks(), .of = std::move(of), .why = why};
  return Error(Errc::not_found, std::move(why));
}

EnvironmentCredential::EnvironmentCredential(IdentityOptions options) {
  const auto value = [&](const char* name) { return options.environment(name).value_or(""); };
  const Application application{.tenant_id = value("AZURE_TENANT_ID"),
                                .client_id = value("AZURE_CLIENT_ID")};
  const std::string secret = value("AZURE_CLIENT_SECRET");
  const std::string certificate = value("AZURE_CLIENT_CERTIFICATE_PATH");
  by_password_ = !value("AZURE_USERNAME").empty() && !value("AZURE_PASSWORD").empty();
  const auto miss = [&](bool absent, const char* what) {
    if (absent) missing_ += (missing_.empty() ? "" : ", ") + std::string(what);
  };
  miss(application.tenant_id.empty(), "AZURE_TENANT_ID");
  miss(application.client_id.empty(), "AZURE_CLIENT_ID");
  miss(secret.empty() && certificate.empty() && !by_password_,
       "AZURE_CLIENT_SECRET or AZURE_CLIENT_CERTIFICATE_PATH");
  if (!missing_.empty()) return;
  if (options.additionally_allowed_tenants.empty()) {
    options.additionally_allowed_tenants = allowed_tenants(options.environment);
  }
  if (!secret.empty()) {
    found_ =
        std::make_unique<ClientSecretCredential>(application, Secret(secret), std::move(options));
  } else if (!certificate.empty()) {
    ClientCertificate given{.path = certificate,
                            .password = Secret(value("AZURE_CLIENT_CERTIFICATE_PASSWORD")),
                            .send_certificate_chain =
                                is_on(options.environment("AZURE_CLIENT_SEND_CERTIFICATE_CHAIN"))};
    found_ = std::make_unique<ClientCertificateCredential>(application, std::move(given),
                                                           std::move(options));
  }
}
EnvironmentCredential::~EnvironmentCredential() = default;

std::string EnvironmentCredential::name() const { return kEnvironment; }

std::string EnvironmentCredential::identity_key() const {
  return found_ == nullptr ? std::string() : found_->identity_key();
}

Result<AccessToken> EnvironmentCredential::get_token(const TokenRequest& request,
                                                     const Context& context) {
  if (found_ == nullptr && missing_.empty() && by_password_) {
    return Error(Errc::unsupported,
                 fmt::format("{}: AZURE_USERNAME and AZURE_PASSWORD are a way to log in that Entra "
                             "ID is giving up: use an application (AZURE_CLIENT_SECRET), or unset "
                             "them and run `az login`",
                             kEnvironment));
  }
  if (found_ == nullptr) return not_available(kEnvironment, "not set: " + missing_);
  auto token = found_->get_token(request, context);
  if (token) return token;
  return Error(std::move(token).error()).with_context(kEnvironment);
}

DefaultAzureCredential::DefaultAzureCredential(const DefaultCredentialOptions& options) {
  const IdentityOptions identity = options_of(options);
  for (const std::string& variable : options.required_env_vars) {
    if (identity.environment(variable)) continue;
    wrong_ =
        fmt::format("{}: the environment variable {} is required and not set", kDefault, variable);
    return;
  }
  const std::string named = identity.environment("AZURE_TOKEN_CREDENTIALS").value_or("");
  const std::string wish = text::to_lower(text::trim(named));
  Sources sources;
  for (const Member& member : kMembers) {
    if (!is_wanted(member, wish)) continue;
    const bool alone = !wish.empty() && wish != "prod" && wish != "dev";
    sources.push_back(member.make(options, identity, alone));
  }
  if (sources.empty()) {
    std::string known = "prod, dev";
    for (const Member& member : kMembers) known += fmt::format(", {}", member.name);
    wrong_ = fmt::format("AZURE_TOKEN_CREDENTIALS: '{}' is {}none of {}",
                         text::escape_for_terminal(named),
                         is_of_the_sdks(wish) ? "a credential of the official SDKs that berth has "
                                                "not (`az login` is another way): it is "
                                              : "",
                         known);
    return;
  }
  chain_ = std::make_unique<ChainedTokenCredential>(std::move(sources), *identity.clock);
}
DefaultAzureCredential::~DefaultAzureCredential() = default;

std::string DefaultAzureCredential::name() const { return kDefault; }

std::string DefaultAzureCredential::identity_key() const {
  return chain_ == nullptr ? std::string() : chain_->identity_key();
}

Result<AccessToken> DefaultAzureCredential::get_token(const TokenRequest& request,
                                                      const Context& context) {
  if (chain_ == nullptr) return Error(Errc::invalid_argument, wrong_);
  return chain_->get_token(request, context);
}

}  // namespace berth::auth
