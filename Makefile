# Hallmark's tasks. `make help` lists them; each does all of its own set-up.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CLUSTER_NAME ?= demo
# The tests of a file share what they train or start, so that they stay in one process.
PARALLEL := -n auto --maxprocesses 4 --dist loadfile
LOCKS := operator trainer predictor dev

.PHONY: help demo test cluster-up cluster-down images generate lock format lint verify unit integration e2e bench clean

help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements/bootstrap.txt requirements/dev.txt pyproject.toml
	@echo "Setting up $(VENV) (two minutes the first time) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Python 3.11 or later is needed, found {sys.version.split()[0]}: set PYTHON=/path/to/python3.11.")'
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "Python's venv module is needed: apt-get install python3-venv." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps -e .
	@touch $@

demo: $(READY) ## Run the whole story on a real Kubernetes, and leave it up to look at
	@$(BIN)/python -u -m tests.demo

test: $(READY) ## Run all tests: unit, integration (API server), end to end (KEEP=1 keeps the node)
	@$(BIN)/python -u -m pytest tests/unit $(PARALLEL)
	@$(BIN)/python -u -m pytest tests/integration $(PARALLEL)
	@$(BIN)/python -u -m pytest tests/e2e
	@test -n "$(KEEP)" || $(BIN)/python -u -m tests.cluster down --name test

unit: $(READY) ## Run the unit tests
	@$(BIN)/python -m pytest tests/unit $(PARALLEL)

integration: $(READY) ## Run the tests against a real API server
	@$(BIN)/python -m pytest tests/integration $(PARALLEL)

e2e: $(READY) ## Run the end-to-end tests on a whole cluster, and keep it
	@$(BIN)/python -u -m pytest tests/e2e

cluster-up: $(READY) ## Start a cluster (CLUSTER_NAME=demo)
	@$(BIN)/python -u -m tests.cluster up --name $(CLUSTER_NAME)

cluster-down: $(READY) ## Stop and remove the cluster (CLUSTER_NAME=demo)
	@$(BIN)/python -u -m tests.cluster down --name $(CLUSTER_NAME)

images: $(READY) ## Build the images and load them into the cluster
	@$(BIN)/python -u -m tests.cluster images --name $(CLUSTER_NAME)

generate: $(READY) ## Write the generated files: CRDs, admission policies, reference, report schema
	@$(BIN)/python -m hallmark.api.crd
	@$(BIN)/python -m hallmark.api.admission
	@$(BIN)/python -m hallmark.api.reference
	@$(BIN)/python -m hallmark.api.report_schema

lock: $(READY) ## Pin the dependencies of pyproject.toml anew
	@for extra in $(LOCKS); do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --extra $$extra pyproject.toml -o requirements/$$extra.txt; done
	@echo uv | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header - -o requirements/bootstrap.txt

format: $(READY) ## Format the code
	@$(BIN)/ruff check --quiet --fix .; $(BIN)/ruff format .

lint: $(READY) ## Check style, types and layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

verify: generate ## Fail when a generated file is not what its source says
	@git diff --exit-code -- crds manifests docs/reference.md docs/report.schema.json

bench: $(READY) ## Run a benchmark: make bench NAME=<folder of tests/bench>
	@$(BIN)/python -u -m tests.bench.$(NAME)

clean: ## Remove the virtual environment and caches
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
