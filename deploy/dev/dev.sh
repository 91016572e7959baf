#!/usr/bin/env bash
# The distributed shape on one machine, to look at and to work with: Kafka, Redis, two receivers, two
# aggregators and two simulated shops, as processes of their own on loopback.
#
#   dev.sh up        builds, and starts what does not run yet
#   dev.sh down      ends what `up` started, and nothing else; the data stays
#   dev.sh status    says what runs
#
# Data, messages (NAME.log) and process ids (NAME.pid) lie in dev/ of CARGO_TARGET_DIR, else of target/;
# without that directory everything begins anew. The ports are fixed:
KAFKA_PORT=19092 # and 19093 for its controller
REDIS_PORT=16379
PUBLIC_PORTS=(18080 18081) # of the receivers, for webhooks
METRICS_PORTS=(18180 18181)
PAGE_PORTS=(18190 18191) # of the aggregators: page, API and metrics
set -euo pipefail

SECRET=dev-secret # of the simulated shops; nothing here is reachable from elsewhere
START_SECONDS=60
# Of each `up`, on either receiver: a shop whose year comes at once, so that there are figures, and then
# one whose year takes an hour or so, to watch them move.
# shellcheck disable=SC2016
SHOP='"$0" simulate --seed "$1" --orders 2000 "${@:2}" && exec "$0" simulate --seed "$(($1 + 1))" --orders 5000 --rate 5 "${@:2}"'

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
target=${CARGO_TARGET_DIR:-$repository/target}
dev=$target/dev
tallyhook=$target/debug/tallyhook
kafka_sh=$repository/deploy/dev/kafka.sh
PATH=$("$repository/deploy/dev/setup.sh" path):$PATH

main() {
  case ${1:-} in
    up) up ;;
    down) down ;;
    status) status ;;
    *)
      sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
      exit 2
      ;;
  esac
}

up() {
  (cd "$repository" && cargo build --locked --workspace --bin tallyhook)
  mkdir -p "$dev/redis"
  cd "$dev"
  configure
  kafka_runs || {
    free kafka "$KAFKA_PORT" $((KAFKA_PORT + 1))
    echo "kafka: starting"
    "$kafka_sh" up 1 $((KAFKA_PORT - 10)) "$dev/kafka"
  }
  start redis "$REDIS_PORT" redis-server --port "$REDIS_PORT" --bind 127.0.0.1 --dir "$dev/redis" --save "" \
    --appendonly yes --appendfsync everysec --maxmemory-policy noeviction
  "$tallyhook" topics apply
  local i
  for i in 0 1; do
    start "ingest-$((i + 1))" "${PUBLIC_PORTS[i]} ${METRICS_PORTS[i]}" env \
      TALLYHOOK_PUBLIC__LISTEN=127.0.0.1:"${PUBLIC_PORTS[i]}" \
      TALLYHOOK_ADMIN__LISTEN=127.0.0.1:"${METRICS_PORTS[i]}" \
      "$tallyhook" ingest --data-dir "ingest-$((i + 1))"
    start "aggregate-$((i + 1))" "${PAGE_PORTS[i]}" env \
      TALLYHOOK_ADMIN__LISTEN=127.0.0.1:"${PAGE_PORTS[i]}" \
      "$tallyhook" aggregate --data-dir "aggregate-$((i + 1))"
  done
  for i in 0 1; do
    await "ingest-$((i + 1))" "${METRICS_PORTS[i]}"
    await "aggregate-$((i + 1))" "${PAGE_PORTS[i]}"
  done
  for i in 0 1; do
    start "shop-$((i + 1))" "" bash -c "$SHOP" "$tallyhook" "$(date +%s)" --secret "$SECRET" \
      --url "http://127.0.0.1:${PUBLIC_PORTS[i]}" --domain-prefix "dev-$((i + 1))" --faults dup,reorder,late,retry
  done
  status
  cat <<ADDRESSES

  live page, API      http://127.0.0.1:${PAGE_PORTS[0]}/  http://127.0.0.1:${PAGE_PORTS[1]}/
  metrics             http://127.0.0.1:{${METRICS_PORTS[0]},${METRICS_PORTS[1]},${PAGE_PORTS[0]},${PAGE_PORTS[1]}}/metrics
  webhooks            http://127.0.0.1:${PUBLIC_PORTS[0]}/webhooks/shopify  http://127.0.0.1:${PUBLIC_PORTS[1]}/webhooks/shopify
  Kafka, Redis        127.0.0.1:$KAFKA_PORT  127.0.0.1:$REDIS_PORT
  messages, data      $dev
  commands            cd $dev && $tallyhook topics check
  the end             make dev-down
ADDRESSES
}

