#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetches the official SDK for JavaScript, which berth's client library is compared with, by the npm that is here: the exact
# versions of tests/e2e/sdk/package-lock.json, unpacked into the folder and not installed; none of their scripts is run.
# usage: peers_sdk.sh FOLDER: leaves FOLDER/sdk/node_modules, or says why not and exits 1.
set -u
from=$(cd "$(dirname "$0")/e2e/sdk" && pwd)
mkdir -p "$1/sdk" || exit 1
folder=$(cd "$1/sdk" && pwd)
say() { echo "peers_sdk.sh: $1; not fetched: the official SDK" >&2; exit 1; }
cmp -s "$from/package-lock.json" "$folder/fetched-lock.json" && exit 0
command -v node >/dev/null && command -v npm >/dev/null || say "node and npm are not installed"
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] || say "the SDK needs node 20 or newer, and this is $(node --version)"

printf '==> Fetching peers: the official SDK\n' >&2
cp "$from/package.json" "$from/package-lock.json" "$folder/"
(cd "$folder" && timeout 300 npm ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error >npm.log 2>&1) ||
  say "npm failed: $(tail -n 1 "$folder/npm.log")"
cp "$from/package-lock.json" "$folder/fetched-lock.json"
