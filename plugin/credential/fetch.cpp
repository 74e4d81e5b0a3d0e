// SPDX-License-Identifier: Apache-2.0
#include "fetch.hpp"

#include <unistd.h>

#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "berth/base/process.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

namespace berth::helper {
namespace {

using nlohmann::json;

/// What berth exits with for "not found": here, no identity (plugin/cli/exit_status.hpp).
constexpr int kNoIdentity = 3;
constexpr std::size_t kOutputLimit = 64 * 1024;

std::string input_of(const std::optional<WorkloadIdentity>& workload) {
  if (!workload) return {};
  const json object = {{"client_id", workload->client_id},
                       {"tenant_id", workload->tenant_id},
                       {"token", workload->token.reveal()}};
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<credential::RefreshToken> parse_token(std::string_view text) {
  auto printed = credential::parse_kept_token(text);
  if (printed) return std::move(printed->token);
  return Error(Errc::corrupt,
               "`berth token` gave no token; are berth and this program of one installation?");
}

}  // namespace

std::string own_program() {
  std::array<char, 4096> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  return size <= 0 ? std::string() : std::string(path.data(), static_cast<std::size_t>(size));
}

std::string berth_beside(const std::string& own_program) {
  const std::size_t slash = own_program.rfind('/');
  if (slash == std::string::npos) return {};
  std::string berth = own_program.substr(0, slash) + "/berth";
  return ::access(berth.c_str(), X_OK) == 0 ? berth : std::string();
}

Result<std::optional<credential::RefreshToken>> fetch_with_berth(
    const std::string& berth, const std::string& registry,
    const std::optional<WorkloadIdentity>& workload, const Context& context) {
  ProcessSpec spec{.argv = {berth, "token", "--helper", registry},
                   .input = input_of(workload),
                   .env = std::nullopt,
                   .extra_env = {},
                   .output_limit = kOutputLimit,
                   .inherit_stderr = false};
  if (workload) spec.argv.emplace_back("--workload-stdin");
  const ProcessResult run = TRY(run_process(spec, context));
  if (run.exit_code == kNoIdentity) return std::optional<credential::RefreshToken>();
  if (run.exit_code != 0) {
    std::string_view words = text::trim(run.error_output);
    if (words.starts_with("berth: ")) words.remove_prefix(7);
    return Error(Errc::unauthenticated,
                 words.empty() ? fmt::format("{} ended with status {}", berth, run.exit_code)
                               : text::escape_for_terminal(words));
  }
  return std::optional(TRY(parse_token(run.output)));
}

}  // namespace berth::helper
