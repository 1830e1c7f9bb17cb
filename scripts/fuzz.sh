#!/usr/bin/env bash
# Runs every fuzz target for a while: FUZZTIME=30s scripts/fuzz.sh [packages]
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- ./...
for package in $(go list "$@"); do
  folder=$(go list -f '{{.Dir}}' "$package")
  for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$folder"/*_test.go 2>/dev/null | cut -d' ' -f2 | sort -u); do
    echo "== $package $target"
    go test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-10s}"
  done
done
