#!/usr/bin/env bash
# Builds the kernel tests for 64-bit ARM and runs them in qemu-user: the NEON table against the
# reference, on a machine without ARM. Needs the cross compiler, qemu-user and GoogleTest's sources
# (`tools/bootstrap.sh --what full`), no library of that architecture.
#
#   tools/check_neon.sh [--gtest_filter=...]     CXX, QEMU and GTEST name other programs and sources
set -euo pipefail
cd "$(dirname "$0")/.."

CXX=${CXX:-aarch64-linux-gnu-g++}
QEMU=${QEMU:-qemu-aarch64}
GTEST=${GTEST:-/usr/src/googletest/googletest}
OUT=build/aarch64
FLAGS=(-std=c++20 -O2 -DNDEBUG -Wall -Wextra -Werror -Isrc -Itests -I"$GTEST/include" -I"$GTEST"
  -DGTEST_HAS_PTHREAD=1)
# As src/kernels/CMakeLists.txt and src/quant/CMakeLists.txt have them.
EXACT=(-O3 -ffp-contract=off -fno-math-errno)
NEON=(-O3 -march=armv8.2-a+dotprod -fno-math-errno -fno-exceptions -fno-rtti -fvisibility=hidden)
launcher=$(command -v ccache || true)

for program in "$CXX" "$QEMU"; do
  command -v "$program" >/dev/null ||
    { echo "neon: no $program; run tools/bootstrap.sh --what full" >&2; exit 1; }
done
[ -f "$GTEST/src/gtest-all.cc" ] ||
  { echo "neon: no GoogleTest sources in $GTEST; run tools/bootstrap.sh --what full" >&2; exit 1; }

mkdir -p $OUT
objects=()
compile() {  # SOURCE FLAGS...
  local source=$1 object
  shift
  object=$OUT/$(echo "${source#/}" | tr / _).o
  $launcher "$CXX" "${FLAGS[@]}" "$@" -c "$source" -o "$object"
  objects+=("$object")
}

while read -r source; do
  case $source in
    *_bench.cc | src/base/hash.cc | src/kernels/avx2/* | src/kernels/avx512*/* | src/kernels/amx/*) ;;
    src/kernels/*_test.cc) compile "$source" ;;
    *_test.cc) ;;
    src/kernels/ref/* | src/quant/*) compile "$source" "${EXACT[@]}" ;;
    src/kernels/neon/*) compile "$source" "${NEON[@]}" ;;
    *) compile "$source" ;;
  esac
done < <(find src/base src/cpu src/quant src/kernels -name '*.cc' | sort)
compile "$GTEST/src/gtest-all.cc" -Wno-error
compile "$GTEST/src/gtest_main.cc"

# No weak symbol may leave the sealed object; tools/check_isa_symbols.sh says why.
if aarch64-linux-gnu-nm -C --defined-only $OUT/src_kernels_neon_table.cc.o | grep ' [WVu] '; then
  echo "neon: the sealed table defines weak symbols" >&2
  exit 1
fi
"$CXX" -static -pthread "${objects[@]}" -o $OUT/kernels_test
"$QEMU" $OUT/kernels_test --gtest_brief=1 "$@"
