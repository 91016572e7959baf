#!/usr/bin/env bash
# A real Kubernetes API server on loopback, without any node: it stores and validates objects as
# strictly as a cluster does, and runs none. `make soak` holds the chart to it.
#
#   kube.sh build      builds kube-apiserver, etcd and kubectl from Go's modules; no time where they are
#   kube.sh check      starts them, has the chart refused or taken in both modes, ends them
#
# The programs and the definitions of the Prometheus operator's objects lie in tools/kubernetes of
# CARGO_TARGET_DIR, else of target/. Building takes some minutes, and gigabytes in Go's own caches.
set -euo pipefail

KUBERNETES=1.37.2
ETCD=3.7.3
PROMETHEUS_OPERATOR=0.95.2
CONTROLLER_TOOLS=0.23.0
START_SECONDS=60
NAMESPACE=shops

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tools=$("$repository/deploy/dev/setup.sh" path)
programs=${tools%/bin}/kubernetes
chart=$repository/helm/tallyhook
PATH=$programs:$tools:$PATH

main() {
  case ${1:-} in
    build) build ;;
    check) build && check ;;
    *)
      sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
      exit 2
      ;;
  esac
}

build() {
  local versions="$KUBERNETES $ETCD $PROMETHEUS_OPERATOR $CONTROLLER_TOOLS"
  [ "$(cat "$programs/versions" 2>/dev/null)" != "$versions" ] || return 0
  command -v go >/dev/null || fail "Go 1.26 or newer builds the API server: https://go.dev/dl"
  echo "kube: building the API server $KUBERNETES and etcd $ETCD, once" >&2
  mkdir -p "$programs"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  build_kubernetes
  build_etcd
  build_definitions
  echo "$versions" >"$programs/versions"
}

# `go install` refuses a module that replaces others, as Kubernetes does its own parts: a module that
# replaces them likewise requires it instead.
build_kubernetes() {
  local module=$work/kubernetes version=k8s.io/component-base/version
  mkdir "$module"
  cd "$module"
  go mod download "k8s.io/kubernetes@v$KUBERNETES"
  {
    printf 'module kubernetes\n\ngo 1.26.0\n\nrequire k8s.io/kubernetes v%s\n\nreplace (\n' "$KUBERNETES"
    sed -n '/^replace (/,/^)/p' "$(go env GOMODCACHE)/k8s.io/kubernetes@v$KUBERNETES/go.mod" |
      awk -v v="0.${KUBERNETES#1.}" '/=>/ {print "\t" $1 " => " $1 " v" v}'
    echo ')'
  } >go.mod
  cat >tools.go <<'GO'
//go:build tools

package tools

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kubectl"
)
GO
  go mod tidy -e
  # Clients read the server's version, and end where there is none.
  CGO_ENABLED=0 go build -trimpath -o "$programs/" -ldflags="-s -w -X $version.gitVersion=v$KUBERNETES \
    -X $version.gitMajor=1 -X $version.gitMinor=$(cut -d . -f 2 <<<"$KUBERNETES")" \
    k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kubectl
}

build_etcd() {
  mkdir "$work/etcd"
  cd "$work/etcd"
  cat >main.go <<'GO'
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
GO
  go mod init etcd
  go get "go.etcd.io/etcd/server/v3@v$ETCD"
  go mod tidy
  CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$programs/etcd" .
}

# The definition of a ServiceMonitor, generated from the operator's types: no registry carries it.
build_definitions() {
  local types=github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring
  mkdir "$work/definitions"
  cd "$work/definitions"
  cat >tools.go <<GO
//go:build tools

package tools

import (
	_ "$types/v1"
	_ "sigs.k8s.io/controller-tools/cmd/controller-gen"
)
GO
  go mod init definitions
  go get "$types@v$PROMETHEUS_OPERATOR" "sigs.k8s.io/controller-tools@v$CONTROLLER_TOOLS"
  go mod tidy
  go run sigs.k8s.io/controller-tools/cmd/controller-gen crd:allowDangerousTypes=true \
    paths="$types/v1" output:crd:dir="$programs/definitions"
}

