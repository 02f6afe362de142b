GO      ?= go
TOOL    := $(GO) tool -modfile=tools/go.mod
FOLDERS := $(wildcard agent fsm discovery refresh http cmd scripts)

VERSION ?= $(shell git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null || echo dev)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
BIN     ?= bin/muster
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

# The real servers that tests talk to. A path already set is used as it is; else the scripts find or fetch one.
SERVERS := MUSTER_CONSUL=$${MUSTER_CONSUL:-$$(scripts/consul.sh)} && \
	MUSTER_REDIS=$${MUSTER_REDIS:-$$(scripts/redis.sh)} && \
	export MUSTER_CONSUL MUSTER_REDIS && \
	echo "consul: $$MUSTER_CONSUL" && echo "redis-server: $$MUSTER_REDIS"

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  \1	/p' $(MAKEFILE_LIST) | expand -t 17

.PHONY: build
build: ## bin/muster, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o '$(BIN)' ./cmd/muster

.PHONY: deb
deb: build ## a package for Debian in bin/, of this machine's architecture or of GOARCH
	@scripts/packaging/deb.sh '$(VERSION)' '$(BIN)' bin

.PHONY: release
release: ## all that is published of a tagged commit, in dist/: make release VERSION=v1.2.3
	@scripts/packaging/release.sh '$(VERSION)'

.PHONY: check
check: vet format lint star tidy-check race ## all that every commit must pass

.PHONY: vet
vet: ## go vet
	$(GO) vet ./...

.PHONY: format
format: ## fail on files that gofumpt would change
	@echo gofumpt -l $(FOLDERS)
	@files=$$($(TOOL) gofumpt -l $(FOLDERS)) && if [ -n "$$files" ]; then \
		echo "not formatted, run make fmt:"; echo "$$files"; exit 1; fi

.PHONY: lint
lint: ## golangci-lint (about two minutes to build the first time)
	$(TOOL) golangci-lint run

.PHONY: star
star: ## which folder may import what, and what fsm must not do
	$(GO) run ./scripts/star

.PHONY: tidy-check
tidy-check: ## fail if go.mod or go.sum is not tidy
	$(GO) mod tidy -diff

.PHONY: race
race: ## the short tests under the race detector
	@$(SERVERS) && $(GO) test -race -short -timeout 15m ./...

.PHONY: test
test: ## all tests, against real servers, with a report of what ran and what was skipped
	@scripts/servers.sh
	@$(SERVERS) && $(GO) run ./scripts/tally -timeout 15m ./...

.PHONY: demo
demo: build ## three peers and a fleet on this machine
	$(GO) run ./scripts/demo

.PHONY: bench
bench: ## measure, or only what BENCH names: make bench BENCH="-sizes 10k scale"
	$(GO) run ./scripts/bench $(BENCH)

.PHONY: bench-compare
bench-compare: ## Go benchmarks against a commit: make bench-compare BASE=HEAD~5 PKG=./fsm BENCH=Beat
	@scripts/bench/compare.sh $(or $(BASE),HEAD) $(or $(PKG),./...) $(or $(BENCH),.) $(or $(COUNT),6)

.PHONY: chaos
chaos: ## break real groups of three and five for ten minutes each, as root: make chaos CHAOS="-for 1m -seed 7"
	@scripts/servers.sh
	$(GO) run ./scripts/chaos -peers 3 $(or $(CHAOS),-for 10m)
	$(GO) run ./scripts/chaos -peers 5 $(or $(CHAOS),-for 10m)

.PHONY: soak
soak: ## 10,000 simulations and 300 scenarios in virtual time
	$(GO) run ./scripts/sim -seeds 10000 -steps 5000
	MUSTER_SCENARIOS=300 $(GO) test -timeout 2h -v -run 'TestScenarios$$' ./agent

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (30s), or those FUZZ names: make fuzz FUZZTIME=5m FUZZ=Noise
	@GO="$(GO)" scripts/fuzz.sh "$(or $(FUZZTIME),30s)" "$(FUZZ)"

.PHONY: planted
planted: ## plant bugs and see that the tests catch them: make planted PLANTED="-times 1 10 21"
	$(GO) run ./scripts/planted $(PLANTED)

.PHONY: fmt
fmt: ## format with gofumpt
	$(TOOL) gofumpt -w $(FOLDERS)

.PHONY: tidy
tidy: ## go mod tidy, here and in tools
	$(GO) mod tidy
	cd tools && $(GO) mod tidy

.PHONY: clean
clean: ## remove what was built and fetched
	rm -rf bin dist .cache
