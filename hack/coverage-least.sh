#!/usr/bin/env bash
# Prints how much of pkg/apply and pkg/cli is run, and fails where that is less than
# the least. pkg/cli is run by its own tests and by the plugin that test/script builds.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/apply" "$dir/cli" "$dir/script"
go test -count=1 -cover ./pkg/apply -args -test.gocoverdir="$dir/apply"
go test -count=1 -cover ./pkg/cli -args -test.gocoverdir="$dir/cli"
GOCOVERDIR="$dir/script" go test -count=1 ./test/script

code=0
# least PERCENT PACKAGE DIRS: dirs are separated by commas.
least() {
  percent=$(go tool covdata percent -i="$3" | awk -v package="$2" '$1 ~ package "$" { sub("%", "", $3); print $3 }')
  echo "$2: $percent % of statements, at least $1"
  if ! awk -v percent="$percent" -v least="$1" 'BEGIN { exit !(percent >= least) }'; then
    echo "$2 is run too little" >&2
    code=1
  fi
}
least 90 pkg/apply "$dir/apply"
least 70 pkg/cli "$dir/cli,$dir/script"
exit "$code"
