// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/helper.hpp"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "berth/base/fd.hpp"
#include "berth/base/process.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/credential/protocol.hpp"
#include "berth/credential/server_key.hpp"

namespace berth::credential {
namespace {

/// What `list` is given, literally (docker-credential-helpers, client/client.go).
constexpr std::string_view kListInput = "unused";
constexpr std::size_t kUrlLimit = 2048;
constexpr std::size_t kWordsLimit = 400;
constexpr std::string_view kChainArrow = " -> ";
/// Two helpers that wrap one another is as deep as honest configurations go.
constexpr unsigned long long kDepthLimit = 4;
constexpr std::string_view kDepthVariable = "BERTH_HELPER_DEPTH";

std::string program_of(std::string_view name) { return fmt::format("docker-credential-{}", name); }

/// Not "not found", nor "unavailable": those would be the registry's word, or the word on it, and
/// what was remembered of it would be forgotten, or served in its place.
Error failure(std::string message) { return {Errc::unauthenticated, std::move(message)}; }

/// By the environment's own PATH.
Result<std::string> find_helper(const std::string& program, const Environment& environment) {
  const std::string path = environment("PATH").value_or(std::string(kDefaultPath));
  if (auto found = find_program(program, path)) return *std::move(found);
  return failure(
      fmt::format("{} is named by the configuration, but no folder of PATH has it: install it, or "
                  "remove its line",
                  program));
}

/// "a -> b -> c": who is being asked, outermost first.
bool is_in_chain(std::string_view chain, std::string_view name) {
  while (!chain.empty()) {
    const std::size_t end = chain.find(kChainArrow);
    if (chain.substr(0, end) == name) return true;
    if (end == std::string_view::npos) break;
    chain.remove_prefix(end + kChainArrow.size());
  }
  return false;
}

/// The helper may call berth, whose configuration may name the helper again.
Result<std::vector<std::string>> next_depth(const std::string& name,
                                            const Environment& environment) {
  const std::string text = environment(std::string(kDepthVariable)).value_or("0");
  const std::string chain = environment(std::string(kHelperChainVariable)).value_or("");
  TRY(check_helper_chain(name, environment));
  const Result<unsigned long long> depth = text::parse_unsigned(text);
  if (!depth || *depth >= kDepthLimit) {
    return Error(Errc::conflict,
                 fmt::format("{} was not started: credential helpers call each other in a circle "
                             "({} -> {}; {}={}): remove one of them from the configuration",
                             program_of(name), text::escape_for_terminal(chain), name,
                             kDepthVariable, text::escape_for_terminal(text)));
  }
  return std::vector<std::string>{
      fmt::format("{}={}", kDepthVariable, *depth + 1),
      fmt::format("{}={}", kHelperChainVariable,
                  chain.empty() ? name : fmt::format("{}{}{}", chain, kChainArrow, name))};
}

/// What a helper looks at besides PATH must come from the same Environment as the search itself.
void pass_on(const Environment& environment, std::vector<std::string>& env) {
  for (const char* name : {"PATH", "HOME", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_CONFIG_HOME",
                           "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_DATA_HOME", "BERTH_CONFIG",
                           "GNUPGHOME", "PASSWORD_STORE_DIR", "DBUS_SESSION_BUS_ADDRESS"}) {
    if (const auto value = environment(name)) env.push_back(fmt::format("{}={}", name, *value));
  }
}

std::string shown_words(std::string_view output) {
  const std::string_view words = text::trim(output);
  if (words.empty()) return "it said nothing on its standard output";
  std::string shown = "it said: " + text::escape_for_terminal(words.substr(0, kWordsLimit));
  if (words.size() > kWordsLimit) shown += "...";
  return shown;
}

Result<void> check_request(std::string_view name, std::string_view server_url) {
  if (!is_helper_name(name)) {
    return Error(Errc::invalid_argument,
                 fmt::format("\"{}\" cannot be a credential helper's name: lower case letters, "
                             "digits and dashes only",
                             text::escape_for_terminal(name)));
  }
  // Helpers read lines: a line break in a name would ask for another server's secret
  // (CVE-2020-5260).
  if (server_url.empty() || server_url.size() > kUrlLimit || has_control(server_url)) {
    return Error(Errc::invalid_argument,
                 fmt::format("\"{}\" cannot be asked of a credential helper: it is empty, too long "
                             "or has control characters",
                             text::escape_for_terminal(server_url.substr(0, 100))));
  }
  return {};
}

Error run_failure(Error error, const std::string& name, const std::string& server_url) {
  const std::string about = fmt::format("asking {} for {}", program_of(name), server_url);
  if (error.code() == Errc::timeout) {
    return Error(Errc::timeout, fmt::format("{}: no answer in time; it was killed (does it wait "
                                            "for a terminal or an unlocked key ring?)",
                                            about));
  }
  const bool of_its_own = error.code() == Errc::cancelled || error.code() == Errc::too_large;
  if (of_its_own) return std::move(error).with_context(about);
  return failure(fmt::format("{}: it cannot be started", about)).because(std::move(error));
}

struct Verb {
  const std::string& name;
  const char* verb;
  std::string input;
  std::string about;  ///< what it is asked for, as messages say it
};

/// Where nobody can be asked for a passphrase, gpg must not wait for one: it would until the end of
/// the helper's time.
void forbid_questions(const Environment& environment, std::vector<std::string>& env) {
  const bool has_display = environment("DISPLAY") || environment("WAYLAND_DISPLAY");
  if (has_display || Fd(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY))) return;
  const std::string options = environment("PASSWORD_STORE_GPG_OPTS").value_or("");
  if (options.find("--pinentry-mode") != std::string::npos) return;
  env.push_back(fmt::format("PASSWORD_STORE_GPG_OPTS={}{}--pinentry-mode=error", options,
                            options.empty() ? "" : " "));
}

Result<ProcessResult> run_helper(const Verb& verb, const Environment& environment,
                                 const Context& context) {
  if (context.is_nonblocking()) {
    return Error(Errc::would_block, fmt::format("{} must be asked first", program_of(verb.name)));
  }
  std::vector<std::string> env = TRY(next_depth(verb.name, environment));
  const std::string program = TRY(find_helper(program_of(verb.name), environment));
  pass_on(environment, env);
  forbid_questions(environment, env);
  const ProcessSpec spec{.argv = {program, verb.verb},
                         .input = verb.input,
                         .env = std::nullopt,
                         .extra_env = std::move(env),
                         .output_limit = kProtocolLimit};
  Result<ProcessResult> run = run_process(spec, context);
  if (!run) return run_failure(std::move(run).error(), verb.name, verb.about);
  return run;
}

Error refusal(const std::string& name, std::string_view what, const ProcessResult& run) {
  return failure(fmt::format("{} {} (exit status {}): {}", program_of(name), what, run.exit_code,
                             shown_words(run.output)));
}

}  // namespace

