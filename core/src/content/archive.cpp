// SPDX-License-Identifier: Apache-2.0
#include "berth/content/archive.hpp"

#include <unistd.h>

#include <string>
#include <vector>

#include <fmt/format.h>

#include "berth/base/on_exit.hpp"
#include "berth/base/process.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

namespace berth::content {
namespace {

namespace fs = std::filesystem;

std::string shown(const fs::path& path) { return text::escape_for_terminal(path.string()); }

/// tar(1), its words in the error.
Result<void> run_tar(std::vector<std::string> arguments, const std::string& operation,
                     const Context& context) {
  ProcessSpec spec;
  spec.argv = {"tar"};
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  spec.extra_env = {"LC_ALL=C", "TAR_OPTIONS="};
  spec.inherit_stderr = false;
  const auto done = TRY(run_process(spec, context));
  if (done.exit_code == 0) return {};
  std::string said(text::trim(done.error_output));
  if (const auto line = said.find('\n'); line != std::string::npos) said.resize(line);
  const bool full = done.error_output.find("No space left") != std::string::npos;
  return Error(full ? Errc::no_space : Errc::corrupt,
               fmt::format("{}: tar failed with status {}: {}", operation, done.exit_code,
                           text::escape_for_terminal(said)));
}

/// A link could lead whoever reads the layout anywhere.
Result<void> check_unpacked(const fs::path& folder, const std::string& operation) {
  std::error_code failed;
  for (fs::recursive_directory_iterator at(folder, failed), end; at != end; at.increment(failed)) {
    const fs::file_status status = at->symlink_status(failed);
    if (failed) break;
    if (fs::is_regular_file(status) || fs::is_directory(status)) continue;
    return Error(Errc::untrusted, fmt::format("{}: {} is neither a file nor a folder", operation,
                                              shown(at->path().lexically_relative(folder))));
  }
  if (failed) return Error::from_errno(failed.value(), operation);
  if (fs::exists(folder / "oci-layout") && fs::exists(folder / "index.json")) return {};
  return Error(Errc::corrupt, fmt::format("{}: it holds no OCI image layout (an archive of `docker "
                                          "save` before version 25 does not)",
                                          operation));
}

}  // namespace

Result<void> unpack_layout(const fs::path& archive, const fs::path& folder,
                           const Context& context) {
  const std::string operation = "oci-archive:" + shown(archive);
  std::error_code failed;
  const fs::file_status status = fs::status(archive, failed);
  if (!fs::exists(status)) return Error(Errc::not_found, operation + ": there is no such file");
  if (fs::is_directory(status)) {
    return Error(Errc::invalid_argument,
                 fmt::format("{}: it is a folder: write oci:{}", operation, shown(archive)));
  }
  // tar itself keeps absolute names, ".." and links that lead out from doing harm.
  TRY(run_tar({"--extract", "--file", archive.string(), "--force-local", "--directory",
               folder.string(), "--no-same-owner", "--no-same-permissions"},
              operation, context));
  return check_unpacked(folder, operation);
}

Result<void> pack_layout(const fs::path& folder, const fs::path& archive, const Context& context) {
  const std::string operation = "oci-archive:" + shown(archive);
  const fs::path temporary = archive.string() + fmt::format(".tmp-{}", ::getpid());
  const OnExit clean([&] {
    std::error_code ignored;
    fs::remove(temporary, ignored);
  });
  TRY(run_tar({"--create", "--file", temporary.string(), "--force-local", "--directory",
               folder.string(), "--format=posix", "--sort=name", "--mtime=@0", "--owner=0",
               "--group=0", "--numeric-owner", "--mode=u=rw,go=r,a+X",
               "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime", "oci-layout",
               "index.json", "blobs"},
              operation, context));
  std::error_code failed;
  fs::rename(temporary, archive, failed);
  if (failed) return Error::from_errno(failed.value(), operation);
  return {};
}

}  // namespace berth::content
