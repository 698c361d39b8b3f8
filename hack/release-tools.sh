#!/usr/bin/env bash
# Builds the tools that make a release, goreleaser and cyclonedx-gomod, of the
# versions in tools/release/go.mod, and prints the folder. Each is built once and
# cached by version; what is there is kept.
set -euo pipefail
cd "$(dirname "$0")/../tools/release"

cache=${NODEROLE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubectl-noderole}
bin=$cache/release
mkdir -p "$bin"

tool() { # NAME MODULE PACKAGE NOTE
  local version
  version=$(go list -m -f '{{.Version}}' "$2")
  if [ ! -x "$bin/$1-$version" ]; then
    printf 'building %s %s into %s (once; %s)\n' "$1" "$version" "$bin" "$4" >&2
    CGO_ENABLED=0 GOGC=400 go build -trimpath -ldflags "-s -w" -o "$bin/$1.new" "$3"
    mv "$bin/$1.new" "$bin/$1-$version"
  fi
  ln -sfn "$1-$version" "$bin/$1"
}
tool cyclonedx-gomod github.com/CycloneDX/cyclonedx-gomod github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod "a minute"
tool goreleaser github.com/goreleaser/goreleaser/v2 github.com/goreleaser/goreleaser/v2 "about 10 minutes on two cores"

printf '%s\n' "$bin"
