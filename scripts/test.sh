#!/usr/bin/env bash
# Runs the tests with everything they need: scripts/test.sh [arguments of go test]
#
#   scripts/test.sh                            all packages, with the race detector
#   scripts/test.sh ./internal/store -run X    these arguments instead of ./...
#   COVER=1 scripts/test.sh                    and coverage of internal/..., at least 80 %
#   CI=true scripts/test.sh                    nothing is skipped: what is missing ends the run
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/services.sh

floor=80 # per cent of the statements of internal/...

race=-race
if ! command -v "$(go env CC | cut -d' ' -f1)" >/dev/null; then
  services_apt gcc && services_apt libc6-dev || race=
fi
if [ -z "$race" ] && [ "${CI:-}" = true ]; then
  services_say "no C compiler here and none could be installed; the race detector needs one, and CI=true allows no run without it."
  exit 1
elif [ -z "$race" ]; then
  services_say "no C compiler here: running without the race detector."
else
  export CGO_ENABLED=1 # for the race detector alone; what ships is built without
  # SQLite is C in Go's clothes, with memory and locks of its own: watching each of
  # its accesses takes more time than all else in the tests, and shows nothing of ours.
  # This one package alone: it has no generic code. What others have is linked once for
  # all, and taken from a package that is not watched, it would hide what sync.Map and
  # atomics order, so that races are seen where there are none.
  race="-race -gcflags=modernc.org/sqlite/lib=-race=false"
fi

services_start
services_chromium || services_missing chromium
services_pgbouncer || services_missing pgbouncer
services_haproxy || services_missing haproxy
services_openssl || services_missing openssl

[ $# -gt 0 ] || set -- ./...
flags="$race -timeout 30m"
if [ "${COVER:-}" = 1 ]; then
  flags="$flags -coverprofile=coverage.out -coverpkg=./internal/..."
fi

# In the background, so that a signal reaches it at once through the traps.
# shellcheck disable=SC2086 # several words
go test $flags "$@" &
tests=$!
trap 'kill "$tests" 2>/dev/null; wait "$tests"; exit 130' INT
trap 'kill "$tests" 2>/dev/null; wait "$tests"; exit 143' TERM HUP
wait "$tests"

if [ "${COVER:-}" = 1 ]; then
  total=$(go tool cover -func=coverage.out | awk '/^total:/ { sub("%", "", $NF); print $NF }')
  echo "coverage of internal/...: $total % (at least $floor %)"
  awk -v total="$total" -v floor="$floor" 'BEGIN { exit !(total >= floor) }'
fi
