// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>

#include <string>

#include "berth/base/fd.hpp"

namespace berth::cache {

/// Appends whole lines to a file that other processes append to, and may rename away, meanwhile.
/// A line that went to a file without its name any more is written again, so that none is lost.
/// Returns by how many allocated bytes the file grew.
Result<std::uint64_t> append_lines(int dir_fd, const std::string& name, std::string_view lines);

/// Calls `line` for each whole line of `text`; what a killed writer left without its end is no
/// line. Returns the bytes consumed.
template <class Function>
std::size_t for_each_line(std::string_view text, Function&& line) {
  std::size_t begin = 0;
  for (std::size_t end = text.find('\n'); end != std::string_view::npos;
       end = text.find('\n', begin)) {
    line(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return begin;
}

}  // namespace berth::cache
