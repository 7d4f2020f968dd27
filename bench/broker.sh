#!/usr/bin/env bash
# broker.sh [STEP...]: Mainstem's broker beside one Apache Kafka node at its defaults (acknowledging from the page cache) and one that
# syncs every append, on this machine, with the load tool of the peers' folder; prints a Markdown table. Steps: start, batch, sync,
# transactions, restart (default: all).
#
# Environment: SYSTEMS ("kafka kafka-synced mainstem"), REPEAT of the batch figures (3), STARTS (5), GB in the restart step (1),
# MAINSTEM_PEERS (../../shared/peers), OUT (out/broker: raw lines), PORT.
set -euo pipefail
cd "$(dirname "$0")"
systems=${SYSTEMS:-kafka kafka-synced mainstem} repeat=${REPEAT:-3} starts=${STARTS:-5} gb=${GB:-1}
port=${PORT:-21092} out=$PWD/${OUT:-out/broker}
. ./peers.sh
steps=("$@")
[ ${#steps[@]} -gt 0 ] || steps=(start batch sync transactions restart)

rm -rf "$out"
mkdir -p "$out"
scratch=$(mktemp -d -t mainstem-bench.XXXXXX)
broker=
cleanup() {
  [ -z "$broker" ] || kill -9 "$broker" 2> /dev/null || true
  rm -rf "$scratch"
}
trap cleanup EXIT
find_peers "$systems"
go build -o "$scratch/bin/" ./cmd/table ./cmd/transactions
(cd .. && CGO_ENABLED=0 go build -o "$scratch/bin/" ./cmd/mainstem)
sync # what the builds wrote must not reach the disk in the midst of a measurement

load() { local command=$1; shift; "$peers/load/load" "$command" -b "127.0.0.1:$port" "$@"; }

setting() { if [ "$1" = kafka-synced ]; then echo log.flush.interval.messages=1; fi; }

# start SYSTEM: goes on with the data that is there; sets broker (pid) and since.
start() {
  if [ "$1" = mainstem ]; then
    since=$(date +%s%N)
    "$scratch/bin/mainstem" dev --data "$scratch/data" --kafka "127.0.0.1:$port" --http "127.0.0.1:$((port + 1))" > "$scratch/out" 2>&1 &
    broker=$!
  else
    if [ ! -d "$scratch/data" ]; then
      mkdir -p "$scratch/data"
      "$peers/kafka.sh" format "$scratch/data" "$port" $(setting "$1")
    fi
    "$peers/kafka.sh" start "$scratch/data" "$port" $(setting "$1")
    since=$(cat "$scratch/data/exec_ns") broker=$(cat "$scratch/data/pid")
  fi
}

end() { # end [SIGNAL]
  kill "${1:--TERM}" "$broker"
  while kill -0 "$broker" 2> /dev/null; do sleep 0.05; done
  broker=
}

fresh() { rm -rf "$scratch/data"; start "$1"; }

ready() { fresh "$1"; load probe > /dev/null; } # ready SYSTEM: fresh, and it answers

note() { tee -a "$out/$1-$2.jsonl" >&2; } # note SYSTEM STEP

measure_start() {
  for i in $(seq "$starts"); do
    fresh "$1"
    load probe -since "$since" -pid broker="$broker" -tag start | note "$1" start
    if [ "$i" = "$starts" ]; then
      sleep 5
      load probe -pid broker="$broker" -tag idle | note "$1" start
    fi
    end
  done
}

measure_batch() {
  ready "$1"
  local n
  for p in 1 4; do
    for size in 100 1024; do
      for _ in $(seq "$repeat"); do
        n=$((size == 100 ? 2000000 : 500000))
        load topics -p "$p" load-bench
        load produce -n "$n" -size "$size" -p "$p" -pid broker="$broker" -tag "$size x $p" | note "$1" batch
        load consume -n "$n" -size "$size" -pid broker="$broker" -tag "$size x $p" | note "$1" batch
      done
    done
  done
  end
}

measure_sync() {
  ready "$1"
  for p in 1 4; do
    load topics -p "$p" load-bench
    for clients in 1 16 64; do
      load sync -c "$clients" -t 8s -pid broker="$broker" -tag "$clients x $p" | note "$1" sync
    done
  done
  end
}

measure_transactions() {
  ready "$1"
  "$scratch/bin/transactions" -b "127.0.0.1:$port" | note "$1" transactions
  end
}

measure_restart() {
  ready "$1"
  load topics -p 4 load-bench
  for _ in $(seq "$gb"); do load produce -n 1000000 -size 1024 -pid broker="$broker" -tag fill | note "$1" restart; done
  for _ in 1 2 3; do
    end -9
    start "$1"
    load probe -since "$since" -pid broker="$broker" -tag killed | note "$1" restart
    load produce -n 100000 -size 1024 -pid broker="$broker" -tag refill | note "$1" restart
  done
  end
}

for step in "${steps[@]}"; do
  for system in $systems; do
    echo "== $system $step" >&2
    case $step in
    start | batch | sync | transactions | restart) "measure_$step" "$system" ;;
    *) echo "unknown step $step" >&2; exit 2 ;;
    esac
  done
done

echo
echo "$(date -u +%F), $(nproc) CPUs, Linux $(uname -r), $(go version | cut -d' ' -f3); client and broker share the CPUs."
echo
"$scratch/bin/table" broker "$out"
