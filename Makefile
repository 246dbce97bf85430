# Everything that is done with this repository. Only Go, git and make are needed; what else is used
# comes through the Go module proxy, at the versions below. `make` alone says what there is.

GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
KUSTOMIZE     := sigs.k8s.io/kustomize/kustomize/v5@v5.8.2
KO            := github.com/google/ko@v0.19.1

# A mirror that is slow once, or another installation that goes on, is waited for.
APT := -o Acquire::Retries=5 -o DPkg::Lock::Timeout=300

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
FUZZTIME ?= 20s
IMAGE    ?= firebreak-io/firebreak
PLATFORM ?= linux/amd64,linux/arm64

ifeq ($(shell command -v go 2>/dev/null),)
$(error Firebreak needs Go 1.26.3 or newer, see https://go.dev/dl/; an older one from 1.21 on fetches it by itself)
endif

# `go run tool@version` ignores this module's go.mod: without this a tool would be built with an older
# Go than the code it reads, and refuse it.
GOVERSION := $(firstword $(shell go env GOVERSION))
TOOL      := GOTOOLCHAIN=$(GOVERSION) GOFLAGS= go run

# Tests below cmd and test start control planes and other processes: one package at a time.
HEAVY := ./cmd/... ./test/...
LIGHT  = $$(go list ./... | grep -Ev '^github.com/firebreak-io/firebreak/(cmd|test)(/|$$)')

.DEFAULT_GOAL := help
.PHONY: help build demo test chromium rules lint bench bench-forest torture fuzz cluster generate install-yaml image clean

help: ## say what there is
	@echo "make TARGET:"; grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 18

build: ## build bin/firebreak
	@echo "building bin/firebreak $(VERSION)"
	@go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o bin/firebreak ./cmd/firebreak

demo: build ## the main job, on a real control plane of its own (the first time it builds one: 6 to 8 minutes on 2 cores)
	@bin/firebreak demo

# The page is tried in a real browser. Where none can be had, those tests say so and are left out.
chromium: ## Debian's Chromium, headless, for the tests of the page, where no browser is installed
	@for b in chromium chromium-browser google-chrome; do if command -v $$b >/dev/null; then echo "the page is tried in $$(command -v $$b)"; exit 0; fi; done; \
	 if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then echo "no Chromium here (Debian: apt-get install chromium): the tests of the page in a browser are left out"; exit 0; fi; \
	 echo "installing Debian's chromium, to try the page in (1 to 2 minutes, once)"; \
	 log=$$(mktemp) && trap 'rm -f "$$log"' EXIT; \
	 { apt-get update -qq $(APT) && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(APT) chromium; } </dev/null >"$$log" 2>&1 || \
	 { tail -n 5 "$$log"; echo "chromium could not be installed: the tests of the page in a browser are left out, or fail in CI"; }

# The two runs differ in how much goes on at once, not in what is tested; each goes on whatever was
# found before, and what both say of each package stands together at the end.
test: chromium ## vet and all tests (the first time it builds a control plane)
	@echo "vetting and testing everything; tests below test/ build a control plane the first time: 6 to 8 minutes on 2 cores"
	@out=$$(mktemp) && trap 'rm -f "$$out"' EXIT && rc=0; set -o pipefail; \
	 go vet ./... || rc=1; \
	 go test -timeout 25m $(LIGHT) 2>&1 | tee -a "$$out" || rc=1; \
	 go test -p 1 -timeout 25m $(HEAVY) 2>&1 | tee -a "$$out" || rc=1; \
	 echo; echo "go test, package by package:"; grep -E '^(ok|FAIL|panic:|--- FAIL)' "$$out"; \
	 if [ $$rc = 0 ]; then echo "PASS"; else echo "FAIL"; fi; exit $$rc
test: SHELL := bash

rules: build ## the tests of the shipped rules and playbooks, and what none of them reaches
	@bin/firebreak test detect/rules playbooks --reach rules

lint: ## vet and golangci-lint, with the rules of .golangci.yml (the first time it builds the linter: 1 to 2 minutes)
	@echo "linting with $(GOLANGCI_LINT)"
	@$(TOOL) $(GOLANGCI_LINT) run ./...
	@echo "vetting test/cluster, a module of its own; the first time this compiles Kubernetes"
	@cd test/cluster && go vet ./...

bench: ## all benchmarks; test/bench/README.md says how to read them
	@go test -run '^$$' -bench . -benchmem -p 1 -timeout 60m ./...

# Scikit-learn is only there to compare with: where it can't be had, what was recorded of it is shown.
bench-forest: ## the anomaly model over labelled tables beside scikit-learn, streams, novelty, poisoning, budget, speed (10 to 20 minutes)
	@/usr/bin/python3 -c 'import sklearn' 2>/dev/null || python3 -c 'import sklearn' 2>/dev/null || { \
	 [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && echo "installing python3-sklearn, to compare with" && apt-get update -qq >/dev/null 2>&1 && apt-get install -qq -y python3-sklearn >/dev/null 2>&1; } || \
	 echo "no python3 with scikit-learn here (Debian: apt-get install python3-sklearn): its recorded figures are shown"
	@set -o pipefail; FIREBREAK_BENCH=1 go test ./detect/forest -count 1 -v -timeout 0 -run 'Test(Tables|Streams|StreamsBeside|Novelty|Poisoning|Speed)$$' | grep --line-buffered -Ev '^=== '
	@FIREBREAK_BENCH=1 go test ./detect/budget -count 1 -v -timeout 0 -run 'TestBudgetUnderDrift$$' | grep -Ev '^=== '
	@go test ./detect/forest -cpu 1 -run '^$$' -bench . -benchmem
bench-forest: SHELL := bash

torture: ## the long sizes of the promises: hours
	@FIREBREAK_TORTURE=1 go test -count 1 -p 1 -v -timeout 12h ./...

fuzz: ## every fuzz target for FUZZTIME (20s) each
	@git ls-files -co --exclude-standard '*_test.go' | grep -v '^test/cluster/' | xargs grep -EHo '^func Fuzz[A-Za-z0-9_]+' | sort | \
	 while IFS=: read -r file target; do \
	   target=$${target#func }; echo "fuzzing $$target of $${file%/*} for $(FUZZTIME)"; \
	   go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "./$${file%/*}" </dev/null || exit 1; \
	 done

cluster: ## a control plane to play with: prints its kubeconfig, stops at ctrl-c
	@go run ./test/controlplane/up

generate: install-yaml ## all generated files
	@go generate ./...

install-yaml: ## deploy/base/rbac.yaml, admission.yaml and deploy/lockouts from `firebreak rbac`, and deploy/install.yaml from deploy/base
	@echo "writing deploy/base/rbac.yaml and admission.yaml, deploy/lockouts, and deploy/install.yaml with $(KUSTOMIZE)"
	@new=$$(mktemp) && trap 'rm -f "$$new"' EXIT && \
	 { echo "# What firebreak rbac prints, put here by make install-yaml."; go run ./cmd/firebreak rbac; } >"$$new" && cat "$$new" >deploy/base/rbac.yaml && \
	 { echo "# What firebreak rbac --admission prints, put here by make install-yaml."; go run ./cmd/firebreak rbac --admission; } >"$$new" && cat "$$new" >deploy/base/admission.yaml && \
	 { echo "# What firebreak rbac --lockouts prints, put here by make install-yaml."; go run ./cmd/firebreak rbac --lockouts; } >"$$new" && cat "$$new" >deploy/lockouts/lockouts.yaml && \
	 { echo "# Made from deploy/base by make install-yaml; change it there."; $(TOOL) $(KUSTOMIZE) build deploy/base; } >"$$new" && cat "$$new" >deploy/install.yaml

image: ## the container image as an OCI layout in dist/image; pushed to KO_DOCKER_REPO if that is set
	@echo "building the image with $(KO)"
	@mkdir -p dist/image
	@VERSION=$(VERSION) KO_DOCKER_REPO=$(or $(KO_DOCKER_REPO),$(IMAGE)) $(TOOL) $(KO) build --bare --platform=$(PLATFORM) --sbom=spdx \
	 --oci-layout-path=dist/image --push=$(if $(KO_DOCKER_REPO),true,false) ./cmd/firebreak

clean: ## remove what was built here; the control plane stays in the user's cache
	@rm -rf bin dist
