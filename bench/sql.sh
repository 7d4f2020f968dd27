#!/usr/bin/env bash
# sql.sh [WORKLOAD...]: SQL on a node of its own, exactly once, from the log to the log; prints a Markdown table. Workloads: filterproject
# (rows of 255 bytes), payments-go and payments-sql (the same pipeline in Go and in SQL), and the queries of test/nexmark by their names
# (default: all of them and idle: what QUERIES persistent and PUSH push queries cost that have nothing to do). Only Go is needed.
#
# Environment: QUERIES (1000) and PUSH (2000) of idle, N records or events (1000000), PARTS partitions (1), REPEAT (1), OUT (out/sql: raw lines), PROFILE (a file for the CPU profile
# of the last workload).
set -euo pipefail
cd "$(dirname "$0")"
out=$PWD/${OUT:-out/sql}
workloads=("$@")
if [ ${#workloads[@]} -eq 0 ]; then
  workloads=(filterproject payments-go payments-sql q0 q1 q2 q3 q4 q5 q7 q8 q9 q10 q11 q12 q13 q14 q15 q16 q17 q18 q19 q20 q21 q22 q23 idle)
fi

rm -rf "$out"
mkdir -p "$out"
scratch=$(mktemp -d -t mainstem-bench.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
CGO_ENABLED=0 go build -o "$scratch/bin/" ./cmd/sql ./cmd/table

for workload in "${workloads[@]}"; do
  for _ in $(seq "${REPEAT:-1}"); do # a process each: nobody pays for another's garbage
    "$scratch/bin/sql" -n "${N:-1000000}" -queries "${QUERIES:-1000}" -push "${PUSH:-2000}" -p "${PARTS:-1}" -data "$scratch/data" ${PROFILE:+-cpuprofile "$PROFILE"} "$workload" |
      tee -a "$out/mainstem-sql.jsonl" >&2
  done
done

echo
echo "$(date -u +%F), $(nproc) CPUs, Linux $(uname -r), $(go version | cut -d' ' -f3); ${N:-1000000} records, ${PARTS:-1} partitions, exactly once."
echo
"$scratch/bin/table" sql "$out"
