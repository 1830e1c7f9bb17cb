#!/usr/bin/env bash
# Runs a command with TEST_POSTGRES_URL and TEST_REDIS_URL set, and throwaway
# instances behind them where they were not: scripts/with-services.sh COMMAND…
set -euo pipefail
. "$(dirname "$0")/services.sh"
services_start
"$@"
