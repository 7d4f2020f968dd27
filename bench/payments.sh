#!/usr/bin/env bash
# payments.sh [STEP...]: the payments pipeline on Mainstem and on Apache Kafka + Kafka Streams, side by side on this machine, with
# the load tool of the peers' folder; prints a Markdown table. Steps: start, throughput, latency-1000, latency-5000 (default: all).
#
# Environment: SYSTEMS ("kafka mainstem"), N payments of the throughput step (1000000), KEYS customers (100000), STARTS (5),
# WARM (50s) unmeasured before the 20 s at each rate, MAINSTEM_PEERS (../../shared/peers), OUT (out/payments: raw lines), PORT.
set -euo pipefail
cd "$(dirname "$0")"
systems=${SYSTEMS:-kafka mainstem} n=${N:-1000000} keys=${KEYS:-100000} starts=${STARTS:-5} warm=${WARM:-50s}
port=${PORT:-21092} out=$PWD/${OUT:-out/payments}
. ./peers.sh
. ./node.sh
steps=("$@")
[ ${#steps[@]} -gt 0 ] || steps=(start throughput latency-1000 latency-5000)

rm -rf "$out"
mkdir -p "$out"
scratch=$(mktemp -d -t mainstem-bench.XXXXXX)
node=
cleanup() {
  [ -z "$node" ] || kill -9 "$node" 2> /dev/null || true
  [ ! -e "$scratch/kafka/pid" ] || "$peers/kafka.sh" kill "$scratch/kafka" || true
  rm -rf "$scratch"
}
trap cleanup EXIT

find_peers "$systems"
CGO_ENABLED=0 go build -o "$scratch/bin/" ./cmd/node ./cmd/table
(cd .. && CGO_ENABLED=0 go build -o "$scratch/bin/" ./cmd/mainstem)
sync # what the builds wrote must not reach the disk in the midst of a measurement

load() { local command=$1; shift; "$peers/load/load" "$command" -b "127.0.0.1:$port" "$@"; }

# note SYSTEM STEP: keeps the lines and shows them.
note() { tee -a "$out/$1-$2.jsonl" >&2; }

mainstem_start() {
  for i in $(seq "$starts"); do
    rm -rf "$scratch/data"
    local since
    since=$(date +%s%N)
    "$scratch/bin/mainstem" dev --data "$scratch/data" --kafka "127.0.0.1:$port" --http "127.0.0.1:$((port + 1))" > "$scratch/node.out" 2>&1 &
    node=$!
    load probe -since "$since" -pid broker=$node -tag start | note mainstem start
    if [ "$i" = "$starts" ]; then
      sleep 5
      load probe -pid broker=$node -tag idle | note mainstem start
    fi
    end "$node"
    node=
  done
}

mainstem_throughput() {
  start_node
  load topics -w payments -p 1
  load preload -w payments -n "$n" -keys "$keys" | note mainstem throughput
  local since
  since=$(date +%s%N)
  echo go >&7
  # A payment that comes later than five newer ones of its customer changes no list and gives no update, so a few may be missing.
  load measure -w payments -n "$n" -expect $((n - n / 1000)) -since "$since" -pid broker=$node | note mainstem throughput
  load verify -w payments -expect $((n - n / 1000)) | note mainstem throughput
  stop_node
}

mainstem_latency() { # RATE
  start_node
  load topics -w payments -p 1
  echo go >&7
  await running
  load latency -w payments -r "$1" -keys "$keys" -warm "$warm" -linger "$(linger "$1")" -pid broker=$node | note mainstem "latency-$1"
  stop_node
}

# A request for each record is nobody's way to send 5,000 a second.
linger() { if [ "$1" -gt 1000 ]; then echo 1ms; else echo 0s; fi; }

kafka_start() {
  for i in $(seq "$starts"); do
    rm -rf "$scratch/kafka"
    mkdir -p "$scratch/kafka"
    "$peers/kafka.sh" format "$scratch/kafka" "$port"
    "$peers/kafka.sh" start "$scratch/kafka" "$port"
    local pid
    pid=$(cat "$scratch/kafka/pid")
    load probe -since "$(cat "$scratch/kafka/exec_ns")" -pid broker="$pid" -tag start | note kafka start
    if [ "$i" = "$starts" ]; then
      sleep 5
      load probe -pid broker="$pid" -tag idle | note kafka start
    fi
    "$peers/kafka.sh" stop "$scratch/kafka"
  done
}

kafka_throughput() {
  PORT=$port N=$n KEYS=$keys "$peers/run.sh" streams:payments:eos:1:1 | note kafka throughput
}

kafka_latency() { # RATE
  PORT=$port KEYS=$keys WARM=$warm LINGER=$(linger "$1") "$peers/run.sh" "latency:payments:eos:$1" | note kafka "latency-$1"
}

for step in "${steps[@]}"; do
  for system in $systems; do
    echo "== $system $step" >&2
    case $step in
    start | throughput) "${system}_$step" ;;
    latency-1000 | latency-5000) "${system}_latency" "${step#latency-}" ;;
    *) echo "unknown step $step" >&2; exit 2 ;;
    esac
  done
done

echo
echo "$(date -u +%F), $(nproc) CPUs, Linux $(uname -r), $(go version | cut -d' ' -f3); $n payments, $keys customers, 1 partition, exactly once."
echo "Mainstem syncs every commit to disk before it acknowledges; Kafka is at its defaults, which leave that to the page cache."
echo
"$scratch/bin/table" payments "$out"
