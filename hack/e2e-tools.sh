#!/usr/bin/env bash
# Installs what the end-to-end tests run against and prints the folder: etcd,
# kube-apiserver, kube-controller-manager, the EKS Pod Identity webhook, krew and
# the release tools (built once, cached by version), Prometheus' promtool and node
# exporter, qemu for arm64, Chromium and the npm tools, and checks for moto, the AWS CLI and kubectl. Safe to run again; what is there is kept.
set -euo pipefail
cd "$(dirname "$0")/.."

kube=v1.37.2
cache=${NODEROLE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubectl-noderole}
bin=$cache/kube-$kube
mkdir -p "$bin"

say() { printf '%s\n' "$*" >&2; }

for tool in kube-apiserver kube-controller-manager; do
  [ -x "$bin/$tool" ] && continue
  say "building $tool $kube into $bin (once; kube-apiserver takes about 9 minutes on two cores, the other then about two)"
  minor=$(cut -d. -f2 <<<"$kube")
  version=k8s.io/component-base/version
  (cd test/e2e/apiserver && CGO_ENABLED=0 GOFLAGS=-mod=mod GOGC=400 go build -trimpath -gcflags 'all=-N -l' \
    -ldflags "-s -w -X $version.gitVersion=$kube -X $version.gitMajor=1 -X $version.gitMinor=$minor" \
    -o "$bin/$tool.new" "k8s.io/kubernetes/cmd/$tool")
  mv "$bin/$tool.new" "$bin/$tool"
done

webhook=$(cd test/e2e/webhook && go list -m -f '{{.Version}}' github.com/aws/amazon-eks-pod-identity-webhook)
if [ ! -x "$bin/pod-identity-webhook-$webhook" ]; then
  say "building the EKS Pod Identity webhook $webhook into $bin (once; one to seven minutes on two cores)"
  (cd test/e2e/webhook && CGO_ENABLED=0 GOGC=400 go build -trimpath -ldflags "-s -w" \
    -o "$bin/pod-identity-webhook.new" github.com/aws/amazon-eks-pod-identity-webhook)
  mv "$bin/pod-identity-webhook.new" "$bin/pod-identity-webhook-$webhook"
fi
ln -sf "pod-identity-webhook-$webhook" "$bin/pod-identity-webhook"

krew=$(cd test/e2e/krew && go list -m -f '{{.Version}}' sigs.k8s.io/krew)
for program in krew validate-krew-manifest; do
  if [ ! -x "$bin/$program-$krew" ]; then
    say "building $program $krew into $bin (once; a minute)"
    (cd test/e2e/krew && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$bin/$program.new" "sigs.k8s.io/krew/cmd/$program")
    mv "$bin/$program.new" "$bin/$program-$krew"
  fi
  ln -sf "$program-$krew" "$bin/$program"
done

./hack/release-tools.sh >/dev/null

if ! command -v etcd >/dev/null; then
  say "installing etcd-server with apt-get"
  apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq etcd-server >&2
fi
ln -sf "$(command -v etcd)" "$bin/etcd"

# debian PACKAGE FILE: a program of a Debian package, without installing the package, which
# would start a server.
debian() {
  [ ! -x "$bin/${2##*/}" ] || return 0
  say "fetching $2 of Debian's $1"
  local work
  work=$(mktemp -d)
  apt-get update -qq >&2
  (cd "$work" && apt-get download -qq "$1" >&2 && dpkg-deb -x ./*.deb .)
  mv "$work/$2" "$bin/"
  rm -rf "$work"
}
debian prometheus usr/bin/promtool
debian prometheus-node-exporter usr/bin/prometheus-node-exporter
debian qemu-user-static usr/bin/qemu-aarch64-static

if ! command -v xmllint >/dev/null; then
  say "installing libxml2-utils with apt-get"
  apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq libxml2-utils >&2
fi

if ! command -v jq >/dev/null || ! command -v man >/dev/null; then
  say "installing jq and man-db with apt-get"
  apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq jq man-db >&2
fi

if ! command -v chromium >/dev/null; then
  say "installing chromium with apt-get"
  apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >&2
fi

# The validators of report formats and the driver of the browser come from npm;
# .npmrc keeps their scripts from running.
tools=test/e2e/tools
if ! cmp -s "$tools/package-lock.json" "$tools/node_modules/.installed"; then
  command -v npm >/dev/null || { say "npm is missing: install node 20 or later with npm and put them on PATH"; exit 1; }
  say "installing $tools with npm"
  (cd "$tools" && npm ci >&2)
  chmod u+x "$tools"/node_modules/@microsoft/sarif-multitool-*/Sarif.Multitool
  cp "$tools/package-lock.json" "$tools/node_modules/.installed"
fi

missing=0
command -v kubectl >/dev/null || { say "kubectl is missing: install it and put it on PATH"; missing=1; }
command -v aws >/dev/null || { say "the AWS CLI is missing: pip install awscli"; missing=1; }
command -v terraform >/dev/null || { say "terraform is missing: install 1.11 or later and put it on PATH"; missing=1; }
python3 -c 'import moto.server' 2>/dev/null || { say "moto is missing: pip install 'moto[server]==5.2.1'"; missing=1; }
[ "$missing" = 0 ] || exit 1

printf '%s\n' "$bin"
