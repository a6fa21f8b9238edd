#!/usr/bin/env bash
# Runs a Node test with the Node and the packages of tests/npm. Without them: skipped (exit 77) on a
# developer's machine, failed under CI.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
modules=$here/../npm/node_modules
if [ ! -x "$modules/.bin/node" ] || [ ! -d "$modules/openai" ]; then
  echo "npm packages missing: run tools/bootstrap.sh --what test" >&2
  [ -n "${CI:-}" ] && exit 1
  exit 77
fi
exec "$modules/.bin/node" --test "$@"
