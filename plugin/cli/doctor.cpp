// SPDX-License-Identifier: Apache-2.0
#include "doctor.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/json/writer.hpp"

#include "commands.hpp"
#include "doctor_credentials.hpp"
#include "exit_status.hpp"

namespace berth::cli {

namespace {

namespace fs = std::filesystem;

}  // namespace

std::optional<std::filesystem::path> find_in_path(const Environment& environment,
                                                  const std::string& program) {
  const std::string path = environment("PATH").value_or("/usr/bin:/bin");
  for (const std::string_view folder : text::split(path, ':')) {
    fs::path found = fs::path(folder) / program;
    if (::access(found.c_str(), X_OK) == 0) return found;
  }
  return std::nullopt;
}

std::vector<Finding> check_fuse(const Environment& environment, const std::filesystem::path& device,
                                const std::filesystem::path& fuse_conf) {
  std::vector<Finding> findings;
  const auto add = [&](Verdict verdict, std::string sentence) {
    findings.push_back({"fuse", verdict, std::move(sentence)});
  };
  const Fd fd(::open(device.c_str(), O_RDWR | O_CLOEXEC));
  if (fd) {
    add(Verdict::good, device.string() + " can be opened.");
  } else if (errno == ENOENT) {
    add(Verdict::bad,
        device.string() +
            " does not exist: load the module (modprobe fuse), or give the container the device "
            "(docker run --device /dev/fuse --cap-add SYS_ADMIN).");
  } else {
    add(Verdict::bad, device.string() + " cannot be opened (" +
                          std::generic_category().message(errno) +
                          "): its mode should be 0666, or mount as root.");
  }
  const bool root = ::geteuid() == 0;
  if (find_in_path(environment, "fusermount3")) {
    add(Verdict::good, "fusermount3 is installed.");
  } else {
    add(root ? Verdict::warning : Verdict::bad,
        "fusermount3 is not on PATH: install the package fuse3; without it only root can mount "
        "and unmount.");
  }
  if (!root) {
    const auto conf = read_file(fuse_conf, 64 * 1024);
    const bool allowed = conf && text::has_line(*conf, "user_allow_other");
    add(Verdict::good,
        allowed
            ? "-o allow_other is permitted."
            : "-o allow_other is not permitted to users: it needs the line user_allow_other in " +
                  fuse_conf.string() + ".");
  }
  return findings;
}

std::vector<Finding> check_updatedb(const std::filesystem::path& updatedb_conf) {
  const auto conf = read_file(updatedb_conf, 64 * 1024);
  if (!conf || conf->find("fuse.berth") != std::string::npos) return {};
  return {{"fuse", Verdict::warning,
           updatedb_conf.string() + " does not name fuse.berth in PRUNEFS: locate's nightly scan "
                                    "would list every mounted registry."}};
}

namespace {

std::vector<Finding> check_cache(Workspace& workspace) {
  std::vector<Finding> findings;
  const auto add = [&](Verdict verdict, std::string sentence) {
    findings.push_back({"cache", verdict, std::move(sentence)});
  };
  auto hub = workspace.hub();
  if (!hub) {
    add(Verdict::bad, hub.error().describe() + ".");
    return findings;
  }
  const auto status = (*hub)->cache().status();
  if (!status) {
    add(Verdict::bad, status.error().describe() + ".");
    return findings;
  }
  if ((*hub)->cache().is_read_only()) {
    // How much room there is does not matter to who cannot take it.
    add(Verdict::bad, status->folder.string() +
                          " is read-only: what it holds is served, nothing new is kept, and every "
                          "read of that goes to the network.");
    return findings;
  }
  add(Verdict::good, status->folder.string() + " holds " + text::format_size(status->used) +
                         " of " + text::format_size(status->limit) + " in " +
                         std::to_string(status->blobs) + " blobs.");
  if (const auto other = workspace.cache_of_mounts()) {
    add(Verdict::good, "That is the cache of root's commands; root's mounts use " +
                           other->string() + ": `berth --cache " + other->string() +
                           " cache status` shows it.");
  }
  struct statvfs room{};
  if (::statvfs(status->folder.c_str(), &room) == 0) {
    const std::uint64_t free = static_cast<std::uint64_t>(room.f_bavail) * room.f_frsize;
    if (free < 256ULL * 1024 * 1024) {
      add(Verdict::bad,
          "Only " + text::format_size(free) +
              " are free on the cache's disk: make room, or move it with BERTH_CACHE.");
    } else if (status->limit > status->used && status->limit - status->used > free) {
      add(Verdict::warning, "The cache's disk has " + text::format_size(free) +
                                " left, less than the quota allows: make room on it, move the "
                                "cache with BERTH_CACHE, or lower the quota with `berth cache "
                                "limit`, so that other programs keep some.");
    }
  }
  return findings;
}

/// A credential that was given and refused is a problem; that nobody may list without one is none.
bool has_credential(Workspace& workspace, const std::string& registry) {
  const auto hub = workspace.hub();
  if (!hub) return false;
  const auto lookup = (*hub)->keychain().find(registry, "", workspace.context());
  return lookup && !lookup->credential.is_anonymous();
}

std::vector<Finding> check_network(Workspace& workspace, const std::string& registry) {
  const auto bad = [](const Error& error) {
    return std::vector<Finding>{{"network", Verdict::bad, error.describe() + "."}};
  };
  auto hub = workspace.hub();
  if (!hub) return {};
  auto source = (*hub)->source(registry);
  if (!source) return bad(source.error());
  const auto context = workspace.context().with_timeout(std::chrono::seconds(20));
  const auto page = (*source)->list_repositories("", context);
  if (page) return {{"network", Verdict::good, registry + " answers, and lists its repositories."}};
  const Errc code = page.error().code();
  // Many registries let nobody list, or only administrators: what a token may read is not told by
  // it.
  if (code == Errc::unauthenticated && page.error().http() != nullptr &&
      !has_credential(workspace, registry)) {
    return {{"network", Verdict::warning,
             registry + " answers, and refuses its list of repositories (" +
                 page.error().message() + "): `berth ls " + registry +
                 "/REPOSITORY` tells what you may read."}};
  }
  if (code == Errc::unsupported || (code == Errc::denied && page.error().http() != nullptr)) {
    return {{"network", Verdict::good,
             registry + " answers; it does not list its repositories (" + page.error().message() +
                 "), so name them: " + registry + "/REPOSITORY."}};
  }
  return bad(page.error());
}

std::string_view word(Verdict verdict) {
  switch (verdict) {
    case Verdict::good:
      return "ok";
    case Verdict::warning:
      return "warning";
    case Verdict::bad:
      break;
  }
  return "problem";
}

/// Findings as they are made, a line each: the next may take a while. With --json one document at
/// the end.
class Telling {
 public:
  explicit Telling(Workspace& workspace)
      : workspace_(workspace) {}

