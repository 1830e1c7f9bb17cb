#!/usr/bin/env bash
# Writes again what is generated from the code and held by golden tests (the
# route list, the OpenAPI document, docs/API.md, docs/CONFIG.md, .env.example …).
# A package takes part by declaring the flag -update in a test; its golden tests
# have Golden in their names.
set -euo pipefail
cd "$(dirname "$0")/.."
for folder in $(grep -rlE --include='*_test.go' 'flag\.Bool\("update"' . | xargs -r -n1 dirname | sort -u); do
  echo "== $folder"
  go test "$folder" -run Golden -count=1 -update
done
