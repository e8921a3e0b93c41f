# Set-up and the verbs that a newcomer needs; everything else is `mirrorforce --help`.
# What is done once leaves a stamp in .venv, so that a second run takes no time.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help setup engine image up demo check test test-estate lint types down distclean lock reference

ENV ?= lab
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The lab makes namespaces and mounts, so it and its caches belong to root.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
# sudo resets the environment; these are taken along.
KEPT := PATH MIRRORFORCE_HOME MIRRORFORCE_CACHE MIRRORFORCE_PULUMI_SOURCE TF_PLUGIN_CACHE_DIR
AS_ROOT = $(if $(SUDO),$(SUDO) env $(foreach name,$(KEPT),$(if $($(name)),$(name)='$($(name))')))
export PATH := $(CURDIR)/$(BIN):$(PATH)

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.system engine ## system packages, virtual environment from the lock file, Pulumi engine

image: setup ## the image of lab hosts, once per list of packages
	@$(AS_ROOT) $(BIN)/python -c 'from mirrorforce.lab import image, packages; \
		print(image.ensure(packages.declared(), lambda text: print("image ", text, flush=True)))'

up: setup ## set up everything and stand the estate up (ENV=lab), or bring it back to what its file says
	@$(BIN)/mirrorforce up $(ENV)

demo: setup ## show a failover: load, the loss of a coast, what was kept
	@$(BIN)/mirrorforce demo $(ENV)

check: lint types test-unit ## lint, types, unit and program tests: quick

test: setup $(VENV)/.dev lint lint-roles lint-workflows types models ## everything: lint, types, the failover model, unit, program, AWS on moto, and the lab end to end, on estates of its own
	@$(AS_ROOT) $(BIN)/pytest --numprocesses auto tests/unit tests/program
	@$(AS_ROOT) env MIRRORFORCE_ZOO=$(ZOO) $(BIN)/pytest $(BY_FILE) tests/aws
	@$(AS_ROOT) env MIRRORFORCE_ZOO=$(ZOO) $(BIN)/pytest tests/lab

# Each file of tests on the emulated AWS has an account of its own, and much of it is waiting.
BY_FILE := --numprocesses 2 --dist loadfile

# Which drifts are made on purpose: a handful, or all.
ZOO ?= handful

.PHONY: test-all test-zoo
test-all: ## as test, with every drift that is made on purpose, on hosts and on the emulated AWS
	@$(MAKE) test ZOO=all

test-zoo: setup $(VENV)/.dev ## drifts made on purpose, on an estate of their own: found, mended (ZOO=all for all of them)
	@$(AS_ROOT) env MIRRORFORCE_ZOO=$(ZOO) $(BIN)/pytest tests/lab/test_drift_zoo.py

test-estate: setup $(VENV)/.dev ## the estate's end-to-end test alone: up, lose a coast under load, come home, mend, down
	@$(AS_ROOT) $(BIN)/pytest tests/lab/test_estate_end_to_end.py

.PHONY: models
models: $(VENV)/.dev $(VENV)/.checkers ## search the failover protocol's model: the rules hold, and each is needed
	@$(BIN)/pytest --quiet --numprocesses 2 --dist worksteal tests/models

.PHONY: schedules
schedules: $(VENV)/.dev ## search the simulated cell anew for what loses a row when a failover rule is broken
	@$(BIN)/python -m tests.simulated.search

# A model checker, and the compiler of what it writes.
$(VENV)/.checkers: | $(VENV)/bin/python
	@command -v spin >/dev/null && command -v cc >/dev/null || { \
		$(SUDO) apt-get update -q && $(SUDO) env DEBIAN_FRONTEND=noninteractive \
			apt-get install -q -y --no-install-recommends spin gcc libc6-dev; }
	@touch $@

lint: $(VENV)/.dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .

types: $(VENV)/.dev
	@$(BIN)/mypy