# Sources before those that they feed, so that nothing is sent to what has gone.
down() {
  local name
  for name in shop-1 shop-2 ingest-1 ingest-2 aggregate-1 aggregate-2 redis; do
    stop "$name"
  done
  if kafka_runs; then
    echo "kafka: ending"
    kill -TERM "$(cat "$dev/kafka/1/pid")"
    for _ in $(seq 100); do
      kafka_runs || break
      sleep 0.1
    done
    ! kafka_runs || "$kafka_sh" down "$dev/kafka"
  fi
  rm -f "$dev/kafka/1/pid"
}

status() {
  local name
  printf '%-12s %s\n' kafka "$(if kafka_runs; then echo "runs, pid $(cat "$dev/kafka/1/pid")"; else echo -; fi)"
  for name in redis ingest-1 ingest-2 aggregate-1 aggregate-2 shop-1 shop-2; do
    printf '%-12s %s\n' "$name" "$(if runs "$name"; then echo "runs, pid $(pid "$name")"; else echo -; fi)"
  done
}

# Written anew each time, and only here: the processes differ by their ports and directories.
configure() {
  [ -e pseudonym.key ] || (umask 077 && head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >pseudonym.key)
  cat >tallyhook.toml <<TOML
[privacy]
pseudonym_key = "file:pseudonym.key"
[sources.shopify]
platform = "shopify"
secrets = ["$SECRET"]
[kafka]
brokers = ["127.0.0.1:$KAFKA_PORT"]
# One broker keeps one copy, which is enough for what is made up.
replication = 1
allow_unsafe = true
[redis]
url = "redis://127.0.0.1:$REDIS_PORT"
TOML
}

# start NAME "PORTS" COMMAND...: in a session of its own, so that an interrupt of make does not end it,
# and so at the head of a process group that holds what it starts.
start() {
  local name=$1 ports=$2
  shift 2
  ! runs "$name" || return 0
  # shellcheck disable=SC2086
  free "$name" $ports
  echo "$name: starting"
  setsid "$@" >>"$dev/$name.log" 2>&1 </dev/null &
  echo "$! $(begun $!)" >"$dev/$name.pid"
}

stop() {
  local name=$1 process
  runs "$name" || {
    rm -f "$dev/$name.pid"
    return 0
  }
  echo "$name: ending"
  process=$(pid "$name")
  kill -TERM -- "-$process"
  for _ in $(seq 150); do
    runs "$name" || break
    sleep 0.1
  done
  ! runs "$name" || kill -9 -- "-$process"
  rm -f "$dev/$name.pid"
}

# Whether the process that was started under that name still runs: after a restart of the machine its
# number may be somebody else's, the instant at which it began is not.
runs() {
  local process instant
  [ -e "$dev/$1.pid" ] || return 1
  read -r process instant <"$dev/$1.pid"
  [ -n "$instant" ] && [ "$(begun "$process")" = "$instant" ]
}

kafka_runs() {
  local file=$dev/kafka/1/pid
  [ -e "$file" ] && ps -o args= -p "$(cat "$file")" 2>/dev/null | grep -q "kafka.Kafka $dev/kafka/1/"
}

pid() { cut -d ' ' -f 1 "$dev/$1.pid"; }

begun() { ps -o lstart= -p "$1" 2>/dev/null | tr -s ' ' || true; }

# Refuses ports that somebody else listens on.
free() {
  local name=$1 port
  shift
  for port in "$@"; do
    ! listening "$port" ||
      fail "$name needs port $port of 127.0.0.1, which is taken; end what listens there (ss -ltnp), or" \
        "change the ports at the head of deploy/dev/dev.sh"
  done
}

await() {
  local name=$1 port=$2 end=$((SECONDS + START_SECONDS))
  until [ "$(ready "$port")" = 200 ]; do
    runs "$name" || fail "$name ended: $(tail -n 5 "$dev/$name.log")"
    [ "$SECONDS" -lt "$end" ] || fail "$name is not ready after $START_SECONDS s: see $dev/$name.log"
    sleep 0.2
  done
}

# The status of /readyz, asked for without any tool beside the shell.
ready() {
  local status=
  {
    exec 3<>"/dev/tcp/127.0.0.1/$1" && printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3 && read -r -t 5 _ status _ <&3
  } 2>/dev/null || true
  { exec 3>&-; } 2>/dev/null || true
  echo "$status"
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

fail() {
  echo "dev: $*" >&2
  exit 1
}

main "$@"
