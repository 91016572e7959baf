#!/usr/bin/env bash
# Real Kafka for tests and development: brokers of one cluster as plain processes on loopback.
#
#   kafka.sh jars                     brings the jars; no time where they are there
#   kafka.sh up NODES BASEPORT DIR    starts what does not run yet; NODES is 1 or 3
#   kafka.sh kill DIR NODE...         loss of power of some nodes (1, 2, 3); `up` brings them back
#   kafka.sh down DIR                 kills all nodes
#   kafka.sh tool CLASS ARGS...       a class of Kafka's tools, for example
#                                     org.apache.kafka.tools.TopicCommand
#
# Clients connect to BASEPORT + 10 (and 20, 30); controllers listen one port above. DIR holds data,
# logs and the process ids, DIR/NODE/pid. The jars lie in KAFKA_JARS, else in kafka-jars of
# CARGO_TARGET_DIR, else of target/.
#
# With KAFKA_CERTIFICATES (a directory of certificates.sh) and KAFKA_PASSWORD, `up` opens three
# listeners more: 2 ports above, TLS and a login of the user tallyhook by PLAIN or SCRAM; 3 above, TLS
# and a client's certificate; 4 above, a login by PLAIN or SCRAM without TLS.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
jars=${KAFKA_JARS:-${CARGO_TARGET_DIR:-$here/../../target}/kafka-jars}
# Small heaps: a cluster of three must fit beside the tests.
heap=(-Xms64m -Xmx512m -XX:+UseSerialGC)
quiet=(-Djava.awt.headless=true -Dorg.slf4j.simpleLogger.defaultLogLevel=error)

main() {
  local command=${1:-}
  shift || true
  case $command in
    jars) get_jars ;;
    up) up "$@" ;;
    kill) kill_nodes "$@" ;;
    down) down "$@" ;;
    # In place of this shell, so that whoever started it can end it.
    tool) exec java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "${quiet[@]}" -cp "$jars/*" "$@" ;;
    *)
      sed -n '2,18s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
      exit 2
      ;;
  esac
}

# Maven puts the jars beside each other; the mark says that all of them came.
get_jars() {
  [ ! -e "$jars/.done" ] || return 0
  mkdir -p "$jars"
  mvn -q -B -ntp -f "$here/kafka-pom.xml" dependency:copy-dependencies \
    -DoutputDirectory="$jars" -DincludeScope=runtime
  touch "$jars/.done"
}

up() {
  local nodes=$1 base=$2 directory=$3 node
  get_jars
  mkdir -p "$directory"
  directory=$(cd "$directory" && pwd)
  local voters=() bootstrap=()
  for node in $(seq "$nodes"); do
    bootstrap+=("127.0.0.1:$((base + node * 10 + 1))")
    # A directory's id: 22 characters of base64url, the last of them A, Q, g or w.
    voters+=("$node@127.0.0.1:$((base + node * 10 + 1)):tallyhookTestNode000${node}A")
  done
  for node in $(seq "$nodes"); do
    mkdir -p "$directory/$node"
    properties "$nodes" "$base" "$directory/$node" "$node" "$(joined "${bootstrap[@]}")" \
      >"$directory/$node/server.properties"
    format "$directory/$node" "$(joined "${voters[@]}")" &
  done
  wait
  for node in $(seq "$nodes"); do
    start "$directory/$node"
  done
  for node in $(seq "$nodes"); do
    wait_for_port "$directory/$node" $((base + node * 10))
  done
}

