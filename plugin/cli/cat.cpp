// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <vector>

#include "berth/base/try.hpp"

#include "commands.hpp"
#include "exit_status.hpp"
#include "failures.hpp"
#include "progress.hpp"

namespace berth::cli {

namespace {

constexpr std::size_t kBuffer = 512 * 1024;

Result<void> cat(const std::string& text, Workspace& workspace) {
  const Located located = TRY(workspace.locate(text, true));
  if (located.found.node->type() == tree::Type::folder) {
    const auto meaning = located.tree->meaning(located.found.node, workspace.context());
    std::string message = text + " is a folder";
    if (meaning && meaning->is_manifest) message += "; its manifest is " + text + "/manifest.json";
    return Error{Errc::invalid_argument, message};
  }
  const auto file = TRY(located.tree->open(located.found.node, workspace.context()));
  ProgressBar progress(workspace, text, true);
  std::vector<std::byte> buffer(kBuffer);
  std::uint64_t offset = 0;
  while (true) {
    const std::size_t got = TRY(file->read(offset, buffer, workspace.context()));
    if (got == 0) break;
    TRY(write_all(workspace.io().out(), ByteView(buffer).first(got)));
    offset += got;
    progress.update(offset, file->size());
  }
  return {};
}

}  // namespace

int run_cat(const CatCommand& command, Workspace& workspace) {
  workspace.name_hosts(command.places);
  int status = kDone;
  for (const std::string& place : command.places) {
    if (auto done = cat(place, workspace); !done) {
      if (done.error().sys_errno() == EPIPE) return kDone;  // head(1) has what it wanted
      // That time is over is said by what knows of no place.
      const bool too_late = done.error().code() == Errc::timeout;
      const int one =
          report(workspace, too_late ? naming(std::move(done).error(), place) : done.error());
      status = worse(status, one);
      if (one != kInterrupted) continue;
      say_what_came_is_kept(workspace);
      return one;
    }
  }
  return status;
}

}  // namespace berth::cli
