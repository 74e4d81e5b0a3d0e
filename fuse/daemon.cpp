// SPDX-License-Identifier: Apache-2.0
#include "daemon.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "berth/base/environment.hpp"
#include "berth/base/log.hpp"

namespace berth::fuse {
namespace {

constexpr char kServes = 1;

void leave_terminal() {
  ::setsid();
  // A daemon holds no folder busy; where even "/" is denied it stays where it is.
  if (::chdir("/") != 0) log::debug("berthfs stays in the folder that it was started in");
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return;
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, standard);
  if (null > STDERR_FILENO) ::close(null);
}

/// The protocol is one datagram; libsystemd would be a large dependency for it.
void tell_systemd(std::string_view message) {
  const auto path = real_environment("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (!path || path->size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path->data(), path->size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // the abstract name space
  const Fd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path->size());
  ::sendto(socket.get(), message.data(), message.size(), MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&address), size);
}

/// The child's end, as who waits for it saw it.
int exit_status_of(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) return WEXITSTATUS(status);
  std::fputs("berthfs: ended before it served\n", stderr);
  return 1;
}

}  // namespace

void Readiness::serving() {
  if (pipe_) {
    leave_terminal();
    // A parent that is gone has nobody to tell.
    if (::write(pipe_.get(), &kServes, 1) != 1) log::debug("nobody waits for this mount to serve");
    pipe_.reset();
  }
  tell_systemd("READY=1");
}

int run_in_background(const std::function<int(Readiness)>& serve) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    std::perror("berthfs: pipe");
    return 1;
  }
  Fd read_end(ends[0]), write_end(ends[1]);
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) {
    std::perror("berthfs: fork");
    return 1;
  }
  if (child == 0) {
    read_end.reset();
    return serve(Readiness(std::move(write_end)));
  }
  write_end.reset();
  char word = 0;
  ssize_t got = 0;
  do {
    got = ::read(read_end.get(), &word, 1);
  } while (got < 0 && errno == EINTR);
  return got == 1 && word == kServes ? 0 : exit_status_of(child);
}

}  // namespace berth::fuse