properties() {
  local nodes=$1 base=$2 directory=$3 node=$4 bootstrap=$5
  local port=$((base + node * 10)) replication=$((nodes < 3 ? 1 : 3)) in_sync=$((nodes < 3 ? 1 : 2))
  cat <<PROPERTIES
process.roles=broker,controller
node.id=$node
controller.quorum.bootstrap.servers=$bootstrap
listeners=$(listeners "$port")
advertised.listeners=$(listeners "$port")
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$directory/data
auto.create.topics.enable=false
default.replication.factor=$replication
min.insync.replicas=$in_sync
offsets.topic.replication.factor=$replication
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=$replication
transaction.state.log.min.isr=$in_sync
transaction.state.log.num.partitions=4
# The first member of a group need not wait for others.
group.initial.rebalance.delay.ms=0
message.max.bytes=10485760
replica.fetch.max.bytes=10485760
log.segment.bytes=67108864
num.network.threads=2
num.io.threads=4
# A killed broker's registration expires soon, so that it may come back.
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
PROPERTIES
  [ -z "${KAFKA_CERTIFICATES:-}" ] || secure_properties
}

listeners() {
  local port=$1 all
  all=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
  if [ -n "${KAFKA_CERTIFICATES:-}" ]; then
    all+=,SASL_SSL://127.0.0.1:$((port + 2)),SSL://127.0.0.1:$((port + 3))
    all+=,SASL_PLAINTEXT://127.0.0.1:$((port + 4))
  fi
  echo "$all"
}

secure_properties() {
  local module=org.apache.kafka.common.security listener
  cat <<PROPERTIES
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location=$KAFKA_CERTIFICATES/server.pem
ssl.truststore.type=PEM
ssl.truststore.location=$KAFKA_CERTIFICATES/ca.crt
listener.name.ssl.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
PROPERTIES
  for listener in sasl_ssl sasl_plaintext; do
    cat <<PROPERTIES
listener.name.$listener.plain.sasl.jaas.config=$module.plain.PlainLoginModule required user_tallyhook="$KAFKA_PASSWORD";
listener.name.$listener.scram-sha-256.sasl.jaas.config=$module.scram.ScramLoginModule required;
listener.name.$listener.scram-sha-512.sasl.jaas.config=$module.scram.ScramLoginModule required;
PROPERTIES
  done
}

format() {
  local directory=$1 voters=$2
  [ ! -e "$directory/data/meta.properties" ] || return 0
  local logins=() mechanism
  if [ -n "${KAFKA_CERTIFICATES:-}" ]; then
    for mechanism in SCRAM-SHA-256 SCRAM-SHA-512; do
      logins+=(--add-scram "$mechanism=[name=tallyhook,password=$KAFKA_PASSWORD]")
    done
  fi
  java "${heap[@]}" "${quiet[@]}" -cp "$jars/*" kafka.tools.StorageTool format \
    -t tallyhookTestCluster0A -c "$directory/server.properties" --initial-controllers "$voters" \
    "${logins[@]}" >"$directory/format.log" 2>&1
}

# In a session of its own: an interrupt from the terminal is for whoever uses the broker.
start() {
  local directory=$1
  if [ -e "$directory/pid" ] && kill -0 "$(cat "$directory/pid")" 2>/dev/null; then
    return 0
  fi
  setsid java "${heap[@]}" "${quiet[@]}" -cp "$jars/*" kafka.Kafka "$directory/server.properties" \
    >"$directory/out.log" 2>&1 </dev/null &
  echo $! >"$directory/pid"
}

# The port opens once the controller has accepted the broker.
wait_for_port() {
  local directory=$1 port=$2 end=$((SECONDS + 180))
  until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    if ! kill -0 "$(cat "$directory/pid")" 2>/dev/null || [ "$SECONDS" -ge "$end" ]; then
      cat "$directory/format.log" "$directory/out.log" >&2
      exit 1
    fi
    sleep 0.1
  done
}

kill_nodes() {
  local directory=$1 node
  shift
  for node in "$@"; do
    reap "$directory/$node"
  done
}

down() {
  local file
  for file in "$1"/*/pid; do
    [ ! -e "$file" ] || reap "${file%/pid}"
  done
}

# Waits until the process is gone, or a probe would still find its listener.
reap() {
  local process
  process=$(cat "$1/pid")
  kill -9 "$process" 2>/dev/null || true
  while kill -0 "$process" 2>/dev/null; do sleep 0.05; done
}

joined() {
  local IFS=,
  echo "$*"
}

main "$@"
