#!/usr/bin/env bash
# Checks of what Tallyhook is deployed with; `make lint` runs them all.
#
#   check.sh [--root DIR] [CHECK...]
#
# Checks: dockerfile, compose, chart (helm lint, with the chart's own schema), manifests (what the chart
# renders, against the schemas of Kubernetes), alerts (Prometheus's and Alertmanager's configuration, the
# rules and their unit tests), boards (Grafana's, made anew and compared). DIR holds deploy/ and helm/, and
# is this repository unless said otherwise: the tests break copies and see that each check says so.
# setup.sh brings the tools.
set -euo pipefail

KUBERNETES=1.37

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=$("$root/deploy/dev/setup.sh" path)
PATH=$tools:$PATH
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

main() {
  if [ "${1:-}" = --root ]; then
    root=$(cd "$2" && pwd)
    shift 2
  fi
  [ $# -gt 0 ] || set -- dockerfile compose chart manifests alerts boards
  local check
  for check in "$@"; do
    case $check in
      dockerfile | compose | chart | manifests | alerts | boards) "check_$check" ;;
      *)
        sed -n '2,11s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
        exit 2
        ;;
    esac
  done
}

check_dockerfile() {
  local dockerfile=$root/deploy/Dockerfile user
  hadolint --no-color "$dockerfile" || fail "hadolint does not like deploy/Dockerfile"
  # Kubernetes can see that a number is not root, of a name it cannot; hadolint takes both, and none.
  user=$(sed -n 's/^USER //p' "$dockerfile" | tail -n 1)
  [[ $user =~ ^[1-9][0-9]*:[1-9][0-9]*$ ]] ||
    fail "the last USER of deploy/Dockerfile must be two numbers other than 0, not '$user'"
}

check_compose() {
  local profile
  for profile in none kafka; do
    docker-compose --project-directory "$root/deploy" --env-file "$root/deploy/.env.example" \
      -f "$root/deploy/compose.yaml" --profile "$profile" config --quiet ||
      fail "deploy/compose.yaml is not valid"
  done
}

check_chart() {
  local values
  helm lint --strict --quiet "$root/helm/tallyhook" || fail "helm lint does not like the chart"
  for values in "$root"/helm/tallyhook/ci/*-values.yaml; do
    helm lint --strict --quiet --values "$values" "$root/helm/tallyhook" ||
      fail "helm lint does not like the chart with ${values##*/}"
  done
}

check_manifests() {
  local values name
  for values in "$root"/helm/tallyhook/values.yaml "$root"/helm/tallyhook/ci/*-values.yaml; do
    name=$(basename "$values" .yaml)
    helm template shop "$root/helm/tallyhook" --namespace shops --kube-version "$KUBERNETES" \
      --values "$values" >"$scratch/$name.yaml" || fail "the chart cannot be rendered with $name"
    kubernetes-validate --kubernetes-version "$KUBERNETES" --strict --quiet "$scratch/$name.yaml" >&2 ||
      fail "Kubernetes $KUBERNETES would refuse what the chart renders with $name"
  done
}

check_alerts() {
  local prometheus=$root/deploy/prometheus alertmanager=$root/deploy/alertmanager/alertmanager.yaml
  quietly promtool check config --lint-fatal "$prometheus/prometheus.yaml" ||
    fail "promtool does not like deploy/prometheus/prometheus.yaml or its rules"
  quietly amtool check-config "$alertmanager" || fail "amtool does not like deploy/alertmanager/alertmanager.yaml"
  routed operators scope=pipeline severity=critical alertname=TallyhookTargetDown
  routed operators alertname=SomethingElse
  routed merchants scope=shop shop=a.example alertname=TallyhookReturnSpike
  routed operators,merchants scope=shop shop=a.example alertname=TallyhookShopSilent
  routed dead-mans-switch scope=watchdog alertname=TallyhookWatchdog
  # What takes longest comes last, so that a mistake is told soon.
  local tests
  for tests in "$prometheus"/tests/*.yaml; do
    quietly promtool test rules "$tests" || fail "alerts do not fire as their tests say: ${tests##*/}"
  done
}

# Checks who receives an alert with these labels.
routed() {
  local receiver=$1
  shift
  quietly amtool config routes test --config.file "$alertmanager" --verify.receivers="$receiver" "$@" ||
    fail "an alert with $* does not reach $receiver"
}

check_boards() {
  mkdir "$scratch/boards"
  PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$tools/../containers python3 "$root/deploy/grafana/generate.py" --out "$scratch/boards" ||
    fail "deploy/grafana/generate.py cannot make the boards"
  diff -r "$root/deploy/grafana/boards" "$scratch/boards" >&2 ||
    fail "the boards are not what deploy/grafana/generate.py makes: run it"
}

# Shows what a command says only where it fails.
quietly() {
  "$@" >"$scratch/said" 2>&1 || {
    cat "$scratch/said" >&2
    return 1
  }
}

fail() {
  echo "check: $1" >&2
  exit 1
}

main "$@"
