#!/usr/bin/env bash
# Downloads the plugin, compares its checksum and puts it on the job's PATH. Release and
# checksum are those of plugins.yaml beside the action, so that who pins the action pins the
# binary too, or those of the inputs.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

case $(uname -s) in
  Linux) os=linux ;;
  Darwin) os=darwin ;;
  *) fail "the action runs on Linux and macOS, not on $(uname -s)" ;;
esac
case $(uname -m) in
  x86_64 | amd64) arch=amd64 ;;
  aarch64 | arm64) arch=arm64 ;;
  *) fail "there is no release for the architecture $(uname -m)" ;;
esac

if [ -n "$VERSION" ]; then
  [[ $VERSION =~ ^v[0-9][0-9A-Za-z.+-]*$ ]] || fail "version is not a release's tag such as v0.1.0"
  [ -n "$SHA256" ] || fail "version needs sha256 too: the checksum of kubectl-noderole_${VERSION}_${os}_${arch}.tar.gz in the release's checksums.txt"
  url=https://github.com/kubectl-noderole/kubectl-noderole/releases/download/$VERSION/kubectl-noderole_${VERSION}_${os}_${arch}.tar.gz
else
  [ -z "$SHA256" ] || fail "sha256 needs version too"
  read -r url SHA256 < <(awk -v platform="_${os}_${arch}.tar.gz" '
    $1 == "uri:" { uri = $2 }
    $1 == "sha256:" && substr(uri, length(uri) - length(platform) + 1) == platform { print uri, $2 }
  ' "$GITHUB_ACTION_PATH/plugins.yaml") || fail "plugins.yaml has no archive for $os $arch"
fi

bin=$(mktemp -d "$RUNNER_TEMP/noderole-bin.XXXXXX")
archive=$bin/archive.tar.gz
curl --silent --show-error --fail --location --proto '=https' --max-time 300 --output "$archive" "$url" || fail "$url could not be downloaded"
if command -v sha256sum >/dev/null; then
  sum=$(sha256sum "$archive")
else
  sum=$(shasum -a 256 "$archive")
fi
[ "${sum%% *}" = "$SHA256" ] || fail "$url has the checksum ${sum%% *}, not $SHA256"
tar -xzf "$archive" -C "$bin" kubectl-noderole
rm "$archive"
printf '%s\n' "$bin" >>"$GITHUB_PATH"
"$bin/kubectl-noderole" version