  void one(const Finding& finding) {
    has_failed_ = has_failed_ || finding.verdict == Verdict::bad;
    if (workspace_.options().json) {
      json::Node object = json::Node::object();
      object.set("area", finding.area);
      object.set("verdict", word(finding.verdict));
      object.set("sentence", finding.sentence);
      document_.push_back(std::move(object));
      return;
    }
    std::string line(word(finding.verdict));
    line.resize(9, ' ');
    workspace_.io().print(line + finding.area + ": " + text::escape_for_terminal(finding.sentence) +
                          "\n");
    has_failed_ = !workspace_.io().flush() || has_failed_;
  }
  void all(const std::vector<Finding>& findings) {
    for (const Finding& finding : findings) one(finding);
  }
  int end() {
    if (workspace_.options().json) workspace_.io().print(document_.to_text(2) + "\n");
    return has_failed_ ? kFailed : kDone;
  }

 private:
  Workspace& workspace_;
  json::Node document_ = json::Node::array();
  bool has_failed_ = false;
};

}  // namespace

int run_doctor(const DoctorCommand& command, Workspace& workspace) {
  if (!command.registry.empty()) {
    const auto place = parse_place(command.registry);
    if (!place) return report(workspace, place.error());
    if (place->kind != Place::Kind::registry) {
      return report(workspace, Error{Errc::invalid_argument, command.registry + " is no registry"});
    }
    workspace.name_hosts({command.registry});
  }
  Telling tell(workspace);
  if (command.credentials_only) {
    const std::string registry = parse_place(command.registry)->registry;
    tell.all(walk_credentials(workspace, registry));
    tell.all(check_acceptance(workspace, registry));
  } else {
    tell.all(check_fuse(workspace.io().environment(), "/dev/fuse", "/etc/fuse.conf"));
    tell.all(check_updatedb("/etc/updatedb.conf"));
    tell.all(check_cache(workspace));
  }
  if (command.registry.empty()) {
    check_known_credentials(workspace, [&](const Finding& finding) { tell.one(finding); });
  } else if (!command.credentials_only) {
    const std::string registry = parse_place(command.registry)->registry;
    tell.all(check_credentials(workspace, registry));
    tell.all(check_network(workspace, registry));
  }
  return tell.end();
}

}  // namespace berth::cli
