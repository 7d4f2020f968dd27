#!/usr/bin/env bash
# Runs one Apache Kafka node (KRaft, loopback) from Maven artifacts, for tests that compare with the original.
#   kafka.sh fetch             get the jars once (needs Maven and Java 17)
#   kafka.sh start DIR PORT    format DIR if new, start in the background, wait until it answers; the pid is in DIR/pid
#                              (KAFKA_ADVERTISE=HOST:PORT: where it says that it is)
#   kafka.sh stop DIR          stop it; kafka.sh kill DIR does so with SIGKILL
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
log4j='-Dlog4j2.level=WARN'

retry() { for _ in 1 2 3; do "$@" && return || sleep 10; done; "$@"; } # what comes from other machines

fetch() {
  [ -e "$here/lib/.complete" ] && return
  retry mvn -B -q -U -f "$here/pom.xml" package
  touch "$here/lib/.complete"
}

java_kafka() { java $log4j -cp "$here/lib/*" "$@"; }

# Retention is not looked at on the first day: tests have records of other years, which would go 30 s after the start.
settings() {
  cat <<EOF
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:$2,CONTROLLER://127.0.0.1:$(($2 + 1))
advertised.listeners=PLAINTEXT://${KAFKA_ADVERTISE:-127.0.0.1:$2}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.quorum.bootstrap.servers=127.0.0.1:$(($2 + 1))
log.dirs=$1/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.initial.task.delay.ms=86400000
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
super.users=User:ANONYMOUS
EOF
}

start() {
  local dir=$1 port=$2
  fetch
  if answers "$port" || answers $((port + 1)); then
    echo "port $port or $((port + 1)) is another program's" >&2
    return 1
  fi
  mkdir -p "$dir"
  settings "$dir" "$port" > "$dir/server.properties"
  if [ ! -e "$dir/data/meta.properties" ]; then
    java_kafka kafka.tools.StorageTool format --standalone -t "$(java_kafka kafka.tools.StorageTool random-uuid)" -c "$dir/server.properties" > "$dir/format.out" 2>&1
  fi
  setsid java -Xms512M -Xmx512M -XX:+UseG1GC -Djava.awt.headless=true $log4j -cp "$here/lib/*" kafka.Kafka "$dir/server.properties" \
    > "$dir/out" 2>&1 < /dev/null &
  echo $! > "$dir/pid"
  for _ in $(seq 3000); do
    lives "$(cat "$dir/pid")" || { cat "$dir/out" >&2; return 1; }
    if answers "$port"; then return; fi
    sleep 0.2
  done
  echo "Kafka did not answer on port $port within 600 s" >&2
  return 1
}

answers() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

# lives: a process that has ended stays as a zombie where nobody waits for orphans, as in some containers.
lives() { kill -0 "$1" 2> /dev/null && ! grep -qs '^State:.*Z' "/proc/$1/status"; }

end() {
  local pid
  pid=$(cat "$1/pid")
  kill "-$2" "$pid"
  while lives "$pid"; do sleep 0.1; done
  rm -f "$1/pid"
}

case ${1:-} in
fetch) fetch ;;
start) start "$2" "$3" ;;
stop) end "$2" TERM ;;
kill) end "$2" KILL ;;
*) sed -n '2,6p' "$0" >&2; exit 2 ;;
esac
