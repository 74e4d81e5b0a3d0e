// SPDX-License-Identifier: Apache-2.0
#include "auth/arc_challenge.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <fmt/format.h>

#include "berth/base/fd.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

namespace berth::auth {
namespace {

constexpr std::string_view kPrefix = "Basic realm=";
constexpr off_t kLimit = 4096;

Error wrong(std::string_view what) { return {Errc::not_found, std::string(what)}; }

}  // namespace

Result<Secret> answer_arc_challenge(std::string_view challenge,
                                    const std::filesystem::path& folder) {
  challenge = text::trim(challenge);
  if (!challenge.starts_with(kPrefix)) return wrong("the agent's challenge names no file");
  std::string_view named = challenge.substr(kPrefix.size());
  if (named.size() >= 2 && named.front() == '"' && named.back() == '"') {
    named = named.substr(1, named.size() - 2);
  }
  const std::filesystem::path path(named);
  if (path.lexically_normal() != path || path.parent_path() != folder ||
      path.extension() != ".key" || named.find('\0') != std::string_view::npos) {
    return wrong(fmt::format("the agent's challenge names {}, which is no key of {}",
                             text::escape_for_terminal(named), folder.native()));
  }
  const auto fd = open_at(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!fd) {
    return wrong(fmt::format("{}: join the group himds, or run as root", fd.error().message()));
  }
  struct stat status{};
  if (::fstat(fd->get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > kLimit) {
    return wrong(fmt::format("{} is no file of at most {} bytes", path.native(), kLimit));
  }
  std::string key(static_cast<std::size_t>(status.st_size), '\0');
  TRY(pread_exact(fd->get(), std::as_writable_bytes(std::span(key.data(), key.size())), 0));
  return Secret(std::move(key));
}

}  // namespace berth::auth
