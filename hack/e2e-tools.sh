#!/usr/bin/env bash
# Installs what the end-to-end tests run against and prints the folder: etcd,
# kube-apiserver and the EKS Pod Identity webhook (built once, cached by version),
# Chromium and the npm tools, and checks for moto, the AWS CLI, kubectl and npm. Safe to run again; what is there is kept.
set -euo pipefail
cd "$(dirname "$0")/.."

kube=v1.37.2
cache=${NODEROLE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubectl-noderole}
bin=$cache/kube-$kube
mkdir -p "$bin"

say() { printf '%s\n' "$*" >&2; }

if [ ! -x "$bin/kube-apiserver" ]; then
  say "building kube-apiserver $kube into $bin (once; about 9 minutes on two cores)"
  minor=$(cut -d. -f2 <<<"$kube")
  version=k8s.io/component-base/version
  (cd test/e2e/apiserver && CGO_ENABLED=0 GOFLAGS=-mod=mod GOGC=400 go build -trimpath -gcflags 'all=-N -l' \
    -ldflags "-s -w -X $version.gitVersion=$kube -X $version.gitMajor=1 -X $version.gitMinor=$minor" \
    -o "$bin/kube-apiserver.new" k8s.io/kubernetes/cmd/kube-apiserver)
  mv "$bin/kube-apiserver.new" "$bin/kube-apiserver"
fi

webhook=$(cd test/e2e/webhook && go list -m -f '{{.Version}}' github.com/aws/amazon-eks-pod-identity-webhook)
if [ ! -x "$bin/pod-identity-webhook-$webhook" ]; then
  say "building the EKS Pod Identity webhook $webhook into $bin (once; one to seven minutes on two cores)"
  (cd test/e2e/webhook && CGO_ENABLED=0 GOGC=400 go build -trimpath -ldflags "-s -w" \
    -o "$bin/pod-identity-webhook.new" github.com/aws/amazon-eks-pod-identity-webhook)
  mv "$bin/pod-identity-webhook.new" "$bin/pod-identity-webhook-$webhook"
fi
ln -sf "pod-identity-webhook-$webhook" "$bin/pod-identity-webhook"

if ! command -v etcd >/dev/null; then
  say "installing etcd-server with apt-get"
  apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq etcd-server >&2
fi
ln -sf "$(command -v etcd)" "$bin/etcd"

if ! command -v chromium >/dev/null; then
  say "installing chromium with apt-get"
  apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >&2
fi

tools=test/e2e/tools
if command -v npm >/dev/null && ! cmp -s $tools/package-lock.json $tools/node_modules/.current; then
  say "installing the npm tools of $tools"
  npm ci --prefix $tools --no-audit --no-fund >&2
  cp $tools/package-lock.json $tools/node_modules/.current
fi

missing=0
command -v kubectl >/dev/null || { say "kubectl is missing: install it and put it on PATH"; missing=1; }
command -v aws >/dev/null || { say "the AWS CLI is missing: pip install awscli"; missing=1; }
command -v terraform >/dev/null || { say "terraform is missing: install 1.11 or later and put it on PATH"; missing=1; }
command -v npm >/dev/null || { say "npm is missing: install Node.js 20 or later and put node and npm on PATH"; missing=1; }
python3 -c 'import moto.server' 2>/dev/null || { say "moto is missing: pip install 'moto[server]==5.2.1'"; missing=1; }
[ "$missing" = 0 ] || exit 1

printf '%s\n' "$bin"
