#!/usr/bin/env bash
# kafka-go-suite.sh HOST:PORT [REGEXP]: runs the tests of github.com/segmentio/kafka-go unmodified against a broker, all of them or
# those whose names match, and prints how many passed, failed and were skipped. The suite talks to localhost:9092, where a
# toxiproxy, which the script starts, leads to the broker; the broker must say that it is there: mainstem dev --advertise
# localhost:9092. Three parts of TestReaderConsumerGroup are left out: they look up a coordinator through a nil function and panic.
# The full output goes to out/kafka-go-suite.log. Three minutes and more. Exit code 1 if a test failed or none ran.
set -euo pipefail
cd "$(dirname "$0")"
address=$1 pattern=${2:-.}
version=v0.4.51 toxiproxy=v2.5.0

mkdir -p out
log=$PWD/out/${SUITE_LOG:-kafka-go-suite.log}
scratch=$(mktemp -d -t kafka-go-suite.XXXXXX)
proxy=
trap '[ -z "$proxy" ] || kill "$proxy"; chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
GOBIN=$scratch go install "github.com/Shopify/toxiproxy/v2/cmd/server@$toxiproxy" > "$scratch/install.out" 2>&1 || { cat "$scratch/install.out" >&2; exit 1; }
dir=$(cd "$scratch" && go mod init suite > /dev/null 2>&1 && go mod download -json "github.com/segmentio/kafka-go@$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
cp -r "$dir" "$scratch/kafka-go"
chmod -R u+w "$scratch/kafka-go"

echo "[{\"name\":\"kafka\",\"listen\":\"127.0.0.1:9092\",\"upstream\":\"$address\",\"enabled\":true}]" > "$scratch/proxies.json"
"$scratch/server" -port 8475 -config "$scratch/proxies.json" > "$scratch/proxy.out" 2>&1 &
proxy=$!
for _ in $(seq 100); do
  if (exec 3<> /dev/tcp/127.0.0.1/9092) 2> /dev/null; then break; fi
  kill -0 "$proxy" || { cat "$scratch/proxy.out" >&2; proxy=; exit 1; }
  sleep 0.1
done

status=0
cd "$scratch/kafka-go"
go mod tidy > "$scratch/tidy.out" 2>&1 || { cat "$scratch/tidy.out" >&2; exit 1; }
KAFKA_VERSION=${KAFKA_GO_VERSION:-3.7.0} KAFKA_SKIP_NETTEST=1 go test -count=1 -timeout "${SUITE_TIMEOUT:-20m}" -v \
  -run "$pattern" -skip '^TestReaderConsumerGroup$/^(consumer_group_commits_on_close|verify_offset_committed)' . > "$log" 2>&1 || status=$?
count() { grep -cE "^--- $1: " "$log" || true; }
printf 'kafka-go %s against %s: %s passed, %s failed, %s skipped\n' "$version" "$address" "$(count PASS)" "$(count FAIL)" "$(count SKIP)"
grep -E '^--- (FAIL|SKIP): ' "$log" || true
grep -E '^(panic:|FAIL|ok )' "$log" | tail -n 3
[ "$(count PASS)" -gt 0 ] || { tail -n 20 "$log"; exit 1; }
exit "$status"
