#!/usr/bin/env bash
# Asks Apache Kafka Streams under its TopologyTestDriver what it does with cases: one in a line of standard input, the same with
# its expectations in a line of standard output. The first run fetches the jars (Maven) and compiles (Java 17).
#   oracle.sh fetch   only prepares
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

[ -e "$here/lib/.complete" ] || { mvn -B -q -f "$here/pom.xml" package >&2; touch "$here/lib/.complete"; }
if [ ! -e "$here/classes/.complete" ] || [ -n "$(find "$here/oracle" -newer "$here/classes/.complete" -name '*.java')" ]; then
  javac -nowarn -d "$here/classes" -cp "$here/lib/*" "$here"/oracle/*.java >&2
  touch "$here/classes/.complete"
fi
[ "${1:-}" != fetch ] || exit 0

memory=/dev/shm
[ -w "$memory" ] || memory=${TMPDIR:-/tmp}
scratch=$(mktemp -d "$memory/oracle.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx512m -cp "$here/classes:$here/lib/*" oracle.Main "$scratch"
