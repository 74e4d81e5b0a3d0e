// SPDX-License-Identifier: Apache-2.0
#include <signal.h>

#include <algorithm>
#include <exception>

#include "fetch.hpp"
#include "provider.hpp"

int main(int argc, char** argv) try {
  signal(SIGPIPE, SIG_IGN);
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  const std::string berth = berth::helper::berth_beside(berth::helper::own_program());
  return berth::helper::run_provider(arguments, {}, berth::real_environment, berth, {});
} catch (const std::exception& e) {
  // Memory that is out: still a sentence in the log of the kubelet.
  berth::helper::say({}, "berth-credential-provider", e.what());
  return 1;
}
