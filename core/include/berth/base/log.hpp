// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string_view>

namespace berth::log {

enum class Level : unsigned char { error, warning, info, debug, trace };

/// Where log lines go. The library itself prints nothing: without a sink every line is dropped.
/// A sink is called from any thread, one line at a time. Lines hold no query string, header, token
/// or body; text that a registry said may hold anything else: escape it for a terminal.
using Sink = std::function<void(Level, std::string_view line)>;

/// Replaces the sink of this process; `level` is the most verbose that it gets. Call it before
/// threads start, or accept that a line may still go to the old one.
void set_sink(Sink sink, Level level);

/// Is a line of this level wanted? Ask before building an expensive one.
bool enabled(Level level) noexcept;

void write(Level level, std::string_view line);
inline void error(std::string_view line) { write(Level::error, line); }
inline void warning(std::string_view line) { write(Level::warning, line); }
inline void info(std::string_view line) { write(Level::info, line); }
inline void debug(std::string_view line) {
  if (enabled(Level::debug)) write(Level::debug, line);
}

}  // namespace berth::log
