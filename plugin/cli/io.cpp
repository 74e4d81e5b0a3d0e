// SPDX-License-Identifier: Apache-2.0
#include "io.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include "berth/base/bytes.hpp"

namespace berth::cli {

namespace {
constexpr std::size_t kFlushAt = 64 * 1024;

int columns_of(int fd) {
  winsize size{};
  return ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}
}  // namespace

Io::Io(int in, int out, int err, Environment environment)
    : in_(in),
      out_(out),
      err_(err),
      out_terminal_(::isatty(out) == 1),
      err_terminal_(::isatty(err) == 1),
      // https://no-color.org: any value switches colour off.
      colour_(out_terminal_ && !environment("NO_COLOR") && environment("TERM") != "dumb"),
      environment_(std::move(environment)) {}

int Io::width() const { return columns_of(out_); }
int Io::err_width() const { return columns_of(err_); }

void Io::print(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= kFlushAt) {
    // A reader that went away (EPIPE) is noticed by the last flush(); nothing useful can be said
    // before.
    (void)flush();
  }
}

Result<void> Io::flush() {
  std::string text;
  text.swap(buffer_);
  return text.empty() ? Result<void>{} : write_all(out_, as_bytes(text));
}

void Io::error_line(std::string_view line) {
  (void)flush();
  error_text(std::string(line) + "\n");
}

void Io::error_text(std::string_view text) { (void)write_all(err_, as_bytes(text)); }

}  // namespace berth::cli
