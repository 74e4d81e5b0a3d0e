// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "berth/base/environment.hpp"
#include "berth/base/fd.hpp"

namespace berth::cli {

/// Where a command reads and writes: injected, so that tests run commands in process. Not thread
/// safe but for error_line().
class Io {
 public:
  /// Descriptors are borrowed and must outlive this.
  Io(int in, int out, int err, Environment environment);

  int in() const noexcept { return in_; }
  int out() const noexcept { return out_; }
  bool out_is_terminal() const noexcept { return out_terminal_; }
  bool err_is_terminal() const noexcept { return err_terminal_; }
  bool colour() const noexcept { return colour_; }
  /// Columns of the terminal on `out`; 80 when it cannot be told.
  int width() const;
  /// The same of the terminal on `err`.
  int err_width() const;
  const Environment& environment() const noexcept { return environment_; }

  /// Buffered; flush() before anything else writes to out().
  void print(std::string_view text);
  Result<void> flush();
  /// One line to the terminal of errors, escaped by the caller where it holds foreign text.
  void error_line(std::string_view line);
  /// Raw text to the terminal of errors: progress.
  void error_text(std::string_view text);

 private:
  int in_;
  int out_;
  int err_;
  bool out_terminal_;
  bool err_terminal_;
  bool colour_;
  Environment environment_;
  std::string buffer_;
};

}  // namespace berth::cli
