#!/usr/bin/env bash
# kgo-suite.sh HOST:PORT [REGEXP]: runs franz-go's own tests of its client (github.com/twmb/franz-go/pkg/kgo) unmodified against a
# broker, all of them or those whose names match, and prints how many passed, failed and were skipped. The full output goes to
# out/kgo-suite.log. About three minutes. Exit code 1 if a test failed or none ran.
set -euo pipefail
cd "$(dirname "$0")"
address=$1 pattern=${2:-.}
version=v1.22.2

mkdir -p out
log=$PWD/out/kgo-suite.log
scratch=$(mktemp -d -t kgo-suite.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
go mod init kgosuite > /dev/null 2>&1
retry() { for _ in 1 2 3; do "$@" && return || sleep 10; done; "$@"; } # what comes from other machines
retry go get -t "github.com/twmb/franz-go/pkg/kgo@$version" > get.out 2>&1 || { cat get.out >&2; exit 1; }

status=0
KGO_SEEDS=$address KGO_TEST_RF=1 go test -count=1 -timeout "${KGO_SUITE_TIMEOUT:-15m}" -v -run "$pattern" github.com/twmb/franz-go/pkg/kgo > "$log" 2>&1 || status=$?
count() { grep -cE "^--- $1: " "$log" || true; }
printf 'franz-go %s against %s: %s passed, %s failed, %s skipped\n' "$version" "$address" "$(count PASS)" "$(count FAIL)" "$(count SKIP)"
grep -E '^--- (FAIL|SKIP): ' "$log" || true
grep -E '^(panic:|FAIL|ok )' "$log" | tail -n 3
[ "$(count PASS)" -gt 0 ] || { tail -n 20 "$log"; exit 1; }
exit "$status"
