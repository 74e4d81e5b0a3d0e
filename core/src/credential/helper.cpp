// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/helper.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "berth/base/process.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

#include "credential/json_text.hpp"

namespace berth::credential {
namespace {

constexpr std::size_t kOutputLimit = 1024 * 1024;
constexpr std::size_t kUrlLimit = 2048;
constexpr std::size_t kWordsLimit = 400;
/// Two helpers that wrap one another is as deep as honest configurations go.
constexpr unsigned long long kDepthLimit = 4;
constexpr std::string_view kDepthVariable = "BERTH_HELPER_DEPTH";
constexpr std::string_view kChainVariable = "BERTH_HELPER_CHAIN";
/// docker-credential-helpers, credentials/error.go: the text is the protocol.
constexpr std::string_view kNotFound = "credentials not found in native keychain";

std::string program_of(std::string_view name) { return fmt::format("docker-credential-{}", name); }

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

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

/// The helper may call berth, whose configuration may name the helper again.
Result<std::vector<std::string>> next_depth(const std::string& name,
                                            const Environment& environment) {
  const std::string text = environment(std::string(kDepthVariable)).value_or("0");
  const std::string chain = environment(std::string(kChainVariable)).value_or("");
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
      fmt::format("{}={}", kChainVariable, chain.empty() ? name : chain + " -> " + name)};
}

/// What a helper looks at besides PATH must come from the same Environment as the search itself.
void pass_on(const Environment& environment, std::vector<std::string>& env) {
  for (const char* name : {"PATH", "HOME", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_CONFIG_HOME",
                           "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"}) {
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

Result<std::string> answer_member(const nlohmann::json& answer, std::string_view member,
                                  std::string_view program) {
  const nlohmann::json* value = find_ignoring_case(answer, member);
  if (value == nullptr || value->is_null()) return std::string();
  if (!value->is_string()) {
    return Error(Errc::corrupt, fmt::format("{} gave a {} that is not a string", program, member));
  }
  return value->get<std::string>();
}

/// Text after the JSON is ignored, as docker does; skopeo and crane too.
Result<std::optional<Credential>> parse_answer(std::string_view output, const std::string& name) {
  const std::string program = program_of(name);
  const nlohmann::json answer =
      TRY(parse_json(output, fmt::format("the answer of {}", program), true));
  std::string username = TRY(answer_member(answer, "Username", program));
  Secret secret(TRY(answer_member(answer, "Secret", program)));
  // docker-credential-pass before 0.7 says "none" with two empty strings.
  if (username.empty() && secret.empty()) return std::optional<Credential>();
  if (username.empty() || has_control(username)) {
    return Error(Errc::corrupt,
                 fmt::format("{} gave a secret without a usable user name", program));
  }
  Credential credential;
  credential.source = "helper " + name;
  if (username == "<token>") {
    credential.identity_token = std::move(secret);
  } else {
    credential.username = std::move(username);
    credential.password = std::move(secret);
  }
  return std::optional<Credential>(std::move(credential));
}

Result<void> check_request(const std::string& name, const std::string& server_url) {
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

}  // namespace

bool is_helper_name(std::string_view name) noexcept {
  const auto is_alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= 100 && is_alnum(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return is_alnum(c) || c == '-'; });
}

Result<std::optional<Credential>> ask_helper(const std::string& name, const std::string& server_url,
                                             const Environment& environment,
                                             const Context& context) {
  TRY(check_request(name, server_url));
  if (context.is_nonblocking()) {
    return Error(Errc::would_block, fmt::format("{} must be asked first", program_of(name)));
  }
  std::vector<std::string> env = TRY(next_depth(name, environment));
  const std::string program = TRY(find_helper(program_of(name), environment));
  pass_on(environment, env);
  const ProcessSpec spec{.argv = {program, "get"},
                         .input = server_url,
                         .env = std::nullopt,
                         .extra_env = std::move(env),
                         .output_limit = kOutputLimit};
  Result<ProcessResult> run = run_process(spec, context);
  if (!run) return run_failure(std::move(run).error(), name, server_url);
  if (text::trim(run->output) == kNotFound) return std::optional<Credential>();
  if (run->exit_code != 0) {
    return failure(fmt::format("{} failed for {} (exit status {}): {}", program_of(name),
                               server_url, run->exit_code, shown_words(run->output)));
  }
  return parse_answer(run->output, name);
}

}  // namespace berth::credential
