// SPDX-License-Identifier: Apache-2.0
#include "provider.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "berth/base/try.hpp"
#include "berth/credential/acr_token.hpp"
#include "berth/credential/router.hpp"

#include "fetch.hpp"
#include "kubelet_request.hpp"

namespace berth::helper {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using std::chrono::seconds;

constexpr const char* kName = "berth-credential-provider";
/// The kubelet ends a provider after a minute: its own sentence is better than that.
constexpr seconds kTimeLimit{50};
constexpr seconds kMostCached{3600};
/// A pull that begins with the last second of an answer still needs the token for a while.
constexpr seconds kMargin{300};
/// Of a credential from a store, whose life nobody knows.
constexpr seconds kStoreCached{600};

constexpr std::string_view kUsage =
    "Usage: berth-credential-provider < CredentialProviderRequest\n"
    "The kubelet runs it; see berth-credential-provider(8).\n";

std::string go_duration(seconds time) {
  const auto total = time.count();
  return fmt::format("{}h{}m{}s", total / 3600, total / 60 % 60, total % 60);
}

struct Answer {
  credential::Credential credential;
  seconds cached{0};
};

std::string response(const std::string& host, const std::optional<Answer>& answer) {
  ordered_json root;
  root["kind"] = "CredentialProviderResponse";
  root["apiVersion"] = kKubeletApiVersion;
  root["cacheKeyType"] = "Registry";
  root["cacheDuration"] = go_duration(answer ? answer->cached : seconds(0));
  root["auth"] = ordered_json::object();
  if (answer) {
    root["auth"][host] = {{"username", answer->credential.username},
                          {"password", answer->credential.password.reveal()}};
  }
  return root.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

class Provider {
 public:
  Provider(const KubeletRequest& request, const Environment& environment, const std::string& berth)
      : request_(request) {
    options_.environment = environment;
    if (request.workload) {
      const auto identity = identity_of(*request.workload);
      options_.keep_tokens = identity.has_value();
      options_.identity = identity.value_or("");
    }
    if (berth.empty()) return;
    options_.fetch_token = [this, berth](const std::string& registry, const Context& context) {
      return fetch_with_berth(berth, registry, request_.workload, context);
    };
  }

  Result<std::optional<Answer>> run(const credential::ServerKey& key, const Context& context) {
    options_.config = TRY(credential::load_config(options_.environment)).credential;
    credential::Router router(options_);
    const bool is_entra = router.route(key).kind == credential::RouteKind::entra;
    // A service account's token is who asks: nobody else's login may answer.
    if (is_entra && request_.lacks_annotations) return lacking_annotations();
    if (is_entra && request_.workload) return entra(router, key, context);
    auto found = TRY(router.get(key, context));
    if (!found || found->is_anonymous()) return std::optional<Answer>();
    if (found->username == credential::kAcrUser && is_entra) {
      return acr_answer(router, key, *found, context);
    }
    if (found->username.empty()) {
      return Error(
          Errc::unsupported,
          fmt::format("{} holds an identity token for {}, and the kubelet takes user names "
                      "and passwords alone",
                      found->source, key.text()));
    }
    return std::optional(Answer{.credential = *std::move(found), .cached = kStoreCached});
  }

 private:
  /// The registry's token, for as long as it says that it holds; or as long as is known of one that
  /// berth fetched.
  Result<std::optional<Answer>> acr_answer(credential::Router& router,
                                           const credential::ServerKey& key,
                                           const credential::Credential& found,
                                           const Context& context) {
    if (const auto token = credential::acr_token(found)) {
      return std::optional(Answer{.credential = found, .cached = cached(*token)});
    }
    auto fetched = entra(router, key, context);
    if (fetched && *fetched && (*fetched)->credential.password == found.password) return fetched;
    return std::optional(Answer{.credential = found, .cached = kStoreCached});
  }

  std::chrono::seconds cached(const credential::RefreshToken& token) const {
    const auto left =
        std::chrono::duration_cast<seconds>(token.expires - options_.clock->now() - kMargin);
    return std::clamp(left, seconds(0), kMostCached);
  }

  Result<std::optional<Answer>> entra(credential::Router& router, const credential::ServerKey& key,
                                      const Context& context) {
    auto token = TRY(router.entra_token(key.host, context));
    if (!token) return std::optional<Answer>();
    const seconds life = cached(*token);
    return std::optional(Answer{.credential = {.username = std::string(credential::kAcrUser),
                                               .password = std::move(token->value)},
                                .cached = life});
  }

  const KubeletRequest& request_;
  credential::RouterOptions options_;
};

Result<void> act(const Streams& streams, const Environment& environment, const std::string& berth,
                 const Context& context) {
  const std::string input = TRY(read_input(streams, context));
  const KubeletRequest request = TRY(parse_kubelet_request(input));
  const credential::ServerKey key = TRY(registry_of_image(request.image));
  const auto answer = TRY(Provider(request, environment, berth).run(key, context));
  print(streams, response(key.host, answer));
  return {};
}

}  // namespace

int run_provider(const std::vector<std::string>& arguments, const Streams& streams,
                 const Environment& environment, const std::string& berth, const Context& context) {
  if (arguments.size() == 1 && (arguments[0] == "--version" || arguments[0] == "-v")) {
    print(streams, "berth-credential-provider v" BERTH_VERSION "\n");
    return 0;
  }
  if (arguments.size() == 1 && (arguments[0] == "--help" || arguments[0] == "-h")) {
    print(streams, kUsage);
    return 0;
  }
  if (!arguments.empty()) {
    say(streams, kName, "it takes no arguments; remove `args` from the provider's configuration");
    return 1;
  }
  const LogToErrors log(streams, kName);
  const Context limited = context.with_timeout(kTimeLimit);
  const Result<void> done = act(streams, environment, berth, limited);
  if (done) return 0;
  say(streams, kName, done.error().describe());
  return 1;
}

}  // namespace berth::helper
