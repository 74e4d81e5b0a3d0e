// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "berth/base/fd.hpp"

namespace berth::test {

/// A port of 127.0.0.1 that takes connections, and nobody answers them unless its user does.
class LoopbackListener {
 public:
  LoopbackListener();
  int fd() const noexcept { return fd_.get(); }
  int port() const noexcept { return port_; }

 private:
  Fd fd_;
  int port_ = 0;
};

}  // namespace berth::test
