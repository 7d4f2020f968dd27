#!/usr/bin/env bash
# sarama-suite.sh 'HOST:PORT...' [REGEXP]: runs Sarama's functional tests (github.com/IBM/sarama) unmodified against a broker, all of
# them or those whose names match, and prints how many passed, failed and were skipped. The suite talks to five brokers at
# 127.0.0.1:29091-29095 through a toxiproxy, which the script starts; with fewer addresses these are used in turn. A node must say
# that it is at the proxy's port: mainstem dev --advertise 127.0.0.1:29091, kafka/cluster.sh start DIR 29190 29090.
# TestConsumerFetchFollowerFailover is left out: without docker it panics. The full output goes to out/sarama-suite.log. Four minutes.
# Exit code 1 if a test failed or none ran.
set -euo pipefail
cd "$(dirname "$0")"
read -ra upstreams <<< "$1"
pattern=${2:-.}
version=v1.61.1 toxiproxy=v2.5.0

mkdir -p out
log=$PWD/out/${SUITE_LOG:-sarama-suite.log}
scratch=$(mktemp -d -t sarama-suite.XXXXXX)
proxy=
trap '[ -z "$proxy" ] || kill "$proxy"; chmod -R u+w "$scratch"; rm -rf "$scratch"' EXIT
GOBIN=$scratch go install "github.com/Shopify/toxiproxy/v2/cmd/server@$toxiproxy" > "$scratch/install.out" 2>&1 || { cat "$scratch/install.out" >&2; exit 1; }
dir=$(cd "$scratch" && go mod init suite > /dev/null 2>&1 && go mod download -json "github.com/IBM/sarama@$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
cp -r "$dir" "$scratch/sarama"
chmod -R u+w "$scratch/sarama"

config='['
for i in 1 2 3 4 5; do
  config+="{\"name\":\"kafka$i\",\"listen\":\"127.0.0.1:2909$i\",\"upstream\":\"${upstreams[$(((i - 1) % ${#upstreams[@]}))]}\",\"enabled\":true},"
done
echo "${config%,}]" > "$scratch/proxies.json"
"$scratch/server" -config "$scratch/proxies.json" > "$scratch/proxy.out" 2>&1 &
proxy=$!
for _ in $(seq 100); do
  if (exec 3<> /dev/tcp/127.0.0.1/29095) 2> /dev/null; then break; fi
  kill -0 "$proxy" || { cat "$scratch/proxy.out" >&2; proxy=; exit 1; }
  sleep 0.1
done

status=0
cd "$scratch/sarama"
TOXIPROXY_ADDR=http://127.0.0.1:8474 KAFKA_VERSION=4.1.0 go test -count=1 -tags functional -timeout "${SUITE_TIMEOUT:-20m}" -v \
  -run "$pattern" -skip '^TestConsumerFetchFollowerFailover$' . > "$log" 2>&1 || status=$?
count() { grep -cE "^--- $1: " "$log" || true; }
printf 'Sarama %s against %s: %s passed, %s failed, %s skipped\n' "$version" "$1" "$(count PASS)" "$(count FAIL)" "$(count SKIP)"
grep -E '^--- (FAIL|SKIP): ' "$log" || true
grep -E '^(panic:|FAIL|ok )' "$log" | tail -n 3
[ "$(count PASS)" -gt 0 ] || { tail -n 20 "$log"; exit 1; }
exit "$status"
