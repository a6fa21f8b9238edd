#!/usr/bin/env bash
# Builds and runs one libFuzzer target: tools/fuzz.sh NAME [SECONDS]. New inputs stay in build/; a
# crash is saved in build/fuzz/artifacts: fix it and commit the file to fuzz/regress/NAME.
set -euo pipefail
cd "$(dirname "$0")/.."
name=${1:-}
seconds=${2:-60}
[ -f build/fuzz/build.ninja ] || cmake --preset fuzz >/dev/null
if ! grep -qx "$name" build/fuzz/fuzzers.txt; then
  printf 'fuzz: no fuzzer named "%s"; there are: %s\n' "$name" "$(paste -sd ' ' build/fuzz/fuzzers.txt)" >&2
  exit 2
fi
cmake --build build/fuzz --target "fuzz_$name"
mkdir -p "build/fuzz/corpus/$name" build/fuzz/artifacts
seeds=()
for folder in "fuzz/corpus/$name" "fuzz/regress/$name"; do
  if [ -d "$folder" ]; then seeds+=("$folder"); fi
done
printf 'fuzz: %s for %s s\n' "$name" "$seconds"
exec "build/fuzz/bin/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
  -print_final_stats=0 -verbosity=0 -artifact_prefix="build/fuzz/artifacts/$name-" \
  "build/fuzz/corpus/$name" "${seeds[@]}"
