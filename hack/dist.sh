#!/usr/bin/env bash
# Builds the release of the commit that is checked out into dist/: archives, packages, bills of
# materials, a Homebrew formula and the image as an OCI layout. It writes the addresses and
# checksums into plugins.yaml. Nothing is published, and beyond Go modules nothing is asked of
# the network. On a commit with a version's tag (v1.2.3) the version is
# that tag, and what is not committed is refused; else it is a snapshot's,
# v1.2.4-snapshot.gCOMMIT, with .dirty behind it where something is not committed. Where
# NODEROLE_SIGNING_KEY names a file with a private key (ECDSA P-256, PEM), checksums.txt is signed.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$(./hack/release-tools.sh)
export PATH="$tools:$PATH" DIRTY=""
# What this script writes itself does not count.
[ -z "$(git status --porcelain -- . ':!plugins.yaml')" ] || DIRTY=.dirty

rm -rf build
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) go run ./internal/docgen release build

if tag=$(git describe --exact-match --tags --match 'v[0-9]*' 2>/dev/null); then
  [ -z "$DIRTY" ] || { echo "$tag is tagged, but there are changes that are not committed" >&2; exit 1; }
  # goreleaser's own check of the work tree would count plugins.yaml.
  GORELEASER_CURRENT_TAG=$tag goreleaser release --clean --skip=publish,announce,validate
else
  goreleaser release --clean --snapshot
fi
go run ./internal/krew plugins.yaml dist
(cd tools/image && go run . build ../../dist)

# What cosign verify-blob --key takes: the signature of the file's SHA-256, in base64.
if [ -n "${NODEROLE_SIGNING_KEY:-}" ]; then
  openssl dgst -sha256 -sign "$NODEROLE_SIGNING_KEY" dist/checksums.txt | base64 | tr -d '\n' >dist/checksums.txt.sig
fi
