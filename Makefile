# `make` lists the commands. CI and people call the same ones.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STACK ?= embedded
INPUT ?=
LIMIT ?=
SEED ?=
RUNS ?=
QUESTION ?=
AREA ?=
MODULE ?=

.PHONY: help demo test test-clients test-newer-broker test-fast acceptance-long simulate explore mutants bench bench-flow check check-style check-types check-imports format dev up down status constraints api-docs build clean

help: ## List the commands
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/relay: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; name one with PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.dev: $(BIN)/relay pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check "pip>=25.1"
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --group dev
	@touch $@

demo: $(BIN)/relay ## The main job from end to end (STACK=real, INPUT=FILE.csv, LIMIT=, SEED=)
ifeq ($(STACK),real)
	$(PYTHON) infra/local up
endif
	$(BIN)/relay demo --stack $(STACK) $(if $(INPUT),--input $(INPUT)) $(if $(LIMIT),--limit $(LIMIT)) $(if $(SEED),--seed $(SEED))

dev: $(VENV)/.dev ## Everything a contributor needs, in .venv

up: ## Start DynamoDB Local, RabbitMQ and Elasticsearch, and write .local/env
	$(PYTHON) infra/local up

down: ## Stop the servers that `make up` started
	$(PYTHON) infra/local down

status: ## Show the servers that `make up` started
	@$(PYTHON) infra/local status || [ $$? -eq 1 ]  # 1: not all are up, which it has said

check: $(VENV)/.dev ## Formatting, lint, types and import contracts
	@$(MAKE) --no-print-directory -j2 check-types check-style check-imports

check-style: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

check-types: $(VENV)/.dev
	$(BIN)/mypy

check-imports: $(VENV)/.dev
	$(BIN)/lint-imports

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

test: check ## All checks and tests; installs and starts the real servers
	$(BIN)/python -m tests

acceptance-long: $(VENV)/.dev ## The long versions of the acceptance tests (20,000 lines, 40 kills, outages of a minute)
	$(PYTHON) infra/local up
	CRASH_TEST_LINES=20000 CRASH_TEST_KILLS=40 RELAY_TEST_LONG=1 ACCEPTANCE_REPORT=.local/acceptance-long.jsonl \
	  $(BIN)/pytest -m acceptance tests/acceptance

simulate: $(VENV)/.dev ## Simulate a world that misbehaves (SEED=, RUNS=), then every planted bug
	$(BIN)/python -m tests.simulation --runs $(or $(RUNS),200) --seed $(or $(SEED),0)
	$(BIN)/python -m tests.simulation --planted all

explore: $(VENV)/.dev ## Every order of the steps of small cases, larger ones than tests take (AREA=)
	$(BIN)/python -m tests.exhaustive $(AREA)

mutants: $(VENV)/.dev ## Change the modules that decide, and see a test of theirs fail (MODULE=)
	$(BIN)/python -m tests.mutants $(MODULE)

bench: $(VENV)/.dev ## Two-item transactions a second of the in-memory DynamoDB; stated, not gated
	$(BIN)/python -m tests.bench.in_memory_dynamodb

bench-flow: $(VENV)/.dev ## Standstills of delivery against their bounds, 8 min (QUESTION=loss, …)
	@failed=0; for each in $(or $(QUESTION),loss progress hot released refusing side sources handover); do \
	  $(BIN)/python -m tests.bench.flow.$$each || failed=1; echo; done; exit $$failed

test-clients: $(VENV)/.dev ## Consumers in Go, Node, Java and Python read what the relay sends; installs their client libraries
	$(PYTHON) infra/local up --only rabbitmq
	TEST_CLIENTS=1 $(BIN)/pytest tests/clients

test-newer-broker: $(VENV)/.dev ## The tests of the bus on RabbitMQ 4, unpacked from a later Debian; needs root
	$(PYTHON) infra/newer_rabbitmq $(BIN)/pytest tests/contract/destinations/test_bus_contract.py \
	  tests/contract/destinations/test_session_contract.py tests/contract/destinations/test_destination_contract.py \
	  tests/integration/destinations

test-fast: $(VENV)/.dev ## The tests that need no servers
	$(BIN)/python -m tests "without servers"

constraints: $(VENV)/.dev ## Write constraints.txt anew from what is installed
	@{ echo "# The versions that are tested together: names and versions only. \`make constraints\` writes it anew."; \
	  $(BIN)/pip freeze --exclude-editable | grep -vE '^(pip|setuptools)=='; } > constraints.txt.new
	mv constraints.txt.new constraints.txt

api-docs: $(VENV)/.dev ## Write docs/reference/api and modules.md from the docstrings
	$(BIN)/python -m tests.tidy.api_pages
	$(BIN)/python -m tests.tidy.module_page

build: $(VENV)/.dev ## Wheel and sdist in dist/
	$(BIN)/python -m build --outdir dist

clean: ## Remove what was built and cached; servers and .venv stay
	rm -rf dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
