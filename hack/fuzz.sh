#!/usr/bin/env bash
# Runs every fuzz target of the named packages for a time each, and fails where
# a package has none: a package that lost its targets would look fuzzed.
#   hack/fuzz.sh 20s ./pkg/iampolicy …
set -euo pipefail
cd "$(dirname "$0")/.."
time=$1
shift
for package in "$@"; do
  targets=$(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true)
  [ -n "$targets" ] || { echo "$package has no fuzz target" >&2; exit 1; }
  for target in $targets; do
    echo "== $package $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 10x "$package"
  done
done
