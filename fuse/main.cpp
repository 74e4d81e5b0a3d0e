// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "program.hpp"

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> arguments(argv, argv + argc);
    return arguments.empty() ? 2 : berth::fuse::run_program(arguments);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "berthfs: %s\n", e.what());
    return 1;
  }
}