bool is_helper_name(std::string_view name) noexcept {
  const auto is_alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= 100 && is_alnum(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return is_alnum(c) || c == '-'; });
}

Result<void> check_helper_chain(std::string_view name, const Environment& environment) {
  const std::string chain = environment(std::string(kHelperChainVariable)).value_or("");
  if (!is_in_chain(chain, name)) return {};
  return Error(Errc::conflict,
               fmt::format("credential helpers call each other in a circle ({}{}{}): remove one of "
                           "them from the configuration, or change berth's route to it",
                           text::escape_for_terminal(chain), kChainArrow, name));
}

Result<std::optional<Credential>> ask_helper(const std::string& name, const std::string& server_url,
                                             const Environment& environment,
                                             const Context& context) {
  TRY(check_request(name, server_url));
  const ProcessResult run =
      TRY(run_helper({name, "get", server_url, server_url}, environment, context));
  if (text::trim(run.output) == kNotFoundWords) return std::optional<Credential>();
  if (run.exit_code != 0) return refusal(name, "failed for " + server_url, run);
  auto found = TRY(parse_get_answer(run.output, program_of(name)));
  if (found) found->source = "helper " + name;
  return found;
}

Result<void> store_in_helper(const std::string& name, const std::string& server_url,
                             const Credential& credential, const Environment& environment,
                             const Context& context) {
  TRY(check_request(name, server_url));
  const Verb verb{name, "store", get_answer(server_url, credential), server_url};
  const ProcessResult run = TRY(run_helper(verb, environment, context));
  if (run.exit_code == 0) return {};
  return refusal(name, "did not keep the credential of " + server_url, run);
}

Result<void> erase_in_helper(const std::string& name, const std::string& server_url,
                             const Environment& environment, const Context& context) {
  TRY(check_request(name, server_url));
  const ProcessResult run =
      TRY(run_helper({name, "erase", server_url, server_url}, environment, context));
  if (run.exit_code == 0 || text::trim(run.output) == kNotFoundWords) return {};
  return refusal(name, "did not erase the credential of " + server_url, run);
}

Result<std::map<std::string, std::string>> list_helper(const std::string& name,
                                                       const Environment& environment,
                                                       const Context& context) {
  TRY(check_request(name, kListInput));
  const ProcessResult run =
      TRY(run_helper({name, "list", std::string(kListInput), "its list"}, environment, context));
  if (run.exit_code != 0) return refusal(name, "gave no list", run);
  return parse_list_answer(run.output, program_of(name));
}

}  // namespace berth::credential
