#!/usr/bin/env bash
# Proves that the sealed ISA objects export no weak symbol: tools/check_isa_symbols.sh BUILD_FOLDER.
# A weak symbol (an inline function or a template instance) compiled with wide-ISA flags could be the
# copy that the linker picks for the whole program, which then crashes on older machines.
set -euo pipefail
build=$1
bad=0
objects=0
[ -f "$build/isas.txt" ] || { echo "isa: $build is not configured (no isas.txt)" >&2; exit 1; }
while read -r isa; do
  [ -n "$isa" ] || continue
  found=0
  while IFS= read -r -d '' object; do
    found=$((found + 1))
    weak=$(nm -C --defined-only "$object" | grep ' [WVu] ' || true)
    if [ -n "$weak" ]; then
      printf 'isa: %s defines weak symbols:\n%s\n' "${object#"$build"/}" "$weak" | head -20 >&2
      bad=1
    fi
  done < <(find "$build" -path "*ac_isa_$isa.dir*" -name '*.o' -print0)
  if [ $found = 0 ]; then
    echo "isa: no object of ac_isa_$isa below $build; build it first" >&2
    bad=1
  fi
  objects=$((objects + found))
done <"$build/isas.txt"
[ $bad = 0 ] && echo "isa: $objects objects, no weak symbols"
exit $bad
