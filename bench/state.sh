#!/usr/bin/env bash
# state.sh [STEP...]: what large state costs on Mainstem with its own broker: the count workload, exactly once, with the load tool of the
# peers' folder; prints a Markdown table. Steps: latency, restart, keys, budget (default: all).
#
# Environment: RESTART_KEYS ("1000000 10000000"), KEYS of the step of that name ("100000 1000000 10000000"), BUDGET_MB in the last step (16),
# MAINSTEM_PEERS (../../shared/peers), OUT (out/state: raw lines), PORT.
set -euo pipefail
cd "$(dirname "$0")"
port=${PORT:-21092} out=$PWD/${OUT:-out/state}
. ./peers.sh
. ./node.sh
steps=("$@")
[ ${#steps[@]} -gt 0 ] || steps=(latency restart keys budget)

rm -rf "$out"
mkdir -p "$out"
scratch=$(mktemp -d -t mainstem-bench.XXXXXX)
node=
cleanup() {
  [ -z "$node" ] || kill -9 "$node" 2> /dev/null || true
  rm -rf "$scratch"
}
trap cleanup EXIT
find_peers mainstem
CGO_ENABLED=0 go build -o "$scratch/bin/" ./cmd/node ./cmd/table
sync # what the builds wrote must not reach the disk in the midst of a measurement

load() { local command=$1; shift; "$peers/load/load" "$command" -b "127.0.0.1:$port" "$@"; }

note() { tee -a "$out/mainstem-$1.jsonl" >&2; } # note STEP

# fill N KEYS [FLAG...]: a new node whose input holds N records.
fill() {
  local n=$1 keys=$2
  shift 2
  start_node count "$@"
  load topics -p 1 PAYMENTS-IN COUNT-OUT
  load preload -w count -n "$n" -keys "$keys" > /dev/null
}

# counted N TAG STEP: starts the pipeline and waits for N counts.
counted() {
  local since
  since=$(date +%s%N)
  echo go >&7
  load measure -w count -n "$1" -since "$since" -pid broker=$node -tag "$2" | note "$3"
}

measure_latency() {
  start_node count
  load topics -p 1 PAYMENTS-IN COUNT-OUT
  echo go >&7
  await running
  load latency -w count -r 5000 -warm 20s -linger 1ms -pid broker=$node -tag count | note latency
  stop_node
}

# restart: kill -9 with the state of KEYS keys, then from exec to the first count of what comes next.
measure_restart() {
  local keys n more since
  for keys in ${RESTART_KEYS:-1000000 10000000}; do
    # The load tool's event times go on in the same steps: with fewer records more they would lie in the future, which brokers refuse.
    n=$((2 * keys)) more=$((keys / 10))
    fill "$n" "$keys" -state-bytes $((8 << 30))
    counted "$n" "$keys filled" restart
    kill -9 "$node"
    wait "$node" || true
    since=$(date +%s%N)
    launch_node count -state-bytes $((8 << 30))
    echo go >&7
    load preload -w count -n "$more" -base "$n" -keys "$keys" > /dev/null &
    local filler=$!
    load measure -w count -n "$more" -base "$n" -since "$since" -pid broker=$node -tag "$keys" | note restart
    wait "$filler"
    load verify -w count -n $((n + more)) -tag "$keys" | note restart
    stop_node
  done
}

# keys: the same records of few and of many keys. A run of some seconds would end before the broker compacts the changelog for the first time.
measure_keys() {
  local keys n=4000000 all=${KEYS:-100000 1000000 10000000}
  for keys in $all; do
    n=$((2 * keys > n ? 2 * keys : n))
  done
  for keys in $all; do
    sync
    fill "$n" "$keys" -state-bytes $((8 << 30))
    counted "$n" "$keys" keys
    load verify -w count -n "$n" -tag "$keys" | note keys
    stop_node
  done
}

# budget: a million keys with room for all of them, and with room for about a quarter.
measure_budget() {
  local room
  for room in 4096 "${BUDGET_MB:-16}"; do
    fill 3000000 1000000 -state-bytes $((room << 20))
    counted 3000000 "$([ "$room" = 4096 ] && echo resident || echo quarter)" budget
    load verify -w count -n 3000000 | note budget
    stop_node
  done
}

for step in "${steps[@]}"; do
  echo "== $step" >&2
  case $step in
  latency | restart | keys | budget) "measure_$step" ;;
  *) echo "unknown step $step" >&2; exit 2 ;;
  esac
done

echo
echo "$(date -u +%F), $(nproc) CPUs, Linux $(uname -r), $(go version | cut -d' ' -f3); one partition, exactly once."
echo
"$scratch/bin/table" state "$out"
