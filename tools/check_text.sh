#!/usr/bin/env bash
# What must not be committed: non-ASCII bytes in sources, paths of one machine, registry hosts, and
# words that mark unfinished work.
set -uo pipefail
cd "${AC_ROOT:-$(dirname "$0")/..}"
bad=0

# refuse MESSAGE GREP_OPTIONS PATTERN PATHSPEC...: the patterns spell one letter as a class, so that
# this file does not find itself.
refuse() {
  local message=$1 options=$2 pattern=$3
  shift 3
  local found
  found=$(git grep --untracked -nI $options -e "$pattern" -- "$@" | cut -c 1-160 | head -20)
  if [ -n "$found" ]; then
    printf 'text: %s\n%s\n' "$message" "$found" >&2
    bad=1
  fi
}

sources=('*.cc' '*.h' '*.c' '*.py' '*.sh' '*.cmake' 'CMakeLists.txt' '**/CMakeLists.txt' Makefile)
everything=(. ':!fuzz/corpus' ':!fuzz/regress' ':!models')
[ -n "$(git ls-files -co --exclude-standard | head -1)" ] || { echo "text: no files found" >&2; exit 1; }

LC_ALL=C refuse "sources are ASCII: write other characters as escapes" -P '[^\x00-\x7F]' "${sources[@]}"
refuse "paths of one machine" -E '(^|[^A-Za-z0-9_.-])/(wor[k]|far[m])/[a-z]' "${everything[@]}"
refuse "hosts of package registries" -iE \
  '(registry\.(npmj[s]|yarnpk[g])|pyp[i]\.org|files\.pythonhoste[d]|(deb|security)\.debia[n]\.org|crate[s]\.io)' \
  "${everything[@]}"
refuse "words that mark unfinished work" -wE 'TOD[O]|FIXM[E]|XX[X]|HAC[K]' "${everything[@]}" ':!*.json' ':!docs/adr'
[ $bad = 0 ] && echo "text: clean"
exit $bad
