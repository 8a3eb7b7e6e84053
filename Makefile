# Needs GNU make and Python 3.11 or later. Every path is relative, so the folder may have any name.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test soak bench check lock clean venv env env-dev env-duckdb2 env-deployed env-peers static quick all-tests duckdb2-tests

PORT ?= 8000
# Processes that run tests side by side.
WORKERS ?= 2
# How often each cell of the benchmark is measured, and which parts; empty is all of them.
ROUNDS ?= 5
ONLY ?=
# The interpreter to make .venv with; empty takes the first of these that is new enough.
PYTHON ?=
PYTHONS := $(or $(PYTHON),python3.13 python3.12 python3.11 python3 python3.14)
# The interpreter of whom the benchmark measures: the system's own where it is new enough, as it is
# built with all optimizations, like that of the image. One that is not takes a quarter more.
MEASURED ?= $(firstword $(wildcard $(addprefix /usr/bin/,python3.13 python3.12 python3.11)) .venv/bin/python)
PY := .venv/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input install
# Pins stay where they are unless told to move: make lock UPGRADE="--upgrade-package duckdb", or --upgrade.
UPGRADE ?=
LOCK := $(PY) -m uv pip compile --quiet $(UPGRADE) --generate-hashes --no-strip-extras --universal --python-version 3.11 \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
say = @printf '\n==> %s\n' "$(1)"

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' Makefile

demo: env ## Make everything ready and serve demo data on 127.0.0.1 (PORT=8000)
	@exec $(PY) -m app demo --port $(PORT)

test: env-dev env-duckdb2 static duckdb2-tests all-tests ## Every check and every test, as CI runs them

soak: env-dev ## Storms, exports of a gigabyte and thousands of random questions (about half an hour)
	@$(PY) -m pytest -s -p no:randomly --soak --timeout 1800 tests/journeys/test_endurance.py tests/journeys/test_trouble.py \
	  tests/journeys/test_exports_served.py tests/journeys/test_rows_oracle.py tests/journeys/test_flood.py \
	  tests/journeys/test_injection.py tests/journeys/test_slow_clients.py tests/journeys/test_openapi_fuzzed.py

bench: env-dev env-deployed env-peers ## Measure against peers on a quiet machine (ROUNDS=1 ONLY="kept range" for a part)
	@$(PY) -m tests.benchmarks --rounds $(ROUNDS) --only "$(ONLY)"

check: env-dev static quick ## Format, lint, types, floors, policy and the quick tests

lock: env-dev ## Pin again what pyproject.toml asks for (UPGRADE=--upgrade for the newest)
	$(LOCK) pyproject.toml --output-file requirements_deployment.txt
	$(LOCK) pyproject.toml --group dev --constraint requirements_deployment.txt --output-file requirements_dev.txt
	$(LOCK) --group pyproject.toml:peers --output-file tests/benchmarks/requirements.txt
	echo 'duckdb>=2,<2.1' | $(LOCK) --no-config --no-deps - --output-file requirements_duckdb2.txt

clean: ## Remove the environment and caches; data/ and .assay/ stay
	rm -rf .venv build dist htmlcov .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find app plugins tests -type d -name __pycache__ -exec rm -rf {} +

static:
	$(call say,format)
	@$(PY) -m ruff format --check
	$(call say,lint)
	@$(PY) -m ruff check
	$(call say,types)
	@$(PY) -m mypy
	$(call say,floors)
	@$(PY) -c 'from importlinter.cli import lint_imports_command as run; run(["--no-logo"])'
	$(call say,policy: no machine learning in what is deployed)
	@$(PY) -m app.policy requirements_deployment.txt Dockerfile

quick:
	$(call say,quick tests)
	@$(PY) -m pytest tests/unit tests/contract -q -m "not slow and not browser" -n $(WORKERS)

