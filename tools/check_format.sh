#!/usr/bin/env bash
# clang-format on every tracked C++ source: refuses a difference, or with --fix rewrites.
set -euo pipefail
cd "${AC_ROOT:-$(dirname "$0")/..}"
tool=$(command -v clang-format-14 || true)
[ -n "$tool" ] || { echo "format: clang-format-14 is missing; run tools/bootstrap.sh --what check" >&2; exit 1; }
mapfile -t files < <(git ls-files -co --exclude-standard -- '*.cc' '*.h' '*.c' | sort -u)
[ ${#files[@]} -gt 0 ] || { echo "format: no sources found" >&2; exit 1; }
if [ "${1:-}" = --fix ]; then
  printf '%s\0' "${files[@]}" | xargs -0 -n 20 -P "$(nproc)" "$tool" -i
  exit
fi
found=$(printf '%s\0' "${files[@]}" |
  xargs -0 -n 1 -P "$(nproc)" sh -c '"$0" --dry-run -Werror "$1" 2>/dev/null || echo "$1"' "$tool" | sort)
if [ -n "$found" ]; then
  printf 'format: these files differ; run "make fmt"\n%s\n' "$found" >&2
  exit 1
fi
echo "format: ${#files[@]} files"
