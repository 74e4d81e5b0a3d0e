// SPDX-License-Identifier: Apache-2.0
#include "program.hpp"

#include <malloc.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include <fmt/format.h>

#include "berth/base/fd.hpp"
#include "berth/base/log.hpp"
#include "berth/base/open_file_limit.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

#include "daemon.hpp"
#include "idle_sync.hpp"
#include "log_sink.hpp"
#include "mount_point.hpp"
#include "options.hpp"
#include "server_process.hpp"
#include "session.hpp"
#include "tree_view.hpp"

namespace berth::fuse {
namespace {

namespace fs = std::filesystem;

/// The session's word to the thread that waits for signals: unmounted from outside.
constexpr int kUnmounted = SIGUSR1;

struct ExitStatus {
  int failed = 1;
  int wrong_use = 2;
};
constexpr ExitStatus kForMount{.failed = 32, .wrong_use = 1};  // mount(8), "EXIT STATUS"

/// As the command exits (docs/man/berth.1): mount(8) knows only failure.
int status_of(const Error& error, const ExitStatus& exit_status) {
  if (exit_status.failed == kForMount.failed) return exit_status.failed;
  if (error.code() == Errc::invalid_argument && error.http() == nullptr) {
    return exit_status.wrong_use;
  }
  if (error.code() == Errc::not_found) return 3;
  if (error.code() == Errc::denied || error.code() == Errc::unauthenticated) return 4;
  return exit_status.failed;
}

int complain(const Error& error, int status) {
  std::fprintf(stderr, "berthfs: %s\n", text::escape_for_terminal(error.describe()).c_str());
  return status;
}

/// Few arenas, and large buffers given back at once: else what one burst of readers needed stays.
void bound_memory() {
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 512 * 1024);
}

sigset_t block_signals() {
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, kUnmounted}) {
    sigaddset(&signals, signal);
  }
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

content::HubOptions hub_options(const Options& options, Notifier& notifier) {
  content::HubOptions hub;
  hub.keychain.auth_file = options.auth_file;
  hub.keychain.docker_config_dir = options.docker_config_dir;
  hub.cache.folder = options.cache;
  hub.cache.limit = options.cache_limit;
  hub.daemon = true;
  hub.store.verify_full = options.verify_full;
  hub.store.offline = options.offline;
  hub.store.on_dropped = [&notifier](const Digest& digest) { notifier.drop_content(digest); };
  hub.plain_http = options.plain_http;
  hub.connection.ca_file = options.ca_file;
  hub.connection.client_cert_file = options.cert_file;
  hub.connection.client_key_file = options.key_file;
  hub.connection.client_key_password_file = options.key_password_file;
  if (!options.target.registry.empty()) hub.connection_hosts = {options.target.registry};
  hub.user_agent = "berthfs/" BERTH_VERSION;
  return hub;
}

/// Who mounts a layout whose manifests have no tags sees an empty folder, and should know why.
void warn_of_untagged(const Options& options, content::Source& layout) {
  if (options.target.kind != tree::Root::Kind::layout) return;
  const std::string place = "oci:" + options.target.layout.string();
  const std::string text = content::describe_untagged(layout, place, Context{});
  if (text.empty()) return;
  std::fprintf(stderr, "berthfs: %s\n", text::escape_for_terminal(text).c_str());
}

Result<tree::Options> tree_options(const Options& options, Notifier& notifier) {
  tree::Options tree;
  tree.root = {.kind = options.target.kind,
               .registry = options.target.registry,
               .repository = options.target.repository,
               .reference = options.target.reference,
               .layout = nullptr,
               .named = options.plain_http};
  if (!options.target.layout.empty()) {
    tree.root.layout = TRY(content::open_layout(options.target.layout));
    warn_of_untagged(options, *tree.root.layout);
  }
  tree.tag_ttl = options.tag_ttl;
  tree.head_jobs = options.head_jobs;
  tree.list_all = options.list_all;
  if (options.platform) tree.platform = *options.platform;
  tree.version = BERTH_VERSION;
  tree.on_changed = [&notifier](const tree::NodePtr& folder, const std::string& name) {
    notifier.drop_name(folder, name);
  };
  return tree;
}

/// What berthfs reads or writes itself must not lie below the mount: it would wait for itself.
Result<void> check_outside(const Options& options, const fs::path& cache) {
  const auto check = [&](const fs::path& path, std::string_view what) -> Result<void> {
    if (path.empty() || !is_within(path, options.mount_point)) return {};
    return Error(Errc::invalid_argument,
                 fmt::format("{} ({}) lies below the mount point {}: choose another mount point, "
                             "or another place for it",
                             what, path.string(), options.mount_point.string()));
  };
  TRY(check(cache, "the cache"));
  TRY(check(options.target.layout, "the layout that is to be mounted"));
  TRY(check(options.log_file, "the log"));
  TRY(check(options.auth_file.value_or(fs::path{}), "the file of credentials"));
  TRY(check(options.docker_config_dir.value_or(fs::path{}), "docker's configuration"));
  return {};
}

