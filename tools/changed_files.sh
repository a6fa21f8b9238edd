#!/usr/bin/env bash
# Names of the files that differ from where this work began: the fork point from main, or on main
# itself the commit before. Uncommitted and new files count.
set -euo pipefail
cd "${AC_ROOT:-$(dirname "$0")/..}"
base=""
for ref in origin/main main; do
  if git rev-parse -q --verify "$ref" >/dev/null; then base=$(git merge-base HEAD "$ref"); break; fi
done
if [ -z "$base" ] || [ "$base" = "$(git rev-parse HEAD)" ]; then
  base=$(git rev-parse -q --verify HEAD~1 || git hash-object -t tree /dev/null)
fi
{
  git diff --name-only --diff-filter=d "$base"
  git ls-files -o --exclude-standard
} | sort -u
