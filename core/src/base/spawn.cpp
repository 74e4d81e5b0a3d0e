// SPDX-License-Identifier: Apache-2.0
#include "base/spawn.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "berth/base/open_file_limit.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

namespace berth {
namespace {

struct Pipe {
  Fd read;
  Fd write;
};

/// Moved above the standard descriptors: a daemon may have closed those, and then a pipe that got
/// number 0 would be overwritten while the child's ends are put in their places.
Result<Fd> above_standard(Fd fd) {
  if (fd.get() > STDERR_FILENO) return fd;
  Fd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!moved) return Error::from_errno(errno, "cannot duplicate a descriptor");
  return moved;
}

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Error::from_errno(errno, "cannot make a pipe");
  Pipe pipe{Fd(ends[0]), Fd(ends[1])};
  pipe.read = TRY(above_standard(std::move(pipe.read)));
  pipe.write = TRY(above_standard(std::move(pipe.write)));
  return pipe;
}

/// Only our end: the flag belongs to the open file, and programs do not expect it on theirs.
Result<void> make_nonblocking(const Fd& fd) {
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return Error::from_errno(errno, "cannot make a pipe non-blocking");
  }
  return {};
}

std::string_view name_of(std::string_view entry) { return entry.substr(0, entry.find('=')); }

std::vector<std::string> environment_of(const ProcessSpec& spec) {
  std::vector<std::string> env;
  if (spec.env) {
    env = *spec.env;
  } else {
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
      env.emplace_back(*entry);
    }
  }
  for (const std::string& extra : spec.extra_env) {
    std::erase_if(env, [&](const std::string& e) { return name_of(e) == name_of(extra); });
    env.push_back(extra);
  }
  return env;
}

std::string path_variable(const std::vector<std::string>& env) {
  for (const std::string& entry : env) {
    if (name_of(entry) == "PATH") return entry.substr(std::min<std::size_t>(5, entry.size()));
  }
  return std::string(kDefaultPath);
}

bool is_program(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         ::access(path.c_str(), X_OK) == 0;
}

/// By the PATH that the program itself will see.
Result<std::string> program_of(const std::string& name, const std::vector<std::string>& env) {
  if (name.find('/') != std::string::npos) return name;
  if (auto found = find_program(name, path_variable(env))) return *std::move(found);
  return Error(Errc::not_found, "there is no program '" + name + "' in PATH");
}

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& s : strings) pointers.push_back(s.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// posix_spawn's two argument objects. posix_spawn and not fork: glibc's shares the memory until
/// exec, so it is safe in a process of many threads and costs nothing in one of many gigabytes.
class SpawnPlan {
 public:
  SpawnPlan() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  void give(const Fd& fd, int as) { ::posix_spawn_file_actions_adddup2(&actions_, fd.get(), as); }

  /// A group of its own, no blocked signals, SIGPIPE as programs expect it, and none of the
  /// descriptors that some library forgot to mark.
  void isolate() {
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    sigset_t defaults;
    ::sigemptyset(&defaults);
    ::sigaddset(&defaults, SIGPIPE);
    ::posix_spawnattr_setsigdefault(&attributes_, &defaults);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
  }

  void run_in(const std::string& folder) {
    if (!folder.empty()) ::posix_spawn_file_actions_addchdir_np(&actions_, folder.c_str());
  }

  int run(pid_t& pid, const std::string& program, char** argv, char** env) const {
    return ::posix_spawn(&pid, program.c_str(), &actions_, &attributes_, argv, env);
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

std::optional<std::string> find_program(std::string_view name, std::string_view path) {
  for (const std::string_view folder : text::split(path, ':')) {
    if (!folder.starts_with('/')) continue;
    std::string candidate = std::string(folder) + "/" + std::string(name);
    if (is_program(candidate)) return candidate;
  }
  return std::nullopt;
}

Result<Child> spawn(const ProcessSpec& spec) {
  std::vector<std::string> env = environment_of(spec);
  std::vector<std::string> argv = spec.argv;
  const std::string program = TRY(program_of(argv[0], env));
  Pipe in = TRY(make_pipe());
  Pipe out = TRY(make_pipe());
  Pipe err;
  if (!spec.inherit_stderr) err = TRY(make_pipe());

  SpawnPlan plan;
  plan.give(in.read, STDIN_FILENO);
  plan.give(out.write, STDOUT_FILENO);
  if (err.write) plan.give(err.write, STDERR_FILENO);
  plan.isolate();
  plan.run_in(spec.folder);
  pid_t pid = -1;
  const int failure = start_with_original_file_limit(in.write.get(), [&] {
    return plan.run(pid, program, pointers_to(argv).data(), pointers_to(env).data());
  });
  if (failure != 0) return Error::from_errno(failure, "cannot run '" + program + "'");

  Child child{pid, std::move(in.write), std::move(out.read), std::move(err.read)};
  // Cannot fail on a pipe that we just made; were it to, the reads would only block.
  (void)make_nonblocking(child.in);
  (void)make_nonblocking(child.out);
  if (child.err) (void)make_nonblocking(child.err);
  return child;
}

}  // namespace berth
