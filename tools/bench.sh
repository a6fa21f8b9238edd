#!/usr/bin/env bash
# Builds and runs the benchmark programs of a build folder: tools/bench.sh build/release [NAME].
# Results also go to BUILD/bench/NAME.json. Numbers that are kept belong in docs/benchmarks.md.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
only=${2:-}
mkdir -p "$build/bench"
ran=0
while read -r name; do
  if [ -n "$only" ] && [ "$name" != "$only" ] && [ "$name" != "${only}_bench" ]; then continue; fi
  cmake --build "$build" --target "$name"
  "$build/bin/$name" --benchmark_out="$build/bench/$name.json" --benchmark_out_format=json
  ran=$((ran + 1))
done <"$build/benches.txt"
if [ $ran = 0 ]; then
  printf 'bench: nothing to run; there are: %s\n' "$(paste -sd ' ' "$build/benches.txt")" >&2
  exit 2
fi
