#!/usr/bin/env bash
# Installs on Debian what the tests of this folder use, and does nothing that is done already:
# kcat, strace, PostgreSQL, a Python environment with three Kafka clients (.venv), Java and Maven for Apache Kafka itself (kafka/kafka.sh fetch).
set -euo pipefail
cd "$(dirname "$0")"

retry() { for _ in 1 2 3; do "$@" && return || sleep 10; done; "$@"; } # what comes from other machines

packages=()
command -v kcat > /dev/null || packages+=(kcat)
command -v java > /dev/null || packages+=(default-jre-headless)
command -v mvn > /dev/null || [ -e kafka/lib/.complete ] || packages+=(maven)
command -v python3 > /dev/null && python3 -c 'import ensurepip, venv' 2> /dev/null || packages+=(python3 python3-venv)
# For test/crash: syncs that fail, and a small disk of its own.
command -v strace > /dev/null || packages+=(strace)
command -v mkfs.ext4 > /dev/null || [ -x /sbin/mkfs.ext4 ] || packages+=(e2fsprogs)
command -v mount > /dev/null || packages+=(mount)
# For test/randomsql and test/nexmark: initdb is not on the path where Debian puts it.
command -v initdb > /dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' > /dev/null || packages+=(postgresql)
if [ ${#packages[@]} -gt 0 ]; then
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  locked=(-o DPkg::Lock::Timeout=600) # a new machine may be updating itself
  retry "${as_root[@]}" apt-get "${locked[@]}" update -qq
  export DEBIAN_FRONTEND=noninteractive
  retry "${as_root[@]}" apt-get "${locked[@]}" install -y -qq --no-install-recommends "${packages[@]}"
fi

if ! cmp -s python/requirements.txt .venv/requirements.done; then
  rm -rf .venv
  python3 -m venv .venv
  retry .venv/bin/pip install --quiet --disable-pip-version-check -r python/requirements.txt
  cp python/requirements.txt .venv/requirements.done
fi

./kafka/kafka.sh fetch
