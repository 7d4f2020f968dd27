#!/usr/bin/env bash
# Installs on Debian the Kafka clients for Node that TestNode uses, into node/node_modules. confluent-kafka-javascript is compiled with
# the librdkafka that it brings along, which takes ten minutes.
set -euo pipefail
cd "$(dirname "$0")/node"
as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo)
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends nodejs npm make g++ python3 pkg-config \
  zlib1g-dev libssl-dev libzstd-dev libcurl4-openssl-dev libsasl2-dev
npm install --no-package-lock --ignore-scripts
cd node_modules/@confluentinc/kafka-javascript
[ -e build/Release ] || CKJS_LINKING=dynamic ../../.bin/node-pre-gyp install --fallback-to-build
