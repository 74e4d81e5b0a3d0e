// SPDX-License-Identifier: Apache-2.0
#include "password.hpp"

#include <termios.h>
#include <unistd.h>

#include <cerrno>

#include "berth/base/on_exit.hpp"
#include "berth/base/try.hpp"

namespace berth::cli {
namespace {

constexpr std::size_t kLimit = 64 * 1024;

/// One line, byte by byte: what follows it belongs to whoever reads next.
Result<std::string> read_line(int fd) {
  std::string line;
  char c = 0;
  while (line.size() < kLimit) {
    const ssize_t got = ::read(fd, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error::from_errno(errno, "reading from the terminal");
    if (got == 0 || c == '\n') return line;
    line += c;
  }
  return Error{Errc::too_large, "what was typed is longer than 64 KiB"};
}

Result<void> need_terminal(Io& io) {
  if (::isatty(io.in()) != 0) return {};
  return Error{
      Errc::invalid_argument,
      "standard input is no terminal to ask at: give --username NAME --password-stdin, and "
      "the password on standard input"};
}

}  // namespace

Result<Secret> read_password(int fd) {
  std::string text;
  char buffer[4096];
  while (true) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error::from_errno(errno, "reading the password from standard input");
    if (got == 0) break;
    text.append(buffer, static_cast<std::size_t>(got));
    if (text.size() > kLimit)
      return Error{Errc::too_large, "the password on standard input is longer than 64 KiB"};
  }
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  if (text.empty())
    return Error{Errc::invalid_argument, "--password-stdin: standard input gave no password"};
  return Secret(std::move(text));
}

Result<Secret> ask_password(Io& io, const std::string& prompt) {
  TRY(need_terminal(io));
  termios before{};
  if (::tcgetattr(io.in(), &before) != 0) return Error::from_errno(errno, "asking at the terminal");
  termios silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  silent.c_lflag |= ECHONL;
  if (::tcsetattr(io.in(), TCSAFLUSH, &silent) != 0) {
    return Error::from_errno(errno, "turning the terminal's echo off");
  }
  const OnExit restore([&] { ::tcsetattr(io.in(), TCSAFLUSH, &before); });
  io.error_text(prompt);
  return Secret(TRY(read_line(io.in())));
}

Result<std::string> ask_line(Io& io, const std::string& prompt) {
  TRY(need_terminal(io));
  io.error_text(prompt);
  return read_line(io.in());
}

}  // namespace berth::cli
