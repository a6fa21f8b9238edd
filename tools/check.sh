#!/usr/bin/env bash
# The checks of a change, on a built tree: tools/check.sh PRESET. Runs all of them, then says which
# failed. Everything but format, tidy and headers is also an entry of ctest.
set -uo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}
build=build/$preset
failed=()

step() {
  local name=$1 begin=$SECONDS
  shift
  local status=ok
  "$@" || { status=FAILED; failed+=("$name"); }
  printf '  %-8s %s (%d s)\n' "$name" "$status" $((SECONDS - begin))
}

# The unit tests of the modules that the change touches, and the tests of the tools if it touches one.
changed_tests() {
  local modules pattern targets=()
  modules=$(tools/changed_files.sh | sed -n 's:^src/\([^/]*\)/.*:\1:p' | sort -u)
  for module in $modules; do
    if ninja -C "$build" -t query "${module}_test" >/dev/null 2>&1; then targets+=("${module}_test"); fi
  done
  pattern=$(printf '|%s' "${targets[@]}")
  if tools/changed_files.sh | grep -q '^t[oe].*s/'; then pattern+='|tools'; fi
  if [ "$pattern" = '|' ]; then echo "unit: no module with tests changed"; return; fi
  if [ ${#targets[@]} -gt 0 ]; then cmake --build "$build" --target "${targets[@]}" >/dev/null || return 1; fi
  ctest --test-dir "$build" -R "^(${pattern#|})\." -j 2 --no-label-summary --output-on-failure -Q -O "$build/check.log" ||
    { tail -n 40 "$build/check.log"; return 1; }
  grep 'tests passed' "$build/check.log"
}

headers() {
  cmake --build "$build" --target check_headers >"$build/headers.log" 2>&1 || { tail -n 40 "$build/headers.log"; return 1; }
}

[ -f "$build/build.ninja" ] || cmake --preset "$preset" >/dev/null
step layers tools/check_layers.py
step sizes tools/check_sizes.py
step text tools/check_text.sh
step docs tools/check_docs.py
step isa tools/check_isa_symbols.sh "$build"
step format tools/check_format.sh
step headers headers
step unit changed_tests
step tidy tools/check_tidy.sh

if [ ${#failed[@]} -gt 0 ]; then
  printf 'check: FAILED: %s\n' "${failed[*]}"
  exit 1
fi
echo "check: all passed in $SECONDS s"
