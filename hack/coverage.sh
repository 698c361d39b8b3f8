#!/usr/bin/env bash
# Fails where a statement of a package is not run by its own tests, and names
# it. Property tests are left out: what they reach is up to chance.
#   hack/coverage.sh ./pkg/iampolicy
set -euo pipefail
cd "$(dirname "$0")/.."
profile=$(mktemp)
trap 'rm -f "$profile"' EXIT
for package in "$@"; do
  go test -skip '^TestProperty' -coverprofile="$profile" "$package"
  missed=$(awk '$NF == 0 { print $1 }' "$profile")
  if [ -n "$missed" ]; then
    printf '%s has statements that no test runs:\n%s\n' "$package" "$missed" >&2
    exit 1
  fi
done