/// Not opened: it may be a pipe, which gives its bytes once.
Result<void> check_readable(std::string_view option, const fs::path& path, bool is_folder = false) {
  if (path.empty()) return {};
  std::error_code error;
  int why = ::access(path.c_str(), R_OK) == 0 ? 0 : errno;
  if (why == 0 && fs::is_directory(path, error) != is_folder) why = is_folder ? ENOTDIR : EISDIR;
  if (why == 0) return {};
  return Error(Errc::invalid_argument, fmt::format("-o {}={}: {}", option, path.string(),
                                                   std::generic_category().message(why)));
}

/// A name that was misspelled is told to whoever mounts: later only the log would say it, of each
/// request. Credentials come and go while it is mounted; nobody is let in before they are there.
Result<void> check_named_files(const Options& options) {
  TRY(check_readable("ca_file", options.ca_file));
  TRY(check_readable("cert_file", options.cert_file));
  TRY(check_readable("key_file", options.key_file));
  TRY(check_readable("key_password_file", options.key_password_file));
  for (const auto& done :
       {check_readable("authfile", options.auth_file.value_or(fs::path{})),
        check_readable("config", options.docker_config_dir.value_or(fs::path{}), true)}) {
    if (done) continue;
    const std::string text = done.error().message() + ": mounted without it, until it is there";
    log::warning(text);
    std::fprintf(stderr, "berthfs: warning: %s\n", text::escape_for_terminal(text).c_str());
  }
  return {};
}

/// A tag or digest that the registry says is not there would only be an empty mount; one that
/// cannot be asked now may be there later. By a tree of its own: what a registry did not answer
/// in this short time says nothing of the mount's.
Result<void> check_manifest(content::Hub& hub, tree::Options options, const std::string& text) {
  if (options.root.kind != tree::Root::Kind::manifest) return {};
  options.on_changed = nullptr;
  tree::Tree tree(hub, std::move(options));
  const auto listed = tree.list(tree.root(), Context{}.with_timeout(std::chrono::seconds(2)));
  if (listed || listed.error().code() != Errc::not_found) return {};
  return Error(listed.error()).with_context(fmt::format("{} is not mounted", text));
}

Result<fs::path> cache_folder(const Options& options) {
  if (!options.cache.empty()) return options.cache;
  return cache::default_folder(real_environment, true);
}

/// Waits for signals until one of them ends the mount. Between them the cache is brought to a sync
/// point.
void wait_for_end(const sigset_t& signals, View& view, Notifier& notifier, content::Hub& hub) {
  constexpr timespec kIdle{.tv_sec = 30, .tv_nsec = 0};
  IdleSync idle;
  for (;;) {
    const int signal = ::sigtimedwait(&signals, nullptr, &kIdle);
    if (signal == SIGHUP) {
      log::info("SIGHUP: forgetting tags and listings");
      view.refresh();
      notifier.expire_names();
    } else if (signal > 0) {
      log::info(signal == kUnmounted ? "unmounted" : "ending: a signal asked for it");
      return;
    }
    if (!idle.is_due(hub.store().counters().bytes_fetched, hub.cache().is_index_stale())) continue;
    const auto done = hub.cache().sync();
    if (!done) log::warning(done.error().describe());
    idle.done(done.has_value());
    ::malloc_trim(0);
  }
}

/// The first question of the kernel, asked by ourselves: does it serve?
Result<void> check_serving(const fs::path& mount_point) {
  std::error_code error;
  if (fs::is_directory(mount_point, error) && !error) return {};
  return Error::from_errno(error ? error.value() : ENOTDIR, "first look at the mount");
}

Result<void> serve(Options options, const sigset_t& signals, Readiness& readiness) {
  options.mount_point = TRY(prepare_mount_point(options.mount_point));
  TRY(check_outside(options, TRY(cache_folder(options))));
  TRY(check_named_files(options));

  // Before the mount: whoever mounts is told at once what is wrong with the cache. Declared first,
  // so that it outlives who tells it.
  Notifier notifier;
  const auto hub = TRY(content::Hub::open(hub_options(options, notifier)));
  tree::Options tree = TRY(tree_options(options, notifier));
  TRY(check_manifest(*hub, tree, options.target.text));
  TreeView view(*hub, std::move(tree));
  Filesystem filesystem(view);
  if (options.writable) filesystem.allow_changes();
  Server server(filesystem, {.timeout = options.timeout});
  if (!options.passthrough) server.passthrough().forbid();
  const auto session =
      TRY(Session::mount(server, notifier,
                         {.mount_point = options.mount_point.string(),
                          .source = options.target.text,
                          .allow_other = options.allow_other,
                          .writable = options.writable,
                          .kernel_options = options.kernel_options,
                          .on_unmounted = [] { ::kill(::getpid(), kUnmounted); }}));
  session->start();
  TRY(check_serving(options.mount_point));
  raise_read_ahead(options.mount_point);
  log::info(fmt::format("serving {} on {}", options.target.text, options.mount_point.string()));

  log_to_terminal(options.foreground);
  readiness.serving();
  wait_for_end(signals, view, notifier, *hub);
  session->end();
  return {};
}

