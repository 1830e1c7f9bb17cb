# Keystone. `make help` lists the targets; Go alone is enough for run and build.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)

.DEFAULT_GOAL := help
.PHONY: help run build test cover check lint bench fuzz docs clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F'\t' '{ printf "  make %-8s %s\n", $$1, $$2 }'

run: build ## build and serve (SQLite under ./keystone-data, http://127.0.0.1:8000)
	@exec bin/keystone serve

build: ## bin/keystone, one static binary
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/keystone ./cmd/keystone

test: ## all tests with the race detector, on SQLite and PostgreSQL, memory and Redis
	scripts/test.sh

cover: ## the same, and coverage of internal/... (at least 80 %)
	COVER=1 scripts/test.sh

check: ## format, import rule, vet, generated files, linters
	scripts/check.sh

lint: ## the linters alone
	scripts/check.sh lint

bench: ## the load programs, each row beside the same machine's limit (ARGS=-short)
	scripts/bench.sh $(ARGS)

fuzz: ## every fuzz target for FUZZTIME (10s)
	scripts/fuzz.sh

docs: ## write the generated files again
	scripts/docs.sh

clean: ## remove what was built and measured
	rm -rf bin coverage.out
