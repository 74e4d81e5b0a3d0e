#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every measurement: Google Benchmark programs, then berth beside its peers. `./dev bench [CASE...]` runs this.
set -eu
bin=$(cd "$1" && pwd); shift
cd "$(dirname "$0")/.."
mkdir -p build/bench
if [ $# -eq 0 ]; then
  for program in "$bin"/bench_*; do
    [ -x "$program" ] || continue
    "$program" --benchmark_min_time=0.5 --benchmark_repetitions=5 --benchmark_report_aggregates_only=true \
      --benchmark_out="build/bench/$(basename "$program").json" --benchmark_out_format=json
  done
  python3 bench/helpers.py --bin "$bin" --readme bench/README.md || true
fi
if [ $# -eq 0 ] || [ "$1" = sdk ]; then
  python3 bench/sdk.py --bin "$bin" --sdk build/peers/sdk --readme bench/README.md
fi
[ "${1:-}" != sdk ] || exit 0
exec python3 bench/side_by_side.py --bin "$bin" --peers build/peers/bin --readme bench/README.md --json build/bench "$@"
