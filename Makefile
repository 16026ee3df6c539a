# Hallmark's tasks. `make help` lists them; each does all of its own set-up.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Hundreds of processes start in a run; what they import is compiled once, and kept.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What is installed: uv; what the demo and the clusters need; what the tests need.
UV := $(VENV)/.uv
DEMO_READY := $(VENV)/.demo
READY := $(VENV)/.ready
CLUSTER_NAME ?= demo
SAMPLE ?= 400
SEED ?= 1
N ?= 10000
# The tests of a file share what they train or start, so that they stay in one process.
PARALLEL := -n auto --maxprocesses 4 --dist loadfile
QUICK := -m "not slow"
# Properties are tried with examples drawn at random, and with more of them.
ALL := --hypothesis-profile drawn
LOCKS := shared operator trainer predictor dashboard demo mutants
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header

.PHONY: help demo test test-all cluster-up cluster-down images generate lock format lint verify unit integration e2e bench mutants mutate screenshots clean

help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# An environment without a uv that runs was interrupted while it was made.
$(UV): requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Python 3.11 or later is needed, found {sys.version.split()[0]}: set PYTHON=/path/to/python3.11.")'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "Python's venv module is needed: apt-get install python3-venv." >&2; exit 1; }
	@echo "Setting up $(VENV) ..."
	@$(BIN)/uv --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(DEMO_READY): $(UV) requirements/demo.txt pyproject.toml
	@$(BIN)/python -m tests.dependencies requirements/demo.txt
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps -e .
	@touch $@

$(READY): $(DEMO_READY) requirements/dev.txt
	@$(BIN)/python -m tests.dependencies requirements/dev.txt
	@touch $@

demo: $(DEMO_READY) ## Run the whole story on a real Kubernetes, and leave it up to look at
	@$(BIN)/python -u -m tests.demo

# What `test` and `test-all` run, each with its own choice of tests.
define RUN_TESTS
	@$(BIN)/python -u -m pytest tests/unit $(PARALLEL) $(1)
	@$(BIN)/python -u -m pytest tests/integration $(PARALLEL) $(1)
	@$(BIN)/python -u -m pytest tests/e2e $(1)
	@test -n "$(KEEP)" || $(BIN)/python -u -m tests.cluster down --name test
endef

test: $(READY) ## Run the tests but the slow ones: unit, integration (API server), end to end (KEEP=1 keeps the node)
	$(call RUN_TESTS,$(QUICK))

test-all: $(READY) ## Run all tests, with properties tried at random and longer (KEEP=1 keeps the node)
	$(call RUN_TESTS,$(ALL))

unit: $(READY) ## Run the unit tests but the slow ones
	@$(BIN)/python -m pytest tests/unit $(PARALLEL) $(QUICK)

integration: $(READY) ## Run the tests against a real API server but the slow ones
	@$(BIN)/python -m pytest tests/integration $(PARALLEL) $(QUICK)

e2e: $(READY) ## Run the end-to-end tests but the slow ones on a whole cluster, and keep it
	@$(BIN)/python -u -m pytest tests/e2e $(QUICK)

cluster-up: $(DEMO_READY) ## Start a cluster (CLUSTER_NAME=demo)
	@$(BIN)/python -u -m tests.cluster up --name $(CLUSTER_NAME)

cluster-down: $(DEMO_READY) ## Stop and remove the cluster (CLUSTER_NAME=demo)
	@$(BIN)/python -u -m tests.cluster down --name $(CLUSTER_NAME)

images: $(DEMO_READY) ## Build the images and load them into the cluster
	@$(BIN)/python -u -m tests.cluster images --name $(CLUSTER_NAME)

generate: $(READY) ## Write the generated files: CRDs, admission policies, references, report schema, structs
	@$(BIN)/python -m hallmark.api.crd
	@$(BIN)/python -m hallmark.api.admission
	@$(BIN)/python -m hallmark.api.reference
	@$(BIN)/python -m hallmark.api.report_schema
	@$(BIN)/python -m hallmark.api.struct_source
	@$(BIN)/python -m hallmark.cli.reference

# What a file holds already is kept, so that all locks begin as `dev` and agree with it.
lock: $(READY) ## Pin the dependencies of pyproject.toml anew
	@$(COMPILE) --extra dev pyproject.toml -o requirements/dev.txt
	@for extra in $(LOCKS); do cp requirements/dev.txt requirements/$$extra.txt; \
	  $(COMPILE) --extra $$extra pyproject.toml -o requirements/$$extra.txt; done
	@echo uv | $(COMPILE) - -o requirements/bootstrap.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --extra predictor pyproject.toml \
	  --constraint requirements/predictor.txt --format pylock.toml -o $(VENV)/pylock.toml
	@$(BIN)/python -m hallmark.supply_chain.serving requirements/predictor.txt $(VENV)/pylock.toml

format: $(READY) ## Format the code
	@$(BIN)/ruff check --quiet --fix .; $(BIN)/ruff format .

lint: $(READY) ## Check style, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

verify: generate ## Fail when a generated file is not what its source says
	@git diff --exit-code -- crds manifests docs/reference.md docs/report.schema.json docs/cli.md operator/hallmark/api/structs.py

bench: $(READY) ## Run a benchmark: make bench NAME=<folder of tests/bench>
	@$(BIN)/python -u -m tests.bench.$(NAME)

screenshots: $(READY) ## Take the pictures of the dashboard's pages that the documentation shows
	@$(BIN)/python -u -m tests.browser

mutants: $(READY) requirements/mutants.txt ## Change what decides, and see whether its tests notice (SAMPLE=400, 0: all; SEED=1; ONLY=drift)
	@$(BIN)/python -m tests.dependencies requirements/mutants.txt
	@$(BIN)/python -u -m tests.mutants --sample $(SAMPLE) --seed $(SEED) $(if $(ONLY),--only $(ONLY))

mutate: $(READY) ## Change an exported chain at random, and see whether the verifier finds it (N=10000, SEED=1)
	@$(BIN)/python -u -m tests.mutations --count $(N) --seed $(SEED)

clean: ## Remove the virtual environment and caches
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
