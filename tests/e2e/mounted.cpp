// SPDX-License-Identifier: Apache-2.0
#include "e2e/mounted.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <stdexcept>

#include "berth/base/fd.hpp"

namespace berth::test {

std::vector<std::string> berthfs_command(const TempDir& home, std::vector<std::string> arguments) {
  std::vector<std::string> command = {"env",
                                      "-u",
                                      "XDG_RUNTIME_DIR",
                                      "-u",
                                      "DOCKER_CONFIG",
                                      "-u",
                                      "NOTIFY_SOCKET",
                                      "HOME=" + home.path().string(),
                                      "BERTH_CACHE=" + (home / "cache").string(),
                                      "BERTH_TOKENS=" + (home / "tokens").string(),
                                      BERTHFS};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

Mounted::Mounted(const std::string& target, const std::string& options)
    : Mounted(std::make_shared<TempDir>(), target, options) {}

Mounted::Mounted(std::shared_ptr<TempDir> home, const std::string& target,
                 const std::string& options)
    : home_(std::move(home)) {
  std::error_code dead;  // a mount point whose server was killed exists, and cannot be looked at
  std::filesystem::create_directory(path(), dead);
  std::vector<std::string> arguments = {"-f", target, (*home_ / "mnt").string()};
  if (!options.empty()) arguments.insert(arguments.end(), {"-o", options});
  server_ = std::make_unique<ChildProcess>(berthfs_command(*home_, arguments));
  await();
}

void Mounted::await() {
  const std::string own = std::to_string(server_->pid()) + "\n";
  for (int tries = 0; tries < 2000; ++tries) {
    const auto pid = berth::read_file(path(".berth/pid"), 64);
    if (pid && *pid == own) return;
    if (server_->wait(std::chrono::milliseconds(10))) break;
  }
  throw std::runtime_error("berthfs does not serve: " + server_->output());
}

Mounted::~Mounted() {
  server_->signal(SIGTERM);
  if (!server_->wait(std::chrono::seconds(10))) server_->kill();
  while (::umount2(path().c_str(), MNT_DETACH) == 0) {
  }
}

int unmount_when_idle(const std::string& path) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (::umount2(path.c_str(), 0) != 0) {
    const int why = errno;
    if (why != EBUSY || std::chrono::steady_clock::now() > end) return why;
    ::usleep(2000);
  }
  return 0;
}

long read_file_to_end(const std::string& path, std::string& got) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return -errno;
  std::string buffer(128 * 1024, '\0');
  for (;;) {
    const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
    if (count < 0) return -errno;
    if (count == 0) return static_cast<long>(got.size());
    got.append(buffer, 0, static_cast<std::size_t>(count));
  }
}

}  // namespace berth::test
