#!/usr/bin/env bash
# streams.sh [WORKLOAD...]: pipelines on Mainstem with its own broker, on Mainstem's worker beside Apache Kafka, and on Kafka Streams
# beside Apache Kafka, on this machine, exactly once, with the load tool of the peers' folder; prints a Markdown table. Workloads:
# filtermap, count, window, join, payments (default: all).
#
# Environment: SYSTEMS ("kafka worker mainstem"), PARTS ("1 4"), N records (1000000), KEYS (100000), MAINSTEM_PEERS
# (../../shared/peers), OUT (out/streams: raw lines), PORT.
set -euo pipefail
cd "$(dirname "$0")"
systems=${SYSTEMS:-kafka worker mainstem} parts=${PARTS:-1 4} n=${N:-1000000} keys=${KEYS:-100000}
port=${PORT:-21092} out=$PWD/${OUT:-out/streams}
. ./peers.sh
. ./node.sh
workloads=("$@")
[ ${#workloads[@]} -gt 0 ] || workloads=(filtermap count window join payments)

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
find_peers kafka
CGO_ENABLED=0 go build -o "$scratch/bin/" ./cmd/node ./cmd/worker ./cmd/table

load() { local command=$1; shift; "$peers/load/load" "$command" -b "127.0.0.1:$port" "$@"; }

note() { tee -a "$out/$1-streams.jsonl" >&2; } # note SYSTEM

outputs() {
  case $1 in
  payments) echo PAYMENT-OUTPUT PAYMENT-TRX-AGGR ;;
  *) echo "${1^^}-OUT" ;;
  esac
}

# least WORKLOAD: how many outputs there must be, as a flag; payments that change no list give none.
least() { if [ "$1" = payments ]; then echo "-expect $((n - n / 1000))"; fi; }

# fill WORKLOAD PARTS: makes the topics anew and fills the inputs.
fill() {
  if [ "$1" = payments ]; then
    load topics -p "$2" CC-PAYMENT BANK-TRANSFER-PAYMENT
    load preload -w payments -n "$n" -keys "$keys" > /dev/null
  else
    load topics -p "$2" PAYMENTS-IN CUSTOMERS
    load preload -w join -n "$n" -keys "$keys" > /dev/null
  fi
  load topics -p "$2" $(outputs "$1")
}

measure() { # measure SYSTEM WORKLOAD PARTS SINCE PID...
  local system=$1 workload=$2 tag="$2 x $3" since=$4
  shift 4
  load measure -w "$workload" -n "$n" $(least "$workload") -since "$since" "$@" -tag "$tag" | note "$system"
  load verify -w "$workload" -n "$n" $(least "$workload") -tag "$tag" | note "$system"
}

mainstem() { # mainstem WORKLOAD PARTS
  start_node "$1"
  fill "$1" "$2"
  local since
  since=$(date +%s%N)
  echo go >&7
  measure mainstem "$1" "$2" "$since" -pid broker=$node
  stop_node
}

worker() { # worker WORKLOAD PARTS
  rm -rf "$scratch/kafka" "$scratch/state"
  mkdir -p "$scratch/kafka"
  "$peers/kafka.sh" format "$scratch/kafka" "$port"
  "$peers/kafka.sh" start "$scratch/kafka" "$port"
  load probe > /dev/null
  fill "$1" "$2"
  local since
  since=$(date +%s%N)
  "$scratch/bin/worker" -bootstrap "127.0.0.1:$port" -workload "$1" -dir "$scratch/state" &
  node=$!
  measure worker "$1" "$2" "$since" -pid streams=$node -pid broker="$(cat "$scratch/kafka/pid")"
  end "$node"
  node=
  "$peers/kafka.sh" stop "$scratch/kafka"
}

kafka() { # kafka WORKLOAD PARTS
  local threads=1
  [ "$2" = 1 ] || threads=2
  PORT=$port N=$n KEYS=$keys "$peers/run.sh" "streams:$1:eos:$2:$threads" |
    sed "s/\"tag\":\"[^\"]*\"/\"tag\":\"$1 x $2\"/" | note kafka
}

for workload in "${workloads[@]}"; do
  for p in $parts; do
    for system in $systems; do
      sync # nobody's measurement pays for what the one before has not written yet
      echo "== $system $workload, $p partitions" >&2
      "$system" "$workload" "$p"
    done
  done
done

echo
echo "$(date -u +%F), $(nproc) CPUs, Linux $(uname -r), $(go version | cut -d' ' -f3); $n records, $keys keys, exactly once."
echo
"$scratch/bin/table" streams "$out"
