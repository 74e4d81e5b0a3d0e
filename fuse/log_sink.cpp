// SPDX-License-Identifier: Apache-2.0
#include "log_sink.hpp"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>

#include <fmt/format.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/spdlog.h>

#include "berth/base/text.hpp"
#include "berth/tree/tree.hpp"

namespace berth::fuse {
namespace {

constexpr std::size_t kFileBytes = 4 * 1024 * 1024;
constexpr std::size_t kOldFiles = 2;

std::atomic<bool> to_terminal{true};

std::string_view name_of(log::Level level) {
  switch (level) {
    case log::Level::error:
      return "error";
    case log::Level::warning:
      return "warning";
    case log::Level::info:
      return "info";
    case log::Level::debug:
      return "debug";
    case log::Level::trace:
      break;
  }
  return "trace";
}

std::string with_time(log::Level level, std::string_view line) {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format("{} {} {}", text::format_rfc3339(now), name_of(level), line);
}

/// Opening throws where the file cannot be written.
Result<std::shared_ptr<spdlog::logger>> open_file(const std::filesystem::path& file) {
  try {
    auto sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(file.string(), kFileBytes,
                                                                       kOldFiles);
    auto logger = std::make_shared<spdlog::logger>("berthfs", std::move(sink));
    logger->set_pattern("%v");
    logger->set_level(spdlog::level::trace);
    logger->flush_on(spdlog::level::trace);
    return logger;
  } catch (const spdlog::spdlog_ex& e) {
    return Error(Errc::io, fmt::format("-o log_file={}: {}", file.string(), e.what()));
  }
}

}  // namespace

void log_to_terminal(bool wanted) noexcept { to_terminal = wanted; }

Result<void> start_log(const std::filesystem::path& file, log::Level level) {
  std::shared_ptr<spdlog::logger> logger;
  if (!file.empty()) {
    auto opened = open_file(file);
    if (!opened) return std::move(opened).error();
    logger = std::move(*opened);
  }
  log::set_sink(
      [logger](log::Level its_level, std::string_view line) {
        const std::string text = with_time(its_level, line);
        tree::LogRing::process().add(text);
        if (logger) logger->info("{}", text);
        if (!to_terminal) return;
        std::fputs(("berthfs: " + text::escape_for_terminal(line) + "\n").c_str(), stderr);
      },
      level);
  return {};
}

}  // namespace berth::fuse
