#!/usr/bin/env bash
# Installs what this checkout needs and does not have: Debian packages by name, npm packages by the
# lock file in tests/npm. Says what it installs; does nothing, offline and at once, when all is there.
#
#   tools/bootstrap.sh [--what run|test|check|full|bench] [--dry-run]
#
#   run    what building and running takes (default)
#   test   run + the npm packages of the end-to-end tests
#   check  run + clang-format and clang-tidy
#   full   test + check + clang-19 and the ARM cross compiler
#   bench  run + the load generator
set -euo pipefail
cd "$(dirname "$0")/.."

RUN_PACKAGES=(
  g++ cmake ninja-build ccache mold pkg-config git ca-certificates python3
  libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev libssl-dev libsqlite3-dev libzstd-dev
  libxxhash-dev libpcre2-dev libutf8proc-dev libcli11-dev libspdlog-dev libfmt-dev
  prometheus-cpp-dev libgtest-dev libgmock-dev libbenchmark-dev)
TEST_PACKAGES=(python3-jinja2 chromium)
CHECK_PACKAGES=(clang-format-14 clang-tidy-19)
FULL_PACKAGES=(clang-19 libclang-rt-19-dev qemu-user g++-aarch64-linux-gnu googletest)
BENCH_PACKAGES=(wrk)
NPM_DIR=tests/npm
NPM_STAMP=$NPM_DIR/node_modules/.anyclaude-lock

fail() {
  printf 'bootstrap: %s\n' "$@" >&2
  exit 1
}

what=run
dry_run=no
while [ $# -gt 0 ]; do
  case $1 in
    --what) [ $# -ge 2 ] || fail "--what needs one of: run test check full bench"; what=$2; shift 2 ;;
    --what=*) what=${1#--what=}; shift ;;
    --dry-run) dry_run=yes; shift ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p;}' "$0"; exit 0 ;;
    *) printf 'bootstrap: unknown option %s; see --help\n' "$1" >&2; exit 2 ;;
  esac
done

packages=("${RUN_PACKAGES[@]}")
npm=no
case $what in
  run) ;;
  test) packages+=("${TEST_PACKAGES[@]}"); npm=yes ;;
  check) packages+=("${CHECK_PACKAGES[@]}") ;;
  full) packages+=("${TEST_PACKAGES[@]}" "${CHECK_PACKAGES[@]}" "${FULL_PACKAGES[@]}"); npm=yes ;;
  bench) packages+=("${BENCH_PACKAGES[@]}") ;;
  *) printf 'bootstrap: unknown --what %s; one of: run test check full bench\n' "$what" >&2; exit 2 ;;
esac
# Any Node will do to start with: the tests use the newer one that the lock file brings.
if [ $npm = yes ] && ! command -v npm >/dev/null; then packages+=(nodejs npm); fi

# --- Debian packages -----------------------------------------------------------------------------
missing=()
if command -v dpkg-query >/dev/null; then
  installed=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true)
  for package in "${packages[@]}"; do
    case $'\n'$installed$'\n' in
      *$'\n'"$package installed"$'\n'*) ;;
      *) missing+=("$package") ;;
    esac
  done
else
  printf 'bootstrap: this is not Debian; install by hand what these packages hold: %s\n' \
    "${packages[*]}" >&2
fi

if [ ${#missing[@]} -gt 0 ]; then
  printf 'bootstrap: installing %d Debian packages: %s\n' ${#missing[@]} "${missing[*]}" >&2
  if [ $dry_run = no ]; then
    as_root=()
    if [ "$(id -u)" != 0 ]; then
      command -v sudo >/dev/null ||
        fail "not root and no sudo here; as root run: apt-get install ${missing[*]}"
      as_root=(sudo)
    fi
    apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q)
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    # A stale list is worth a try: the packages may be in it, or in apt's own cache.
    "${apt[@]}" update >"$log" 2>&1 || printf 'bootstrap: apt-get update failed; trying the old lists\n' >&2
    if ! "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
      tail -n 15 "$log" >&2
      fail "apt-get could not install: ${missing[*]}" \
        "is the network up, and is this Debian 12? then: ${as_root[*]:-} apt-get install ${missing[*]}"
    fi
  fi
fi

# --- npm packages --------------------------------------------------------------------------------
# Their install scripts are not run: npm 9 of Debian 12 fails on them, and without them it does not
# link the two programs that come in packages of one platform; so that is done here.
install_npm_packages() {
  local modules=$NPM_DIR/node_modules pattern program
  (cd $NPM_DIR && npm ci --ignore-scripts --no-audit --no-fund) || return 1
  mkdir -p "$modules/.bin"
  for pattern in '@anthropic-ai/claude-code-linux-*/claude' 'node-linux-*/bin/node'; do
    program=$(compgen -G "$modules/$pattern") || { echo "$pattern was not unpacked"; return 1; }
    ln -sfn "../${program#"$modules"/}" "$modules/.bin/${program##*/}"
  done
}

if [ $npm = yes ] && ! cmp -s $NPM_DIR/package-lock.json $NPM_STAMP; then
  printf 'bootstrap: installing the npm packages of %s/package-lock.json\n' $NPM_DIR >&2
  if [ $dry_run = no ]; then
    npm_log=$(mktemp)
    trap 'rm -f "${log:-}" "$npm_log"' EXIT
    if ! install_npm_packages >"$npm_log" 2>&1; then
      tail -n 15 "$npm_log" >&2
      fail "npm ci failed in $NPM_DIR; is the network up? The tests with real clients need it"
    fi
    cp $NPM_DIR/package-lock.json $NPM_STAMP
  fi
fi
