#!/usr/bin/env bash
# Everything, in every build: configure, build and test each preset, the kernels for ARM in qemu, then
# run each fuzzer.
# A preset that already passed for exactly this tree is not repeated, so a stopped run goes on where
# it was. PRESETS="asan tsan" picks some, S=30 sets the seconds per fuzzer, FORCE=1 repeats.
set -uo pipefail
cd "$(dirname "$0")/.."

PRESETS=${PRESETS:-release dev asan tsan clang aarch64 fuzz cov}
S=${S:-30}
tree=$( (git rev-parse HEAD; git diff HEAD; git ls-files -o --exclude-standard | xargs -r -d '\n' cat) |
  sha256sum | cut -d ' ' -f 1)
results=()
failed=0

# As many at a time as there are cores; the log of one that fails is shown.
run_fuzzers() {
  export S
  # shellcheck disable=SC2016
  xargs -P "$(nproc)" -n 1 bash -c '
    log=build/fuzz/$0.log
    if tools/fuzz.sh "$0" "$S" >"$log" 2>&1; then echo "fuzz: $0 passed"; else
      tail -n 60 "$log"
      echo "fuzz: $0 FAILED"
      exit 255
    fi' <build/fuzz/fuzzers.txt
}

run_preset() {
  if [ "$1" = aarch64 ]; then tools/check_neon.sh; return; fi
  cmake --preset "$1" >/dev/null && cmake --build "build/$1" || return 1
  if [ "$1" = fuzz ]; then run_fuzzers; return; fi
  ctest --test-dir "build/$1" --output-on-failure --no-label-summary -j 2 || return 1
  if [ "$1" = release ]; then tools/check.sh release; fi
}

for preset in $PRESETS; do
  stamp=build/$preset/full-passed
  if [ "${FORCE:-0}" != 1 ] && [ "$(cat "$stamp" 2>/dev/null)" = "$tree" ]; then
    results+=("$preset: passed before on this tree")
    continue
  fi
  printf '\n=== %s ===\n' "$preset"
  begin=$SECONDS
  if run_preset "$preset"; then
    echo "$tree" >"$stamp"
    results+=("$preset: passed in $((SECONDS - begin)) s")
  else
    results+=("$preset: FAILED after $((SECONDS - begin)) s")
    failed=1
  fi
done

printf '\nfull:\n'
printf '  %s\n' "${results[@]}"
exit $failed
