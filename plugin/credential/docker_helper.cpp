// SPDX-License-Identifier: Apache-2.0
#include "docker_helper.hpp"

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/credential/helper.hpp"
#include "berth/credential/protocol.hpp"
#include "berth/credential/router.hpp"

#include "fetch.hpp"

namespace berth::helper {
namespace {

using credential::Credential;
using credential::Router;
using credential::ServerKey;

constexpr const char* kName = "docker-credential-berth";
constexpr std::string_view kSelf = "berth";
constexpr std::string_view kUsage =
    "Usage: docker-credential-berth <store|get|erase|list|version>\n";
constexpr std::string_view kVersionLine = "docker-credential-berth (berth) v" BERTH_VERSION "\n";
/// Tools set no limit: a command that hangs is worse than one that fails. A token server may be
/// asked in this time, by way of berth.
constexpr std::chrono::seconds kTimeLimit{60};

/// What helpers that this one asks see: that berth is being asked already.
Environment with_self(const Environment& environment) {
  const std::string chain = environment(std::string(credential::kHelperChainVariable)).value_or("");
  std::string longer = chain.empty() ? std::string(kSelf) : fmt::format("{} -> {}", chain, kSelf);
  return [environment, longer](const std::string& name) {
    return name == credential::kHelperChainVariable ? std::optional(longer) : environment(name);
  };
}

/// The static program asks no user database: the environment is all that it knows.
Result<void> check_home(const Environment& environment) {
  if (home_directory(environment) || environment("BERTH_CONFIG")) return {};
  return Error(Errc::invalid_argument,
               "HOME is not set to an absolute path: set it (or BERTH_CONFIG) in the environment "
               "of whatever runs docker-credential-berth");
}

class DockerHelper {
 public:
  DockerHelper(const Streams& streams, Router router, const Context& context)
      : streams_(streams),
        router_(std::move(router)),
        context_(context) {}

  Result<void> run(const std::string& action) {
    if (action == "get") return get();
    if (action == "store") return store();
    if (action == "erase") return erase();
    return list();
  }

 private:
  Result<void> get() {
    const std::string url = TRY(server_url());
    const auto key = TRY(credential::parse_asked_key(url));
    if (!key) return words(credential::kNotFoundWords);
    const auto found = TRY(router_.get(*key, context_));
    if (!found || found->is_anonymous()) return words(credential::kNotFoundWords);
    print(streams_, credential::get_answer(url, *found));
    return {};
  }

  Result<void> store() {
    const std::string input = TRY(read_input(streams_, context_));
    credential::StoreRequest request = TRY(credential::parse_store_request(input));
    if (text::trim(request.server_url).empty()) return words(credential::kNoServerUrlWords);
    if (request.username.empty()) return words(credential::kNoUsernameWords);
    const ServerKey key = TRY(credential::parse_server_key(request.server_url));
    TRY(router_.put(
        key, credential::from_protocol(std::move(request.username), std::move(request.secret)),
        context_));
    return {};
  }

  Result<void> erase() {
    const std::string url = TRY(server_url());
    const auto key = TRY(credential::parse_asked_key(url));
    if (key) TRY(router_.erase(*key, context_));
    return {};
  }

  /// What is on standard input is the word "unused", and is.
  Result<void> list() {
    std::vector<Error> failures;
    const auto entries = router_.list(context_, failures);
    for (const Error& failure : failures) say(streams_, kName, failure.describe());
    print(streams_, credential::list_answer(entries));
    return {};
  }

  Result<std::string> server_url() {
    const std::string input = TRY(read_input(streams_, context_));
    const std::string_view url = text::trim(input);
    if (url.empty()) return words(credential::kNoServerUrlWords);
    return std::string(url);
  }

  /// The protocol's own words, which clients compare: nothing is added, and people need no more.
  static Error words(std::string_view text) { return {Errc::not_found, std::string(text)}; }

  const Streams& streams_;
  Router router_;
  const Context& context_;
};

bool is_protocol_words(std::string_view message) {
  return message == credential::kNotFoundWords || message == credential::kNoServerUrlWords ||
         message == credential::kNoUsernameWords;
}

Result<void> act(const std::string& action, const Streams& streams, const Environment& environment,
                 const std::string& berth, const Context& context) {
  TRY(check_home(environment));
  TRY(credential::check_helper_chain(kSelf, environment));
  credential::Config config = TRY(credential::load_config(environment));
  credential::RouterOptions options{.environment = with_self(environment),
                                    .config = std::move(config.credential)};
  if (!berth.empty()) {
    options.fetch_token = [berth](const std::string& registry, const Context& limited) {
      return fetch_with_berth(berth, registry, std::nullopt, limited);
    };
  }
  return DockerHelper(streams, Router(std::move(options)), context).run(action);
}

}  // namespace

int run_docker_helper(const std::vector<std::string>& arguments, const Streams& streams,
                      const Environment& environment, const std::string& berth,
                      const Context& context) {
  const std::string action = arguments.size() == 1 ? arguments.front() : std::string();
  if (action == "version" || action == "--version" || action == "-v") {
    print(streams, kVersionLine);
    return 0;
  }
  if (action == "--help" || action == "-h") {
    print(streams, kUsage);
    return 0;
  }
  if (arguments.size() != 1) {
    print(streams, kUsage);
    return 1;
  }
  if (action != "get" && action != "store" && action != "erase" && action != "list") {
    print(streams,
          fmt::format("{}: unknown action: {}\n", kName, text::escape_for_terminal(action)));
    return 1;
  }
  const LogToErrors log(streams, kName);
  const Context limited = context.with_timeout(kTimeLimit);
  const Result<void> done = act(action, streams, environment, berth, limited);
  if (done) return 0;
  const std::string sentence = text::escape_for_terminal(done.error().describe());
  // docker shows neither stream of a helper that fails while it pulls but the second one.
  if (!is_protocol_words(done.error().message())) say(streams, kName, sentence);
  print(streams, sentence + "\n");
  return 1;
}

}  // namespace berth::helper
