#!/usr/bin/env bash
# Brings the database of the present settings to this version's schema:
# scripts/migrate.sh [--status | --dry-run]
set -euo pipefail
cd "$(dirname "$0")/.."
make -s build
exec bin/keystone migrate "$@"
