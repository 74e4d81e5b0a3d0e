// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "berth/base/context.hpp"
#include "berth/base/result.hpp"

namespace berth::helper {

/// Where a helper program reads and writes: injected, so that tests run it in process.
struct Streams {
  int in = 0;
  int out = 1;
  int err = 2;
};

/// All of standard input; Errc::too_large beyond 1 MiB, Errc::timeout when it does not end in time.
Result<std::string> read_input(const Streams& streams, const Context& context);

/// One write, so that what several processes say does not mix. Who does not listen has what it
/// wanted.
void print(const Streams& streams, std::string_view text);
/// For people: a line on the error stream, escaped for a terminal.
void say(const Streams& streams, std::string_view program, std::string_view sentence);

/// Warnings of the library go to the error stream while this lives.
class LogToErrors {
 public:
  LogToErrors(const Streams& streams, std::string program);
  ~LogToErrors();
  LogToErrors(const LogToErrors&) = delete;
  LogToErrors& operator=(const LogToErrors&) = delete;
};

}  // namespace berth::helper
