// SPDX-License-Identifier: Apache-2.0
#include "support/child_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

namespace berth::test {
namespace {

std::string find_program(const std::string& program) {
  if (program.find('/') != std::string::npos) return program;
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::string candidate = folder + "/" + program;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

}  // namespace

bool is_installed(const std::string& program) { return !find_program(program).empty(); }

ChildProcess::ChildProcess(std::vector<std::string> argv, std::filesystem::path folder) {
  const std::string program = find_program(argv.at(0));
  if (program.empty()) throw std::runtime_error("no program " + argv.at(0) + " in PATH");
  std::vector<char*> pointers;
  for (auto& argument : argv) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) {
    // Only calls that are safe between fork(2) and exec(2) of a program with threads.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);  // it died before the line above
    const int nothing = ::open("/dev/null", O_RDONLY);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    if (!folder.empty() && ::chdir(folder.c_str()) != 0) ::_exit(127);
    ::execv(program.c_str(), pointers.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  output_fd_ = ends[0];
  if (pid_ < 0) throw std::runtime_error("fork failed");
  reader_ = std::thread([this] { read_output(); });
}

ChildProcess::~ChildProcess() {
  kill();
  reader_.join();
  ::close(output_fd_);
}

void ChildProcess::read_output() {
  std::array<char, 16 * 1024> chunk{};
  for (;;) {
    const ssize_t got = ::read(output_fd_, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    const std::lock_guard lock(mutex_);
    if (got > 0) output_.append(chunk.data(), static_cast<std::size_t>(got));
    if (got <= 0) ended_ = true;
    changed_.notify_all();
    if (got <= 0) return;
  }
}

void ChildProcess::signal(int number) const {
  if (!status_) ::kill(pid_, number);
}

void ChildProcess::kill() {
  if (status_) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  status_ = 128 + SIGKILL;
}

std::optional<int> ChildProcess::wait(std::chrono::milliseconds timeout) {
  if (status_) return status_;
  {
    // A program's output ends with it, unless it left children of its own.
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, timeout, [this] { return ended_; })) return std::nullopt;
  }
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return status_;
}

std::optional<std::string> ChildProcess::wait_for_line(const std::string& text,
                                                       std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  std::optional<std::string> rest;
  changed_.wait_for(lock, timeout, [&] {
    const auto at = output_.find(text);
    const auto end = at == std::string::npos ? at : output_.find('\n', at);
    if (end != std::string::npos) {
      rest = output_.substr(at + text.size(), end - at - text.size());
    }
    return rest.has_value() || ended_;
  });
  return rest;
}

std::string ChildProcess::output() const {
  const std::lock_guard lock(mutex_);
  return output_;
}

}  // namespace berth::test
