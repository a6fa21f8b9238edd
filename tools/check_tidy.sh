#!/usr/bin/env bash
# clang-tidy on the changed sources, or on those named: tools/check_tidy.sh [FILE...]. The flags are those of the preset
# `dev`, which compiles each source on its own (it is configured here, not built). A file that passed is not looked at
# again until it or a header changes.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/dev
tool=$(command -v clang-tidy-19 || true)
[ -n "$tool" ] || { echo "tidy: clang-tidy-19 is missing; run tools/bootstrap.sh --what check" >&2; exit 1; }
if [ $# -gt 0 ]; then files=("$@"); else mapfile -t files < <(tools/changed_files.sh | grep -E '^(src|fuzz|tests)/.*\.cc$' || true); fi

[ -f "$build/compile_commands.json" ] || cmake --preset dev >/dev/null
mkdir -p "$build/tidy"
headers=$(cat .clang-tidy $(git ls-files -co --exclude-standard 'src/*.h' 'tests/*.h' | sort -u) | sha256sum)
work=()
for file in "${files[@]}"; do
  if ! grep -qF "\"$PWD/$file\"" "$build/compile_commands.json"; then continue; fi  # not in this build
  key=$( (echo "$headers"; cat "$file") | sha256sum | cut -d ' ' -f 1)
  stamp=$build/tidy/${file//\//_}.$key
  if [ ! -e "$stamp" ]; then work+=("$file" "$stamp"); fi
done

# GCC-only warning flags in the compile commands are unknown to clang, and no finding.
check_one() {
  "$1" --quiet -p "$2" --extra-arg=-Wno-unknown-warning-option "$3" 2>/dev/null &&
    rm -f "${4%.*}".* && touch "$4"
}
export -f check_one
if [ ${#work[@]} -gt 0 ] &&
  ! printf '%s\0' "${work[@]}" |
    xargs -0 -n 2 -P "$(nproc)" bash -c 'check_one "$@"' _ "$tool" "$build"; then
  echo "tidy: fix the findings above, or NOLINT(check-name) with the reason" >&2
  exit 1
fi
echo "tidy: $((${#work[@]} / 2)) of ${#files[@]} changed sources looked at"
