# Seraph. `make help` lists the targets. Go, git and make are enough for build, run, sim, demo and test.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
TOOL    := go tool -modfile=.tools/go.mod

# Every program is built with the same flags, so that no package is compiled twice.
BUILD := .ci/with-progress env CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)"

# A file of settings that wins over deploy/example.env; `make run ENV_FILE=deploy/simulator.env` takes another one.
ENV_FILE ?= $(wildcard .env)

FUZZTIME ?= 20000x
BENCH    ?= .

# How long the tests of one package may take. The longest take four minutes, on an idle machine with two cores.
TEST_TIMEOUT := -timeout 40m

# The PostgreSQL of tests does not wait for the disk.
WITH_POSTGRES := SERAPH_TEST_POSTGRES_FSYNC=off .ci/with-postgres

# Every package. The two whose tests mostly wait come first, so that others run beside them.
PACKAGES := ./test/e2e ./test/chaos ./...

.DEFAULT_GOAL := help
.PHONY: help build run sim demo image test hubot judges pictures e2e-postgres check fmt lint vulncheck arch race fuzz \
	bench chaos generate cover clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the static binary bin/seraph
	@$(BUILD) -o bin/seraph ./cmd/seraph

run: build ## run Seraph with deploy/example.env, and over it ENV_FILE (default .env, where there is one)
	@exec bin/seraph serve $(addprefix --env-file ,deploy/example.env $(ENV_FILE))

sim: ## run a simulated GitHub, CircleCI and Slack, for `make run ENV_FILE=deploy/simulator.env`
	@$(BUILD) -o bin/seraph-sim ./cmd/seraph-sim
	@exec bin/seraph-sim

demo: ## show whole deployments and rollbacks on this machine, against a simulated GitHub, CircleCI and Slack
	@$(BUILD) -o bin/ ./cmd/seraph ./test/demo
	@exec bin/demo bin/seraph

image: ## build the container image seraph:latest
	docker build -f deploy/Dockerfile --build-arg VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) -t seraph:latest .

test: ## run every test; those of PostgreSQL where it is installed, on a private server
	@$(WITH_POSTGRES) go test $(TEST_TIMEOUT) $(PACKAGES)

hubot: ## test deploy/hubot: Hubot itself, the program and the simulators; needs Node 20 and npm
	@$(BUILD) -o bin/ ./cmd/seraph ./cmd/seraph-sim
	@.ci/npm-ci deploy/hubot && cd deploy/hubot && npm test

judges: ## let programs that others wrote judge what goes to Slack and GitHub; needs Node 20 and npm
	@.ci/npm-ci $(dir $(wildcard test/judge/*/package.json))
	@CI=true go test -count=1 ./test/judge/...
	@CI=true go test -count=1 -run Bolt ./test/sim/slack

pictures: ## draw deploy/docs/images from the golden files of pkg/slack; needs Chromium
	@$(BUILD) -o bin/ ./test/pictures
	@bin/pictures pkg/slack/testdata/golden deploy/docs/images

check: fmt lint race arch vulncheck ## everything a change must pass
	@$(WITH_POSTGRES) go test $(TEST_TIMEOUT) ./test/chaos

fmt: ## fail where gofmt would change a file
	@files=$$(gofmt -l .); \
	if [ -n "$$files" ]; then echo "run gofmt -w on:"; echo "$$files"; exit 1; fi

lint: ## go vet and staticcheck
	go vet ./...
	$(TOOL) staticcheck ./...

vulncheck: ## look for known vulnerabilities
	@.ci/vulncheck

arch: ## check the import table and the rules of the tree
	go test -count=1 ./test/arch

# Not test/chaos: the programs that it kills and starts are built without the race detector. `make lint` runs vet.
race: ## run every test but test/chaos under the race detector
	@CGO_ENABLED=1 $(WITH_POSTGRES) go test -race -vet=off $(TEST_TIMEOUT) $$(go list $(PACKAGES) | grep -v /test/chaos$$)

e2e-postgres: ## run the end-to-end tests on PostgreSQL; `make test` runs them on SQLite
	@SERAPH_TEST_DATABASE=postgres $(WITH_POSTGRES) go test -vet=off -count=1 $(TEST_TIMEOUT) ./test/e2e

fuzz: ## fuzz each Fuzz target for FUZZTIME, a number of inputs or a time (default 20000x)
	@.ci/fuzz $(FUZZTIME)

bench: ## run the benchmarks that match BENCH (default all)
	@.ci/with-postgres go test $(TEST_TIMEOUT) -run '^$$' -bench '$(BENCH)' -benchmem ./...

# SERAPH_CHAOS_DATABASE is sqlite or postgres; SERAPH_CHAOS_SEED, _DEPLOYMENTS, _ORDERS and _DURATION are numbers and a
# duration.
chaos: ## inject faults of every kind for ten minutes
	@SERAPH_CHAOS_DEPLOYMENTS=$${SERAPH_CHAOS_DEPLOYMENTS:-500} SERAPH_CHAOS_DURATION=$${SERAPH_CHAOS_DURATION:-150s} \
	SERAPH_CHAOS_ORDERS=$${SERAPH_CHAOS_ORDERS:-200} \
	.ci/with-postgres go test -count=1 -v -timeout 40m -run 'TestChaos|TestOrders|TestCards' ./test/chaos

generate: ## regenerate generated files
	go generate ./...

cover: ## write coverage to bin/cover.html and print the total
	@mkdir -p bin
	go test $(TEST_TIMEOUT) -coverpkg=./pkg/... -coverprofile=bin/cover.out ./...
	go tool cover -html=bin/cover.out -o bin/cover.html
	go tool cover -func=bin/cover.out | tail -n 1

clean: ## remove what the targets above made
	rm -rf bin deploy/hubot/node_modules test/judge/*/node_modules