.PHONY: lint-roles lint-workflows test-unit test-aws test-lab ci-local
lint-roles: $(VENV)/.dev
	@PATH="$(CURDIR)/$(BIN):$$PATH" ANSIBLE_INVENTORY=localhost, ANSIBLE_INVENTORY_ENABLED=host_list,script,auto,yaml,ini $(BIN)/ansible-lint --offline

lint-workflows: $(VENV)/.run $(VENV)/.shellcheck
	@$(AS_ROOT) $(BIN)/python -m toolchain.setup_actionlint
	@$$($(AS_ROOT) $(BIN)/python -m toolchain.setup_actionlint where)

test-unit: $(VENV)/.dev
	@$(BIN)/pytest --quiet --numprocesses auto tests/unit tests/program

test-aws: setup $(VENV)/.dev
	@$(AS_ROOT) env MIRRORFORCE_ZOO=$(ZOO) $(BIN)/pytest $(BY_FILE) tests/aws

test-lab: setup $(VENV)/.dev
	@$(AS_ROOT) env MIRRORFORCE_ZOO=$(ZOO) $(BIN)/pytest tests/lab

JOBS ?= ci
ci-local: $(VENV)/.run ## run the steps of CI here, without GitHub (JOBS=ci/check, preview …)
	@$(BIN)/python -m toolchain.ci_local $(JOBS)

# Scripts in steps of workflows.
$(VENV)/.shellcheck: | $(VENV)/bin/python
	@command -v shellcheck >/dev/null || { \
		$(SUDO) apt-get update -q && $(SUDO) env DEBIAN_FRONTEND=noninteractive \
			apt-get install -q -y --no-install-recommends shellcheck; }
	@touch $@

down: $(VENV)/.run ## take the estate down whole (ENV=lab); the named caches stay
	@$(BIN)/mirrorforce down $(ENV)

distclean: ## remove the caches (engine, image, Go) and the virtual environment; not an estate that is up
	@$(if $(wildcard $(VENV)/.run),$(AS_ROOT) $(BIN)/python -m toolchain.remove_caches)
	@$(SUDO) rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .ansible
	@$(SUDO) find . -name __pycache__ -type d -prune -exec rm -rf {} +

reference: $(VENV)/.dev ## write the pages of docs/reference anew that are made of the code
	@$(BIN)/python -m toolchain.reference

engine: $(VENV)/.run
	@$(AS_ROOT) $(BIN)/python -m toolchain.setup_engine
	@$(AS_ROOT) $(BIN)/python -m toolchain.setup_aws_provider

lock: $(VENV)/.dev ## pin every package below those of pyproject.toml, with hashes (needs uv)
	uv pip compile --quiet $(LOCK_OPTIONS) pyproject.toml --group build -o requirements.txt
	uv pip compile --quiet $(LOCK_OPTIONS) pyproject.toml --group build --group dev \
		-c requirements.txt -o requirements-dev.txt

LOCK_OPTIONS := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header

# Debian packages: only those whose tools are missing are installed.
$(VENV)/.system: mirrorforce/lab/requirements.py | $(VENV)/.run
	@missing=$$($(BIN)/python -c 'from mirrorforce.lab import requirements as r; print(*r.missing_packages())') \
	&& if [ -n "$$missing" ]; then \
		echo "system packages: $$missing"; \
		$(SUDO) apt-get update -q && $(SUDO) env DEBIAN_FRONTEND=noninteractive \
			apt-get install -q -y --no-install-recommends $$missing; \
	fi
	@touch $@

$(VENV)/.run: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "packages that run: requirements.txt"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.txt | $(VENV)/.run
	@echo "packages that check: requirements-dev.txt"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
		  echo "  next: make PYTHON=/path/to/a/newer/python3 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ $(SUDO) apt-get update -q && $(SUDO) apt-get install -q -y --no-install-recommends python3-venv; }
	@$(PYTHON) -m venv $(VENV)
