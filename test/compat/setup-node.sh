#!/usr/bin/env bash
# Installs on Debian the Kafka clients for Node that TestNode uses, into node/node_modules, and does nothing that is done already.
# confluent-kafka-javascript is compiled with the librdkafka that it brings along, which takes ten minutes.
set -euo pipefail
cd "$(dirname "$0")/node"

packages=()
command -v node > /dev/null || packages+=(nodejs)
command -v npm > /dev/null || packages+=(npm) # a Node that is not Debian's brings its own
command -v make > /dev/null || packages+=(make)
command -v g++ > /dev/null || packages+=(g++)
command -v python3 > /dev/null || packages+=(python3)
for package in pkg-config zlib1g-dev libssl-dev libzstd-dev libcurl4-openssl-dev libsasl2-dev; do
  dpkg -s "$package" > /dev/null 2>&1 || packages+=("$package")
done
if [ ${#packages[@]} -gt 0 ]; then
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi

[ ! -e /usr/include/node/node.h ] || export npm_config_nodedir=/usr # a Node that brought its headers need not fetch them
npm install --no-package-lock --ignore-scripts
cd node_modules/@confluentinc/kafka-javascript
[ -e build/Release ] || CKJS_LINKING=dynamic ../../.bin/node-pre-gyp install --fallback-to-build
