// SPDX-License-Identifier: Apache-2.0
#include "progress.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "berth/base/clock.hpp"
#include "berth/base/context.hpp"
#include "berth/base/text.hpp"

namespace berth::cli {

namespace {
using namespace std::chrono_literals;
constexpr auto kFirst = 1s;
constexpr auto kEvery = 100ms;
/// Long enough to be read, short enough to follow a line that becomes slow.
constexpr double kRateSeconds = 5;
}  // namespace

std::uint64_t RecentRate::update(double seconds, std::uint64_t done) {
  // Begun anew: another file of the same bar.
  if (done < seen_.back().done) seen_.clear();
  seen_.push_back({seconds, done});
  while (seen_.size() > 2 && seen_[1].seconds <= seconds - kRateSeconds) seen_.pop_front();
  const double time = seconds - seen_.front().seconds;
  if (time <= 0) return 0;
  return static_cast<std::uint64_t>(static_cast<double>(done - seen_.front().done) / time);
}

ProgressBar::ProgressBar(Workspace& workspace, std::string_view what, bool data_to_out)
    : io_(workspace.io()),
      what_(text::escape_for_terminal(what)) {
  const bool wanted = io_.err_is_terminal() && !(data_to_out && io_.out_is_terminal()) &&
                      !workspace.options().json && !workspace.options().no_progress;
  if (wanted) drawing_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

ProgressBar::~ProgressBar() {
  if (!drawing_.joinable()) return;
  drawing_.request_stop();
  drawing_.join();
  if (drawn_) io_.error_text("\r\033[K");
}

void ProgressBar::update(std::uint64_t done, std::uint64_t total) {
  done_ = done;
  total_ = total;
}

void ProgressBar::run(const std::stop_token& stop) {
  const Context context = Context().with_stop(stop);
  if (!real_clock().sleep(kFirst, context)) return;
  do draw();
  while (real_clock().sleep(kEvery, context));
}

void ProgressBar::draw() {
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const std::uint64_t done = done_;
  const std::uint64_t rate = rate_.update(seconds, done);
  io_.error_text("\r" + progress_line(what_, done, total_, rate, io_.err_width()) + "\033[K");
  drawn_ = true;
}

std::string progress_line(const std::string& what, std::uint64_t done, std::uint64_t total,
                          std::uint64_t rate, int width) {
  const std::string speed = text::format_size(rate) + "/s";
  const auto room = static_cast<std::size_t>(std::max(0, width));
  // A line that the terminal breaks is not erased by the next one.
  const auto fitted = [room](std::string line) {
    if (line.size() > room) line.resize(room);
    return line;
  };
  if (total == 0) return fitted(fmt::format("{}  {}  {}", what, text::format_size(done), speed));
  const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  std::string rest = "--:--";
  if (rate > 0 && done <= total) {
    const auto left = (total - done) / rate;
    rest = fmt::format("{}:{:02}", left / 60, left % 60);
  }
  const std::string tail =
      fmt::format(" {:3.0f}% of {}  {}  {}", share * 100, text::format_size(total), speed, rest);
  const std::size_t name = std::min<std::size_t>(what.size(), room / 3);
  const std::size_t used = name + 3 + tail.size();
  const std::size_t bar = room > used + 1 ? std::min<std::size_t>(30, room - used - 1) : 0;
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(bar));
  // The end of a long place tells more than its beginning.
  return fitted(fmt::format("{} [{}{}]{}", what.substr(what.size() - name),
                            std::string(filled, '='), std::string(bar - filled, ' '), tail));
}

}  // namespace berth::cli
