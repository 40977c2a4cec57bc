# Everything here works without root, on a machine that has Python 3.11 to 3.13 (with venv), make and a package index.
# The environment lives in .venv; stamp files there say what is installed, so nothing is installed twice.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input install
# What PYTHON= overrides: the first of these that runs and has all that we need.
CANDIDATES := python3.13 python3.12 python3.11 python3
# ARGS= goes to the program that a target runs.
ARGS ?=

# The recipes are silent: what a target prints on stdout comes from the program alone (`make demo ARGS=--json`).

.PHONY: help
help: ## Print this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | awk -F '\t' '{ printf "  make %-12s %s\n", $$1, $$2 }'
	@echo
	@echo '  ARGS="..."       passed on, as in: make demo ARGS="--seconds 20 --json"'
	@echo '  PYTHON=/path     the Python to build .venv with (after make clean)'

.PHONY: demo
demo: $(VENV)/.installed-demo ## Run the demonstration: camera to collector, no hardware, no broker
	@$(VENV)/bin/edge-agent demo $(ARGS)

.PHONY: test
test: $(VENV)/.installed-dev ## Run all tests
	@$(PY) -m pytest $(ARGS)

.PHONY: check
check: lint test ## Check format, lint and types, and run all tests

.PHONY: lint
lint: $(VENV)/.installed-dev ## Check format, lint and types
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy

.PHONY: bench
bench: $(VENV)/.installed-demo ## Measure the agent against a plain loop over the same video
	@$(PY) -m bench.pipeline $(ARGS)

.PHONY: bench-quick
bench-quick: $(VENV)/.installed-demo ## The same, shorter: a look, not a claim
	@$(PY) -m bench.pipeline --quick $(ARGS)

.PHONY: evaluate
evaluate: $(VENV)/.installed-dev ## Measure the bundled models on held-out data, and compare with their cards
	@$(PY) -m models.evaluate $(ARGS)

.PHONY: clean
clean: ## Remove .venv, caches and build results
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A .venv that works is kept, whoever made it; a half-made one is made again.
$(VENV)/.created:
	@set -e; \
	if ! $(PY) -m pip --version >/dev/null 2>&1; then \
	  found=; \
	  for candidate in $(or $(PYTHON),$(CANDIDATES)); do \
	    if "$$candidate" -c 'import sys, ctypes, ensurepip, sqlite3, ssl, venv, zlib; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; \
	    then found=$$candidate; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo 'make: no Python 3.11 to 3.13 with venv found (tried: $(or $(PYTHON),$(CANDIDATES))). Install one (Debian: python3-venv), or set PYTHON=/path/to/python3' >&2; \
	    exit 1; \
	  fi; \
	  echo "Creating $(VENV) with $$($$found --version)" >&2; \
	  "$$found" -m venv --clear $(VENV); \
	fi
	@touch $@

$(VENV)/.installed-demo: pyproject.toml $(VENV)/.created
	@echo 'Installing the agent into $(VENV): about 110 MB to download, a minute or two, once' >&2
	@$(PIP) --editable '.[demo]' >&2
	@touch $@

# The tools of development include all that the demo needs.
$(VENV)/.installed-dev: pyproject.toml $(VENV)/.created
	@echo 'Installing the agent and its test tools into $(VENV): about 140 MB to download, a minute or two, once' >&2
	@$(PIP) --editable '.[dev]' >&2
	@touch $(VENV)/.installed-demo $@
