// SPDX-License-Identifier: Apache-2.0
#include "streams.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>

#include "berth/base/fd.hpp"
#include "berth/base/log.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/credential/protocol.hpp"

namespace berth::helper {

namespace {

/// Whoever started this may keep the pipe open and say nothing.
Result<void> wait_for_input(int fd, const Context& context) {
  Result<void> ready = wait_readable(fd, context);
  if (ready || ready.error().code() != Errc::timeout) return ready;
  return Error(Errc::timeout,
               "standard input did not end in time: whatever runs this must close it");
}

}  // namespace

Result<std::string> read_input(const Streams& streams, const Context& context) {
  std::string text;
  std::array<char, 16 * 1024> buffer;
  while (true) {
    TRY(wait_for_input(streams.in, context));
    const ssize_t got = ::read(streams.in, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error::from_errno(errno, "reading standard input");
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > credential::kProtocolLimit) {
      return Error(Errc::too_large, "standard input gave more than 1 MiB");
    }
  }
}

void print(const Streams& streams, std::string_view text) {
  (void)write_all(streams.out, as_bytes(text));
}

void say(const Streams& streams, std::string_view program, std::string_view sentence) {
  const std::string line = std::string(program) + ": " + text::escape_for_terminal(sentence) + "\n";
  (void)write_all(streams.err, as_bytes(line));
}

LogToErrors::LogToErrors(const Streams& streams, std::string program) {
  log::set_sink([streams, name = std::move(program)](
                    log::Level, std::string_view line) { say(streams, name, line); },
                log::Level::warning);
}

LogToErrors::~LogToErrors() { log::set_sink({}, log::Level::error); }

}  // namespace berth::helper