# A module stays with one worker as long as it can, and so does what its tests share. The journeys
# are not measured: their many processes would take half as long again.
all-tests:
	$(call say,unit and contract tests)
	@$(PY) -m pytest -n $(WORKERS) --dist worksteal --cov --cov-report=term tests/unit tests/contract
	$(call say,journeys)
	@$(PY) -m pytest -n $(WORKERS) --dist worksteal tests/journeys tests/benchmarks

duckdb2-tests:
	$(call say,engine and query tests on DuckDB 2)
	@PYTHONPATH=.venv/duckdb2 $(PY) -c 'import duckdb; print("DuckDB", duckdb.__version__); assert duckdb.__version__ >= "2"'
	@PYTHONPATH=.venv/duckdb2 $(PY) -m pytest -q -n $(WORKERS) $(or $(wildcard tests/unit/test_engine*.py tests/unit/test_query*.py),tests/unit/test_engine.py)

# A copy of the requirements file is the stamp: the environment is made again when its content changes.
env: venv
	@cmp -s requirements_deployment.txt .venv/.ready-deployment || { \
	  printf '\n==> installing the service (requirements_deployment.txt)\n' && \
	  $(PIP) --require-hashes -r requirements_deployment.txt && \
	  cp requirements_deployment.txt .venv/.ready-deployment; }

env-dev: venv
	@cmp -s requirements_dev.txt .venv/.ready-dev || { \
	  printf '\n==> installing the service and its tools (requirements_dev.txt)\n' && \
	  $(PIP) --require-hashes -r requirements_dev.txt && \
	  cp requirements_dev.txt .venv/.ready-dev; }

env-duckdb2: venv
	@cmp -s requirements_duckdb2.txt .venv/.ready-duckdb2 || { \
	  printf '\n==> installing the second DuckDB line (requirements_duckdb2.txt)\n' && \
	  rm -rf .venv/duckdb2 && \
	  $(PIP) --require-hashes --no-deps --target .venv/duckdb2 -r requirements_duckdb2.txt && \
	  cp requirements_duckdb2.txt .venv/.ready-duckdb2; }

# What is deployed and nothing else: the tools bring libraries that others load where they find them.
env-deployed: venv
	@cmp -s requirements_deployment.txt .venv/.ready-deployed || { \
	  printf '\n==> installing the service by itself (requirements_deployment.txt)\n' && \
	  $(MEASURED) -m venv --clear .venv/deployed && \
	  .venv/deployed/bin/python -m pip --disable-pip-version-check --no-input install \
	    --require-hashes -r requirements_deployment.txt && \
	  cp requirements_deployment.txt .venv/.ready-deployed; }

env-peers: venv
	@cmp -s tests/benchmarks/requirements.txt .venv/.ready-peers || { \
	  printf '\n==> installing the peers (tests/benchmarks/requirements.txt)\n' && \
	  $(MEASURED) -m venv --clear .venv/peers && \
	  .venv/peers/bin/python -m pip --disable-pip-version-check --no-input install \
	    --require-hashes -r tests/benchmarks/requirements.txt && \
	  cp tests/benchmarks/requirements.txt .venv/.ready-peers; }

# Debian keeps ensurepip, which venv needs, in a package of its own.
venv:
	@$(PY) -c 'import pip' 2>/dev/null && exit 0; \
	for name in $(PYTHONS); do \
	  "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && python=$$name && break; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "Assay needs Python 3.11 or later, and none of these is: $(PYTHONS)." >&2; \
	  echo "Install one (Debian: apt-get install python3 python3-venv) or say which: make PYTHON=/path/to/python" >&2; \
	  exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	  package=$$("$$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    printf '\n==> %s is missing, installing it\n' "$$package" && \
	    apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$$package" || exit 1; \
	  else \
	    echo "$$python has no ensurepip. Install it first: sudo apt-get install $$package" >&2; exit 1; \
	  fi; \
	fi; \
	printf '\n==> making .venv with %s (%s)\n' "$$("$$python" --version)" "$$python"; \
	"$$python" -m venv --clear .venv
