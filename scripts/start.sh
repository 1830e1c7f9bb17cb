#!/usr/bin/env bash
# Builds Keystone if needed and serves: scripts/start.sh [arguments of keystone serve]
set -euo pipefail
cd "$(dirname "$0")/.."
make -s build
exec bin/keystone serve "$@"
