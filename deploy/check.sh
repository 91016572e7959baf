#!/usr/bin/env bash
# Checks of what Tallyhook is deployed with; `make lint` runs them all.
#
#   check.sh [--root DIR] [CHECK...]
#
# Checks: dockerfile, compose, chart (helm lint, with the chart's own schema), manifests (what the chart
# renders, against the schemas of Kubernetes). DIR holds deploy/ and helm/, and is this repository unless
# said otherwise: the tests break copies and see that each check says so. setup.sh brings the tools.
set -euo pipefail

KUBERNETES=1.37

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PATH=$("$root/deploy/dev/setup.sh" path):$PATH
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

main() {
  if [ "${1:-}" = --root ]; then
    root=$(cd "$2" && pwd)
    shift 2
  fi
  [ $# -gt 0 ] || set -- dockerfile compose chart manifests
  local check
  for check in "$@"; do
    case $check in
      dockerfile | compose | chart | manifests) "check_$check" ;;
      *)
        sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
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

fail() {
  echo "check: $1" >&2
  exit 1
}

main "$@"
