# Needs Python 3.11 to 3.13, make and git; everything else is set up by what needs it.
PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
# DAGSTER_HOME of `make demo`, `make dev` and `make lab`: Dagster's state, event logs, artifacts and notebooks in one folder.
HOME_FOLDER ?= .home
JOBS ?= auto
# Slow tests wait for daemons and kernels a third of their time: two for each core.
SLOW_JOBS ?= $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 1))')
# Once, and not by each process where bytecode is not written.
COMPILE ?= --compile-bytecode
# The other Pythons that are promised.
PYTHONS ?= $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.1[123].*/bin/python)
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup demo dev lab screenshots test fast pythons check types lint docs sizes bench lock format

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 13

setup: $(VENV)/.ready ## Install everything, by hash, into .venv

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else "ml_assets needs Python 3.11, 3.12 or 3.13; run: make PYTHON=/path/to/python3.11 ...")'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "on Debian: apt-get install python3-venv"; exit 1; }
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes $(COMPILE) requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

demo: setup ## Run the whole loop on three models, without a person, and show the metrics
	$(BIN)/ml-assets demo --home $(HOME_FOLDER)

dev: setup ## Open the Dagster UI on the same state
	$(BIN)/ml-assets dev --home $(HOME_FOLDER)

lab: setup ## Open the notebooks in JupyterLab on the same state
	DAGSTER_HOME="$$($(BIN)/ml-assets home --home $(HOME_FOLDER))" PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/jupyter lab --notebook-dir="$(CURDIR)"

screenshots: setup ## Take the pictures of docs/images of the demo's home, by Chromium
	$(BIN)/python -m tests.browser.screenshots $(HOME_FOLDER)

test: fast ## Run all tests: fast ones first, then the slow real ones
	$(BIN)/python -m pytest -m slow -n $(SLOW_JOBS) tests

fast: setup ## Run the fast tests alone
	$(BIN)/python -m pytest -m "not slow" -n $(JOBS)

pythons: ## Run the fast tests and those of kernels by the other Pythons that are promised and here: pyenv's, or PYTHONS="/path/to/python3.12 ..."
	@test -n "$(strip $(PYTHONS))" || echo "no other Python is here: pyenv has none, and PYTHONS= names none"
	@done=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'); set --; \
	for python in $(PYTHONS); do \
		version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])') || exit 1; \
		case " $$done " in *" $$version "*) continue;; esac; \
		done="$$done $$version"; set -- "$$@" python-$$version "PYTHON_$$version=$$python"; \
	done; \
	test $$# -eq 0 || $(MAKE) --no-print-directory -j -O "$$@" "ENDS=$$(printf '%s\n' $$done | sort -V | sed -n '1p;$$p' | xargs)"

# All at once. The language and the libraries are what differs, not what is computed: a tenth of the drawn examples will do, and
# Pythons between the oldest and the newest, which run all tests, run what hangs on the interpreter most.
BETWEEN := tests/test_definitions.py tests/test_environments.py tests/components tests/models tests/notebooks tests/warm
python-%:
	@echo "Python $*"
	@$(MAKE) --no-print-directory PYTHON=$(PYTHON_$*) VENV=.venvs/$* COMPILE= setup
	.venvs/$*/bin/python -m pytest -m "not slow" -n $(JOBS) --one-in 10 $(if $(filter $*,$(ENDS)),tests ml_assets,$(BETWEEN))
	.venvs/$*/bin/python -m pytest -n $(JOBS) tests/notebooks/kernels/test_provisioner.py

check: types lint docs ## Lint, types, import direction, notebooks in pairs, definitions, links of the documentation

types: setup
	$(BIN)/mypy

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/ml-assets pair --check
	PATH="$(CURDIR)/$(BIN):$$PATH" VIRTUAL_ENV="$(CURDIR)/$(VENV)" $(BIN)/dg check defs

docs: setup ## Build the documentation as a site, into .site; a link that leads nowhere fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

sizes: setup ## Show how large the rooms are
	$(BIN)/python -m tests.support.sizes

bench: setup ## Measure
	$(BIN)/python -m benchmarks

format: setup ## Format the code, and bring each notebook and its .py into step
	$(BIN)/ml-assets pair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/ml-assets pair

lock: setup ## Resolve the newest versions that pyproject.toml allows into requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --all-extras --python-version 3.11 --no-header --no-annotate pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --extra postgres --extra s3 --extra hdfs --constraint requirements.lock --python-version 3.11 --no-header --no-annotate pyproject.toml --output-file deploy/requirements.lock
