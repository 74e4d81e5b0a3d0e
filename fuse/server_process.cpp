// SPDX-License-Identifier: Apache-2.0
#include "server_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <limits>
#include <string>
#include <thread>

#include <fmt/format.h>

#include "berth/base/text.hpp"

namespace berth::fuse {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
constexpr auto kAnswer = 2s;

/// Read by a process of its own: a server that is stopped would hold this one up for ever, and what
/// it still had open would keep the mount busy.
std::string read_pid(const fs::path& mount_point) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {};
  const Fd in(ends[0]);
  Fd out(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto words = read_file(mount_point / ".berth/pid", 64);
    if (words) (void)write_all(out.get(), as_bytes(*words));
    ::_exit(0);
  }
  out = Fd();
  char words[64];
  const ssize_t got = child > 0 && wait_readable(in.get(), Context().with_timeout(kAnswer))
                          ? ::read(in.get(), words, sizeof words)
                          : 0;
  if (child > 0) {
    ::kill(child, SIGKILL);
    // Who waits for a server that took its request and answers nothing cannot be killed: it is left
    // behind then, and ends with the mount.
    for (int i = 0; i < 50 && ::waitpid(child, nullptr, WNOHANG) == 0; ++i) {
      std::this_thread::sleep_for(10ms);
    }
  }
  return {words, got > 0 ? static_cast<std::size_t>(got) : 0};
}

}  // namespace

Fd find_server(const fs::path& mount_point) {
  const std::string words = read_pid(mount_point);
  const auto pid = text::parse_unsigned(text::trim(words));
  if (!pid || *pid < 2 ||
      *pid > static_cast<unsigned long long>(std::numeric_limits<pid_t>::max())) {
    return {};
  }
  Fd process(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(*pid), 0)));
  const auto name = read_file(fmt::format("/proc/{}/comm", *pid), 64);
  if (!process || !name || !text::trim(*name).starts_with("berthfs")) return {};
  return process;
}

bool wait_for_end_of(const Fd& process, std::chrono::milliseconds limit) {
  return wait_readable(process.get(), Context().with_timeout(limit)).has_value();
}

}  // namespace berth::fuse