int serve_and_report(const Options& options, ExitStatus exit_status, Readiness readiness) {
  bound_memory();
  raise_open_file_limit();
  // Inherited by every thread: only the one that waits for them gets them.
  const sigset_t signals = block_signals();
  if (auto log = start_log(options.log_file, options.debug ? log::Level::debug : log::Level::info);
      !log) {
    return complain(log.error(), exit_status.failed);
  }
  log_to_terminal(options.debug);
  auto done = serve(options, signals, readiness);
  return done ? 0 : complain(done.error(), status_of(done.error(), exit_status));
}

/// Unless fuse.conf says so, fusermount3 refuses allow_other to users, in words that say less.
Result<void> check_allow_other(const Options& options) {
  if (!options.allow_other) return {};
  if (::geteuid() != 0) {
    const auto config = read_file("/etc/fuse.conf", 1024 * 1024);
    if (!config || !text::has_line(*config, "user_allow_other")) {
      return Error(Errc::denied,
                   "-o allow_other: root has to write the line user_allow_other into "
                   "/etc/fuse.conf first");
    }
  }
  std::fputs(
      "berthfs: allow_other: every user of this machine can read what your credentials "
      "can read\n",
      stderr);
  return {};
}

Result<void> refresh(const fs::path& named) {
  const fs::path mount_point = TRY(find_mount_of_berth(named)).mount_point;
  const Error nobody(Errc::not_found, fmt::format("nobody serves {} any more: mount it again",
                                                  mount_point.string()));
  const Fd process = find_server(mount_point);
  if (!process) return nobody;
  if (::syscall(SYS_pidfd_send_signal, process.get(), SIGHUP, nullptr, 0) == 0) return {};
  if (errno == EPERM) {
    return Error(Errc::denied, fmt::format("{} is served for somebody else: only they and root may "
                                           "refresh it",
                                           mount_point.string()));
  }
  return Error::from_errno(errno,
                           fmt::format("signalling the berthfs of {}", mount_point.string()));
}

/// Who unmounts and then removes the cache, or mounts again, must not meet the server's last words
/// to it. A lazy one goes on for as long as somebody has files open.
Result<void> unmount_and_wait(const Options& options) {
  constexpr std::chrono::seconds kEnd{10};
  Fd server;
  if (!options.lazy)
    server = find_server(TRY(find_mount_of_berth(options.mount_point)).mount_point);
  TRY(unmount(options.mount_point, options.lazy));
  if (server && !wait_for_end_of(server, kEnd)) {
    std::fprintf(stderr,
                 "berthfs: unmounted; the process that served it has not ended within %lld s, and "
                 "may still write to the cache\n",
                 static_cast<long long>(kEnd.count()));
  }
  return {};
}

}  // namespace

int run_program(std::span<const std::string> arguments) {
  const bool for_mount = fs::path(arguments[0]).filename().string().starts_with("mount.");
  const ExitStatus exit_status = for_mount ? kForMount : ExitStatus{};
  const auto options = parse_options(arguments.subspan(1), for_mount);
  if (!options) return complain(options.error(), exit_status.wrong_use);
  if (options->action == Options::Action::help) {
    std::fputs(help_text().c_str(), stdout);
    return 0;
  }
  if (options->action == Options::Action::version) {
    std::puts("berthfs " BERTH_VERSION);
    return 0;
  }
  if (options->action == Options::Action::refresh || options->action == Options::Action::unmount) {
    const auto done = options->action == Options::Action::refresh ? refresh(options->mount_point)
                                                                  : unmount_and_wait(*options);
    return done ? 0 : complain(done.error(), status_of(done.error(), exit_status));
  }
  if (options->fake) return 0;
  if (const auto allowed = check_allow_other(*options); !allowed) {
    return complain(allowed.error(), exit_status.failed);
  }
  if (options->foreground) return serve_and_report(*options, exit_status, Readiness{});
  return run_in_background([&](Readiness readiness) {
    return serve_and_report(*options, exit_status, std::move(readiness));
  });
}

}  // namespace berth::fuse
