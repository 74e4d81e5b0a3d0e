// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace berth::test {

/// A program that runs beside a test: a server, or a mount. It is killed when this goes, and by the
/// kernel when the thread that started it ends, so that nothing is left behind by a test that dies:
/// start it from a thread that lives as long as it should. What it prints (both streams) is read
/// all the time and can be waited for.
class ChildProcess {
 public:
  /// argv[0] is looked up in PATH. Throws std::runtime_error when it cannot be started.
  explicit ChildProcess(std::vector<std::string> argv, std::filesystem::path folder = {});
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const noexcept { return pid_; }
  void signal(int number) const;
  /// SIGKILL, and waits for its end.
  void kill();
  /// Its exit code, or 128 and the signal; nullopt when it did not end in time.
  std::optional<int> wait(std::chrono::milliseconds timeout);

  /// What follows `text` on its line, once such a line is complete; nullopt when the program ended
  /// or the time passed first. Looks from the start of the output.
  std::optional<std::string> wait_for_line(
      const std::string& text, std::chrono::milliseconds timeout = std::chrono::seconds(20));
  std::string output() const;

 private:
  void read_output();

  pid_t pid_ = -1;
  int output_fd_ = -1;
  std::thread reader_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string output_;
  bool ended_ = false;  // the output is
  std::optional<int> status_;
};

/// Is there such a program in PATH?
bool is_installed(const std::string& program);

}  // namespace berth::test
