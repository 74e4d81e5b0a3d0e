// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "berth/base/open_file_limit.hpp"

#include "commands.hpp"
#include "docker_plugin.hpp"
#include "exit_status.hpp"

namespace {

/// SIGINT and SIGTERM cancel the command's Context, so that a download leaves its partial blob in
/// order; a second one ends the process at once. Waited for by a thread of its own: nothing but
/// sigwait is safe to call in a handler.
void cancel_on_signal(const std::stop_source& stop) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([stop = stop, signals]() mutable {
    int signal = 0;
    sigwait(&signals, &signal);
    stop.request_stop();
    sigwait(&signals, &signal);
    ::_exit(128 + signal);
  }).detach();
}

}  // namespace

int main(int argc, char** argv) try {
  signal(SIGPIPE, SIG_IGN);
  berth::raise_open_file_limit();
  std::stop_source stop;
  cancel_on_signal(stop);
  berth::cli::Io io(STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, berth::real_environment);
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  if (berth::cli::is_docker_plugin(argc > 0 ? argv[0] : "")) {
    if (const auto metadata = berth::cli::docker_plugin(arguments)) {
      io.print(*metadata);
      return io.flush() ? berth::cli::kDone : berth::cli::kFailed;
    }
  }
  return berth::cli::run(arguments, io, berth::Context{}.with_stop(stop.get_token()));
} catch (const std::exception& e) {
  // Memory that is out, a folder that is gone: what no Result told of must still be a sentence.
  std::fprintf(stderr, "berth: %s\n", e.what());
  return berth::cli::kFailed;
}
