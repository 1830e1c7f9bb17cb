#!/usr/bin/env bash
# What must hold before a commit, in the order in which it is quick to say no:
# format, scripts, import rule, vet, generated files, the linters at their pinned version.
# scripts/check.sh lint runs the last alone.
set -euo pipefail
cd "$(dirname "$0")/.."

# As in make build, so that what that has compiled is not compiled again.
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -trimpath"

version=v2.15.0 # golangci-lint

lint() {
  local linter=.cache/bin/golangci-lint-$version
  if [ ! -x "$linter" ]; then
    echo "installing golangci-lint $version into .cache/bin (about two minutes, once)"
    mkdir -p .cache/bin
    GOBIN="$PWD/.cache/bin" go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$version"
    mv .cache/bin/golangci-lint "$linter"
  fi
  "$linter" run ./...
}

if [ "${1:-}" = lint ]; then
  lint
  exit
fi

echo "== gofmt"
files=$(find . -name '*.go' -not -path './.cache/*' -not -path '*/node_modules/*' -print0 | xargs -0 gofmt -l)
if [ -n "$files" ]; then
  printf '%s\n' "$files" "These files are not formatted; run: gofmt -w FILE"
  exit 1
fi

echo "== scripts and compose files"
for script in scripts/*.sh .ci/run deploy/docker/*.sh; do
  bash -n "$script"
done
if docker compose version >/dev/null 2>&1; then
  for file in deploy/docker/docker-compose*.yml; do
    docker compose -f "$file" config -q
  done
fi

echo "== rooms (who may import whom, and which room holds which power)"
go test ./rooms_test.go # alone, so that it also speaks while the rest does not build

echo "== go vet"
go vet ./...

echo "== generated files"
for folder in $(grep -rlE --include='*_test.go' 'flag\.Bool\("update"' . | xargs -r -n1 dirname | sort -u); do
  go test "$folder" -run Golden || {
    echo "Generated files are out of date; run: make docs"
    exit 1
  }
done

echo "== golangci-lint $version"
lint
