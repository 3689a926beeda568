# Everything here sets itself up: a Python from 3.11 on, make and PyPI are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_FLAGS ?=
WORKERS ?= auto

.DEFAULT_GOAL := help
.PHONY: help demo test proof lint types bench screenshots clean

help:  ## Show what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /  make \1|/' | column -t -s '|'

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Rayon needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/.core: $(VENV)/.created pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@touch $@

demo: $(VENV)/.core  ## Make a sample catalogue, train on it, evaluate, classify what was not seen
	@$(BIN)/rayon demo $(DEMO_FLAGS)

test: $(VENV)/.dev  ## Run the quick tests (under ten minutes on two cores)
	@$(BIN)/python -m pytest -n $(WORKERS) -m "not proof"

proof: $(VENV)/.dev  ## Run the tests that take longer
	@$(BIN)/python -m pytest -n $(WORKERS) -m proof

lint: $(VENV)/.dev  ## Check style, formatting and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: $(VENV)/.dev  ## Check the types
	@$(BIN)/mypy

bench: $(VENV)/.dev  ## Measure quality and speed on real data; writes bench/results/
	@$(BIN)/python -m bench.run

screenshots: $(VENV)/.dev  ## Take the pictures of the web application for the docs; needs Chromium
	@$(BIN)/python -m docs.screenshots.take

clean:  ## Remove what was made, the virtual environment included
	rm -rf $(VENV) demo bench/results .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
