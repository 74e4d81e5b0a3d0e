#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Format, layers, words, self-contained headers with clang's thread-safety analysis, clang-tidy. Run by `./dev lint`.
set -u
status=0
step() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
step "clang-format"
git ls-files '*.cpp' '*.hpp' | xargs -r clang-format-19 --dry-run --Werror || status=1
step "layers, locks, words, budget"
python3 tests/lint/layers.py . || status=1
python3 tests/lint/locks.py . || status=1
sh tests/lint/words.sh . || status=1
python3 tests/lint/budget.py . || status=1
step "clang 19 with thread-safety analysis, each public header alone"
cmake --preset tidy -DBERTH_BUILD_BENCH=OFF >build/tidy.log 2>&1 || { cat build/tidy.log; exit 1; }
cmake --build --preset tidy -j "$(nproc)" -- -k 0 || status=1
cmake --build --preset tidy -j "$(nproc)" --target all_verify_interface_header_sets -- -k 0 || status=1
step "each private header alone"
# shellcheck disable=SC2046
git ls-files 'core/src/*.hpp' 'fuse/*.hpp' 'plugin/*.hpp' |
  xargs -r -n 8 -P "$(nproc)" clang++-19 -std=c++2b -fsyntax-only -x c++ -Wall -Wno-pragma-once-outside-header -Wno-gnu-statement-expression \
    -Wno-unused-const-variable '-DBERTH_VERSION=""' -Icore/include -Icore/src -I. -Iplugin/cli -Iplugin/credential $(pkg-config --cflags fuse3) || status=1
step "clang-tidy"
git ls-files 'core/src/*.cpp' 'fuse/*.cpp' 'plugin/*.cpp' |
  xargs -r -n 4 -P "$(nproc)" clang-tidy-19 -p build/tidy --quiet 2>/dev/null || status=1
[ $status = 0 ] && step "clean" || step "lint found something (above)"
exit $status
