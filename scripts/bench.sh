#!/usr/bin/env bash
# Measures Keystone beside the bare limits of this machine and prints the table:
# scripts/bench.sh [-short | -full] [-only REGEXP] [-o FILE]. Builds what it
# measures; PostgreSQL comes from TEST_POSTGRES_URL or is set up and removed.
set -euo pipefail
cd "$(dirname "$0")/.."

make -s build
mkdir -p .cache/bin
go build -o .cache/bin/bench ./bench

. scripts/services.sh
services_durable=1
services_start
.cache/bin/bench -server bin/keystone "$@"