check() {
  state=$(mktemp -d)
  trap end EXIT
  local etcd_port api_port
  read -r etcd_port peer_port api_port < <(free_ports 3)
  start "$etcd_port" "$peer_port" "$api_port"
  export KUBECONFIG=$state/kubeconfig
  configure "$api_port"
  kubectl create namespace "$NAMESPACE" >/dev/null
  kubectl create -f "$programs/definitions/monitoring.coreos.com_servicemonitors.yaml" >/dev/null
  kubectl wait --for=condition=Established --timeout=30s \
    customresourcedefinition/servicemonitors.monitoring.coreos.com >/dev/null

  local values
  for values in "$chart"/ci/*-values.yaml; do
    taken "$values"
    refused "$values" 's/terminationGracePeriodSeconds/terminationGracePeriod/' 'unknown field'
    refused "$values" 's/port: metrics/prot: metrics/' 'unknown field'
    refused "$values" 's/runAsUser: 10001/runAsUser: -1/' 'must be between'
    installed "$values"
  done
  echo "kube: Kubernetes $KUBERNETES takes the chart in both modes, and refuses broken copies"
}

rendered() {
  helm template shop "$chart" --namespace "$NAMESPACE" --kube-version "$KUBERNETES" \
    --set serviceMonitor.enabled=true --values "$1"
}

taken() {
  rendered "$1" | kubectl --namespace "$NAMESPACE" apply --dry-run=server --validate=strict -f - >/dev/null ||
    fail "the API server refuses what the chart renders with ${1##*/}"
}

# A copy broken by a command of sed must be refused with a text.
refused() {
  local said
  rendered "$1" | sed "$2" >"$state/broken.yaml"
  if said=$(kubectl --namespace "$NAMESPACE" apply --dry-run=server --validate=strict -f "$state/broken.yaml" 2>&1); then
    fail "the API server takes a copy broken by $2"
  fi
  grep -q "$3" <<<"$said" || fail "broken by $2, the API server says: $said"
}

# Stored and upgraded; without the hooks, whose pods would never run here.
installed() {
  local common=(shop "$chart" --namespace "$NAMESPACE" --values "$1" --set serviceMonitor.enabled=true --no-hooks)
  helm install "${common[@]}" >/dev/null
  helm upgrade "${common[@]}" --set drainSeconds=7 >/dev/null
  kubectl --namespace "$NAMESPACE" get statefulsets --output yaml | grep -q 'terminationGracePeriodSeconds: 27' ||
    fail "an upgrade does not reach the stored objects"
  helm uninstall shop --namespace "$NAMESPACE" --no-hooks >/dev/null
}

start() {
  local etcd_port=$1 peer_port=$2 api_port=$3
  openssl genrsa -out "$state/accounts.key" 2048 2>/dev/null
  openssl rsa -in "$state/accounts.key" -pubout -out "$state/accounts.pub" 2>/dev/null
  token=$(openssl rand -hex 16)
  (umask 077 && echo "$token,admin,1,\"system:masters\"" >"$state/tokens.csv")
  etcd --data-dir "$state/etcd" --listen-client-urls "http://127.0.0.1:$etcd_port" \
    --advertise-client-urls "http://127.0.0.1:$etcd_port" --listen-peer-urls "http://127.0.0.1:$peer_port" \
    --initial-advertise-peer-urls "http://127.0.0.1:$peer_port" \
    --initial-cluster "default=http://127.0.0.1:$peer_port" --unsafe-no-fsync --log-level error \
    >"$state/etcd.log" 2>&1 &
  etcd_pid=$!
  # Without a reconciler for its own address: it would refuse one on loopback.
  kube-apiserver --etcd-servers="http://127.0.0.1:$etcd_port" --bind-address=127.0.0.1 \
    --advertise-address=127.0.0.1 --endpoint-reconciler-type=none --secure-port="$api_port" \
    --cert-dir="$state/certificates" --service-account-issuer=https://kubernetes.default.svc \
    --service-account-key-file="$state/accounts.pub" --service-account-signing-key-file="$state/accounts.key" \
    --service-cluster-ip-range=10.0.0.0/24 --authorization-mode=RBAC --token-auth-file="$state/tokens.csv" \
    --disable-admission-plugins=ServiceAccount >"$state/apiserver.log" 2>&1 &
  api_pid=$!
}

configure() {
  (umask 077 && cat >"$KUBECONFIG") <<CONFIG
apiVersion: v1
kind: Config
clusters: [{name: here, cluster: {server: "https://127.0.0.1:$1", insecure-skip-tls-verify: true}}]
users: [{name: admin, user: {token: "$token"}}]
contexts: [{name: here, context: {cluster: here, user: admin}}]
current-context: here
CONFIG
  local end=$((SECONDS + START_SECONDS))
  until kubectl get --raw /readyz >/dev/null 2>&1; do
    if ! kill -0 "$api_pid" 2>/dev/null || [ "$SECONDS" -ge "$end" ]; then
      tail -n 20 "$state/etcd.log" "$state/apiserver.log" >&2
      fail "the API server did not start"
    fi
    sleep 0.2
  done
}

# The server first, or it lingers on its port and asks for etcd.
end() {
  kill -9 "${api_pid:-}" "${etcd_pid:-}" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$state"
}

free_ports() {
  python3 -c 'import socket, sys
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(s.getsockname()[1] for s in sockets))' "$1"
}

fail() {
  echo "kube: $1" >&2
  exit 1
}

main "$@"
