// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include "workspace.hpp"

namespace berth::cli {

/// What a transfer does now: bytes per second over the last few seconds. Not thread safe.
class RecentRate {
 public:
  /// Takes in that `done` bytes had come at `seconds` after the beginning, which only grow;
  /// fewer bytes than before are another file's, counted anew. The rate, 0 while nothing can be
  /// told.
  std::uint64_t update(double seconds, std::uint64_t done);

 private:
  struct Seen {
    double seconds;
    std::uint64_t done;
  };
  std::deque<Seen> seen_{{0, 0}};
};

/// A bar on the terminal of errors for what takes longer than a second; nothing in a pipe, with
/// --json, --no-progress, or when the data itself goes to the same terminal. Erases itself at the
/// end. It is drawn by time, by a thread of its own: a transfer that stands still shows that it
/// does. Thread safe.
class ProgressBar {
 public:
  /// `data_to_out`: the command's data goes to standard output, so a bar beside it would be in the
  /// way there.
  ProgressBar(Workspace& workspace, std::string_view what, bool data_to_out = false);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// `total` 0: unknown.
  void update(std::uint64_t done, std::uint64_t total);

 private:
  void run(const std::stop_token& stop);
  void draw();

  Io& io_;
  const std::string what_;
  bool drawn_ = false;  ///< the thread's
  RecentRate rate_;     ///< the thread's
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::atomic<std::uint64_t> done_ = 0;
  std::atomic<std::uint64_t> total_ = 0;
  std::jthread drawing_;  ///< the last member: it uses the others
};

/// "[=====>    ] 42% 430 MiB/s ETA 0:12" for a terminal of `width` columns; `rate` in bytes per
/// second. Pure: for tests.
std::string progress_line(const std::string& what, std::uint64_t done, std::uint64_t total,
                          std::uint64_t rate, int width);

}  // namespace berth::cli
