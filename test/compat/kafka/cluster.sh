#!/usr/bin/env bash
# Runs five Apache Kafka nodes on loopback, for suites that want replicas; see kafka.sh for a single node.
#   cluster.sh start DIR PORT ADVERTISE   node i listens on PORT+i and says that it is at ADVERTISE+i (a proxy's port);
#                                         the controller is on PORT. The pids are in DIR/i/pid
#   cluster.sh kill DIR                   stop them with SIGKILL
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
nodes=5
log4j='-Dlog4j2.level=WARN'

java_kafka() { java $log4j -cp "$here/lib/*" "$@"; }

settings() { # DIR I PORT ADVERTISE
  local own=$(($3 + $2)) roles=broker listeners
  listeners=PLAINTEXT://127.0.0.1:$own
  if [ "$2" = 1 ]; then
    roles=broker,controller
    listeners+=,CONTROLLER://127.0.0.1:$3
  fi
  cat <<EOF
process.roles=$roles
node.id=$2
listeners=$listeners,INTERNAL://127.0.0.1:$((own + 10))
advertised.listeners=PLAINTEXT://127.0.0.1:$(($4 + $2)),INTERNAL://127.0.0.1:$((own + 10))
inter.broker.listener.name=INTERNAL
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT
controller.quorum.bootstrap.servers=127.0.0.1:$3
log.dirs=$1/data
broker.rack=rack$2
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
share.coordinator.state.topic.replication.factor=3
group.initial.rebalance.delay.ms=0
EOF
}

start() {
  local dir=$1 port=$2 advertise=$3 id how i
  "$here/kafka.sh" fetch
  mkdir -p "$dir"
  id=$(java_kafka kafka.tools.StorageTool random-uuid)
  for i in $(seq $nodes); do
    mkdir -p "$dir/$i"
    settings "$dir/$i" "$i" "$port" "$advertise" > "$dir/$i/server.properties"
    how=--no-initial-controllers
    [ "$i" = 1 ] && how=--standalone
    java_kafka kafka.tools.StorageTool format $how -t "$id" -c "$dir/$i/server.properties" > "$dir/$i/format.out" 2>&1
    setsid java -Xms256M -Xmx256M -XX:+UseSerialGC -Djava.awt.headless=true $log4j -cp "$here/lib/*" kafka.Kafka "$dir/$i/server.properties" \
      > "$dir/$i/out" 2>&1 < /dev/null &
    echo $! > "$dir/$i/pid"
  done
  for i in $(seq $nodes); do
    for _ in $(seq 300); do
      if (exec 3<> "/dev/tcp/127.0.0.1/$((port + i))") 2> /dev/null; then continue 2; fi
      kill -0 "$(cat "$dir/$i/pid")" || { cat "$dir/$i/out" >&2; return 1; }
      sleep 0.2
    done
    echo "node $i did not answer within 60 s" >&2
    return 1
  done
}

end() {
  local i pid
  for i in $(seq $nodes); do
    pid=$(cat "$1/$i/pid")
    kill -KILL "$pid" 2> /dev/null || true
    while kill -0 "$pid" 2> /dev/null; do sleep 0.1; done
  done
}

case ${1:-} in
start) start "$2" "$3" "$4" ;;
kill) end "$2" ;;
*) sed -n '2,6p' "$0" >&2; exit 2 ;;
esac
