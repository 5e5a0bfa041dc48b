# The commands of this project. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
FUZZ_CASES ?= 10000
TEST_PROCESSES ?= 2
CHAOS_SECONDS ?= 300
CHAOS_SEED ?= 0
SECURITY_JOBS ?= 100
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup system demo test unit security fuzz chaos check lint types protos bench load image-test fmt clean

help:  ## List the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: system $(STAMP)  ## Set everything up: bubblewrap and a virtual environment

system:
	@sh scripts/install_system_packages.sh

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@echo 'Setting up $(VENV): installing the packages takes a minute or two.'
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: setup  ## Start the servers, upload a program, run it, print its interim results
	@$(BIN)/python scripts/demo.py

test: setup  ## Run every test, in TEST_PROCESSES (2) at a time; a file stays in one
	$(BIN)/pytest --numprocesses $(TEST_PROCESSES) --dist loadfile --durations 25

unit: setup  ## Run the tests that need no server
	$(BIN)/pytest tests/unit

security: setup  ## Run hostile programs and see what they can do: SECURITY_JOBS of them in a row (100)
	SECURITY_JOBS=$(SECURITY_JOBS) $(BIN)/pytest tests/security tests/unit/test_seccomp.py tests/unit/test_verdict.py --durations=10

fuzz: setup $(VENV)/.fuzz  ## Fuzz what reads strangers' bytes: FUZZ_CASES inputs each (10,000)
	@$(BIN)/python tests/fuzz/run.py --cases $(FUZZ_CASES)

$(VENV)/.fuzz: pyproject.toml
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	@touch $@

chaos: setup  ## Kill every process at random for CHAOS_SECONDS (300) while jobs run; CHAOS_SEED (0)
	@cd tests && $(abspath $(BIN))/python -m chaos.run --seconds $(CHAOS_SECONDS) --seed $(CHAOS_SEED)

check: lint types protos-check  ## Lint, types, imports, protos, stubs

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: setup
	$(BIN)/mypy

.PHONY: protos-check
protos-check: setup
	cd protos && buf lint
	$(BIN)/python scripts/generate_stubs.py --check

protos: setup  ## Generate the Python stubs from protos/
	$(BIN)/python scripts/generate_stubs.py

bench: setup  ## Measure, print a table of ratios, write build/bench.json
	@$(BIN)/python tests/benchmarks/bench.py

load: setup  ## Many jobs and watchers at once: rates, delays, memory; LOAD_ROUNDS, LOAD_WATCHERS … (4, 200)
	@$(BIN)/python tests/load/load.py

image-test: setup  ## Execute the Dockerfile's steps in a clean root (as root)
	@command -v debootstrap >/dev/null || test "$$(id -u)" -ne 0 || apt-get install -qq --yes --no-install-recommends debootstrap >/dev/null
	@$(BIN)/python scripts/run_dockerfile.py

fmt: setup  ## Format the code
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

clean:  ## Remove what was built
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
