// SPDX-License-Identifier: Apache-2.0
#include "doctor_credentials.hpp"

#include <unistd.h>

#include "berth/auth/challenge.hpp"
#include "berth/base/try.hpp"
#include "berth/credential/protocol.hpp"

#include "account.hpp"
#include "identity.hpp"

namespace berth::cli {

namespace {

namespace fs = std::filesystem;

constexpr const char* kHelper = "docker-credential-berth";

Finding good(std::string sentence) { return {"credentials", Verdict::good, std::move(sentence)}; }

Finding good_step(const credential::Tried& step) {
  return good(step.source + ": " + step.outcome + ".");
}

bool is_entra(Workspace& workspace, const std::string& registry) {
  const auto hub = workspace.hub();
  const auto key = parse_registry(registry);
  return hub && key &&
         credential::route_for((*hub)->config().credential, *key).kind ==
             credential::RouteKind::entra;
}

/// What a registry is shown in the end.
Finding outcome_of(Workspace& workspace, const std::string& registry,
                   const Result<credential::Lookup>& lookup) {
  if (!lookup) {
    const Error& error = lookup.error();
    const bool named = error.message().find(registry) != std::string::npos;
    return {"credentials", Verdict::bad, (named ? "" : registry + ": ") + error.describe() + "."};
  }
  const auto& credential = lookup->credential;
  if (!credential.is_anonymous()) {
    return good(registry + " gets the credential from " + credential.source +
                (credential.username.empty() ? "" : " (user " + credential.username + ")") + ".");
  }
  if (is_entra(workspace, registry)) {
    return good("No file and no helper has a credential for " + registry +
                ": berth asks Entra ID for one when the registry refuses to answer without.");
  }
  return good(registry + " will be asked without credentials.");
}

/// Tools run the first one on PATH; it runs the berth beside it, which may be an older one.
Finding check_helper(const Environment& environment) {
  const auto found = find_in_path(environment, kHelper);
  if (!found) {
    return {"credentials", Verdict::warning,
            std::string(kHelper) +
                " is not on PATH: tools whose configuration names the helper berth will not "
                "find it."};
  }
  std::error_code error;
  const fs::path here = fs::read_symlink("/proc/self/exe", error).parent_path();
  const fs::path there = fs::canonical(*found, error).parent_path();
  if (!error && there != here && ::access((there / "berth").c_str(), X_OK) != 0) {
    return {"credentials", Verdict::warning,
            found->string() + " is on PATH, and no berth beside it: it cannot ask Entra ID."};
  }
  if (!error && there != here) {
    return {"credentials", Verdict::warning,
            found->string() + " is on PATH, and of another installation than this berth (" +
                here.string() + "): tools may see what this command does not."};
  }
  return good(found->string() + " is on PATH, where tools look for it.");
}

/// Who of Entra ID's identities gave a token, or why none of them did.
struct Identities {
  std::string given_by;
  std::string why_none;
};

Result<credential::Router> open_watched_router(Workspace& workspace, Identities& seen) {
  const Environment& environment = workspace.io().environment();
  credential::RouterOptions options;
  options.environment = environment;
  options.config = TRY(credential::load_config(environment)).credential;
  options.fetch_token = [environment, &seen](const std::string& registry, const Context& context)
      -> Result<std::optional<credential::RefreshToken>> {
    auto token = identity_token(registry, std::nullopt, environment, context, &seen.given_by);
    if (token) return std::optional(*std::move(token));
    if (token.error().code() != Errc::not_found) return Error(std::move(token).error());
    seen.why_none = token.error().message();
    return std::optional<credential::RefreshToken>();
  };
  return credential::Router(std::move(options));
}

void walk_routes(Workspace& workspace, const credential::ServerKey& key,
                 std::vector<Finding>& findings) {
  const std::string helper = std::string(kHelper) + ": ";
  Identities seen;
  auto router = open_watched_router(workspace, seen);
  if (!router) {
    findings.push_back({"credentials", Verdict::bad, router.error().describe() + "."});
    return;
  }
  std::vector<credential::Tried> tried;
  const auto found = router->get(key, workspace.context(), &tried);
  for (auto& step : tried) {
    step.source = helper + step.source;
    findings.push_back(good_step(step));
  }
  if (!seen.given_by.empty()) {
    findings.push_back(good(helper + seen.given_by + " says who this is to Entra ID."));
  }
  if (!seen.why_none.empty()) {
    findings.push_back({"credentials", Verdict::warning, helper + seen.why_none + "."});
  }
  if (!found) {
    findings.push_back({"credentials", Verdict::bad, helper + found.error().describe() + "."});
    return;
  }
  findings.push_back(good(
      std::string(kHelper) + " answers " +
      (*found ? "with user " + credential::protocol_user(**found) + "." : "that it has none.")));
}

/// "401, and asks for a token of https://... (service ...)".
std::string challenge_words(const http::Response& response) {
  std::string words = "HTTP " + std::to_string(response.status);
  for (const std::string_view header : response.headers.all("WWW-Authenticate")) {
    for (const auto& challenge : auth::parse_challenges(header)) {
      const std::string realm = challenge.parameter("realm");
      const std::string service = challenge.parameter("service");
      words += challenge.scheme == "bearer"
                   ? ", and asks for a token of " + realm +
                         (service.empty() ? "" : " (service " + service + ")")
               : challenge.scheme == "basic"
                   ? ", and asks for a user name and password (realm " + realm + ")"
                   : ", and asks for " + challenge.scheme;
    }
  }
  return words;
}

/// As a client begins: without a credential.
Result<std::string> ask_anonymously(Workspace& workspace, const credential::ServerKey& key) {
  content::Hub* hub = TRY(workspace.hub());
  const auto context = workspace.context().with_timeout(std::chrono::seconds(20));
  const auth::SessionOptions options = TRY(hub->session_options(key.host, context));
  http::Request ping;
  ping.url = options.registry.with_path("/v2/");
  ping.connection = options.connection;
  ping.allow_plain_http = options.plain_http_allowed;
  const std::string url = ping.url.redacted();
  const http::Response response = TRY(hub->http().send(std::move(ping), context));
  return "GET " + url + " without a credential: " + challenge_words(response);
}

}  // namespace

std::vector<Finding> check_credentials(Workspace& workspace, const std::string& registry) {
  auto hub = workspace.hub();
  if (!hub) return {};
  const auto lookup = (*hub)->keychain().find(registry, "", workspace.context());
  std::vector<Finding> findings;
  if (lookup) {
    for (const auto& tried : lookup->tried) findings.push_back(good_step(tried));
  }
  findings.push_back(outcome_of(workspace, registry, lookup));
  return findings;
}

void check_known_credentials(Workspace& workspace, const std::function<void(Finding)>& tell) {
  auto hub = workspace.hub();
  if (!hub) return;
  const auto registries = (*hub)->known_registries();
  for (const std::string& registry : registries) {
    const auto lookup = (*hub)->keychain().find(registry, "", workspace.context());
    tell(outcome_of(workspace, registry, lookup));
  }
  if (registries.empty()) tell(good("No registry is configured or logged in to."));
  tell({"network", Verdict::good, "No registry was asked: `berth doctor REGISTRY` asks one."});
}

std::vector<Finding> walk_credentials(Workspace& workspace, const std::string& registry) {
  std::vector<Finding> findings = check_credentials(workspace, registry);
  findings.push_back(check_helper(workspace.io().environment()));
  const auto key = parse_registry(registry);
  if (!key) {
    findings.push_back({"credentials", Verdict::bad, key.error().describe() + "."});
    return findings;
  }
  walk_routes(workspace, *key, findings);
  return findings;
}

std::vector<Finding> check_acceptance(Workspace& workspace, const std::string& registry) {
  const auto key = parse_registry(registry);
  if (!key) return {};
  std::vector<Finding> findings;
  const auto asks = ask_anonymously(workspace, *key);
  if (!asks) return {{"network", Verdict::bad, asks.error().describe() + "."}};
  findings.push_back({"network", Verdict::good, *asks + "."});
  const auto credential = credential_of(workspace, *key);
  // What cannot be found was said by the steps before.
  if (!credential) return findings;
  credential::Keychain keychain = keychain_of(workspace, *credential);
  const auto shown = check_with_registry(workspace, *key, keychain, {});
  if (!shown) {
    findings.push_back({"network", Verdict::bad, shown.error().describe() + "."});
  } else {
    findings.push_back({"network", Verdict::good,
                        shown->empty() ? registry + " answers and asks nobody for a password."
                                       : registry + " accepts what it was shown."});
  }
  return findings;
}

}  // namespace berth::cli
