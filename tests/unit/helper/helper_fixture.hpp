// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "berth/base/fd.hpp"

#include "streams.hpp"
#include "unit/credential/keychain_fixture.hpp"

namespace berth::helper {

struct Said {
  int status = -1;
  std::string out;
  std::string err;
};

inline std::string all_of(int fd) {
  std::string text(static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)), '\0');
  EXPECT_EQ(::pread(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  return text;
}

/// Runs a program of the helpers in process: `run` is given its streams.
template <class Run>
Said run_with_input(const std::string& input, const Run& run) {
  const Fd in(::memfd_create("in", MFD_CLOEXEC));
  const Fd out(::memfd_create("out", MFD_CLOEXEC));
  const Fd err(::memfd_create("err", MFD_CLOEXEC));
  EXPECT_EQ(::pwrite(in.get(), input.data(), input.size(), 0), static_cast<ssize_t>(input.size()));
  Said said;
  said.status = run(Streams{.in = in.get(), .out = out.get(), .err = err.get()});
  said.out = all_of(out.get());
  said.err = all_of(err.get());
  return said;
}

}  // namespace berth::helper
