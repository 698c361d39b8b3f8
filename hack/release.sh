#!/usr/bin/env bash
# Makes a release from a clean work tree: hack/release.sh v1.2.3 (make release VERSION=v1.2.3).
# It dates the version in CHANGELOG.md, names it in deploy/, commits and tags that, builds dist/, and commits the
# plugins.yaml that names the archives. It publishes nothing; it prints the commands that do.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  echo "release: $*" >&2
  exit 1
}

version=${1:-}
[[ $version =~ ^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || fail "give a version such as v0.1.0, not \"$version\""
[ -z "$(git status --porcelain)" ] || fail "there are changes that are not committed"
! git rev-parse --verify --quiet "refs/tags/$version" >/dev/null || fail "the tag $version is there already"
[ -f "internal/docgen/testdata/${version%%-*}/snapshot.json" ] || [[ $version == *-* || $version != *.0 ]] ||
  fail "internal/docgen/testdata has no formats of $version; docs/releasing.md says how to add them"
[ -n "${NODEROLE_SIGNING_KEY:-}" ] || fail "NODEROLE_SIGNING_KEY names no private key; docs/releasing.md says how to make one"

day=$(TZ=UTC date +%Y-%m-%d)
project=https://github.com/kubectl-noderole/kubectl-noderole
mkdir -p build
awk -v version="${version#v}" -v day="$day" -v project="$project" '
  $0 == "## [Unreleased]" { print; print ""; print "## [" version "] - " day; next }
  /^\[Unreleased\]: / { print "[Unreleased]: " project "/compare/v" version "...main"; print "[" version "]: " project "/releases/tag/v" version; next }
  { print }
' CHANGELOG.md >build/CHANGELOG.md
awk -v begin="## [${version#v}]" '/^## /{ on = index($0, begin) == 1; next } /^\[/{ on = 0 } on' build/CHANGELOG.md >build/notes.md
grep -q '^- ' build/notes.md || fail "CHANGELOG.md has nothing under Unreleased"
mv build/CHANGELOG.md CHANGELOG.md
notes=$(mktemp)
mv build/notes.md "$notes"

# The image that deploy installs is that of the version.
sed -i.orig "s/^  newTag: v.*/  newTag: $version/" deploy/*/kustomization.yaml
rm deploy/*/kustomization.yaml.orig

git commit --quiet -m "Release $version" CHANGELOG.md deploy
git tag -a -m "$version" "$version"
./hack/dist.sh
mv "$notes" dist/notes.md
git commit --quiet -m "The plugin manifest names the archives of $version" plugins.yaml

cat <<END

$version is tagged, and dist/ has it. To publish it:
  git push origin HEAD $version
  gh release create $version --verify-tag --title $version --notes-file dist/notes.md dist/*.tar.gz dist/*.zip dist/*.deb dist/*.rpm dist/*.cdx.json dist/checksums.txt dist/checksums.txt.sig
  (cd tools/image && go run . push ../../dist/image ghcr.io/kubectl-noderole/kubectl-noderole)
Then propose dist/noderole.yaml to krew-index as plugins/noderole.yaml, and copy dist/homebrew/kubectl-noderole.rb to the tap.
To take it back: git tag -d $version && git reset --keep HEAD~2
END
