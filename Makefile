# Everything here works without root, on a machine that has Python 3.11 to 3.13 (with venv), make and a package index.
# The environment lives in .venv; stamp files there say what is installed, so nothing is installed twice.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
PY := $(VENV)/bin/python
# Where nobody watches, pip's hundred lines are of no use.
PIP := $(PY) -m pip --disable-pip-version-check --no-input install $(if $(MAKE_TERMERR),,--quiet)
UNREACHED := echo 'make: the packages could not be installed. Check the network, or PIP_INDEX_URL; then run it again' >&2
# Those of the system tests that only make and install packages.
PACKAGES := tests/system/test_deb.py tests/system/test_packages.py
# What PYTHON= overrides: the first of these that runs and has all that we need.
CANDIDATES := python3.13 python3.12 python3.11 python3
# Environments beside it: one for each Python that we promise, and one for the second runtime.
PYTHONS := 3.11 3.12 3.13
TFLITE_VENV := .venv-tflite-runtime
# How a source behaves when its device goes does not hang on these: .venv's run has seen it.
CONTRACTS := $(filter-out %_losses.py,$(wildcard tests/contract/test_*.py))
# Filters, gates and commands see no runtime's numbers.
TFLITE_TESTS := $(filter-out %_filters.py %_gates.py %_commands.py,$(CONTRACTS)) tests/unit/backends tests/unit/delegates tests/integration/test_runtimes.py \
  tests/integration/test_real_models.py tests/integration/test_bench.py tests/unit/tuning
# ARGS= goes to the program that a target runs; BENCH= names the benchmarks to run.
ARGS ?=
# How many processes share all tests: more than there are cores, since many tests wait.
JOBS ?= 4
BENCH ?= pipeline store sync swap delivery tune recovery decode tasks motion fleet

# A process that starts reads what another has compiled: where images of containers forbid to keep that, each of the
# hundreds that tests start would compile the agent anew.
unexport PYTHONDONTWRITEBYTECODE

# The recipes are silent: what a target prints on stdout comes from the program alone (`make demo ARGS=--json`).

.PHONY: help
help: ## Print this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | awk -F '\t' '{ printf "  make %-20s %s\n", $$1, $$2 }'
	@echo
	@echo '  ARGS="..."       passed on, as in: make demo ARGS="--seconds 20 --json"'
	@echo '  PYTHON=/path     the Python to build .venv with (after make clean)'

.PHONY: demo
demo: $(VENV)/.installed-demo ## Run the demonstration: camera to collector, no hardware, no broker
	@$(VENV)/bin/edge-agent demo $(ARGS)

.PHONY: test
test: $(VENV)/.installed-dev ## Run all tests, on several processes; with ARGS, some, in one
	@$(PY) -m pytest $(or $(ARGS),-n $(JOBS) --dist loadfile --no-loadscope-reorder)

# The second runtime has an environment of its own: it ends at Python 3.11 and needs numpy 1.
.PHONY: test-tflite-runtime
test-tflite-runtime: $(TFLITE_VENV)/.installed ## Test sources, backends, decoders and delegates with tflite-runtime
	@EDGE_AGENT_TESTS_RUNTIME=tflite-runtime EDGE_AGENT_TESTS_NUMPY_2=$(TFLITE_VENV)/numpy-2 \
	  $(TFLITE_VENV)/bin/python -m pytest $(or $(ARGS),$(TFLITE_TESTS))

.PHONY: test-pythons
test-pythons: $(PYTHONS:%=test-python-%) ## Test sources, backends and decoders on Python 3.11, 3.12 and 3.13

.PHONY: $(PYTHONS:%=test-python-%)
$(PYTHONS:%=test-python-%): test-python-%:
	@if .ci/find-python $* >/dev/null; then \
	  $(MAKE) --silent .venv-$*/.installed && .venv-$*/bin/python -m pytest $(or $(ARGS),$(CONTRACTS)); \
	else \
	  echo 'make: Python $* is left out: none that runs was found, on the PATH or of pyenv' >&2; \
	fi

.PHONY: test-system
test-system: $(VENV)/.installed-dev ## Boot the service under a real systemd; needs root, systemd-container, mmdebstrap, e2fsprogs
	@$(PY) -m pytest -m system $(or $(ARGS),-n $(JOBS) --dist loadfile --no-loadscope-reorder tests/system)

# A part of test-system, which takes no time from others where it runs beside them.
.PHONY: test-packages
test-packages: $(VENV)/.installed-dev ## Install, upgrade and purge the .deb in a clean Debian; needs root, as test-system
	@$(PY) -m tests.system.prepare
	@$(PY) -m pytest -m system $(PACKAGES)

.PHONY: test-arm64
test-arm64: $(VENV)/.installed-dev ## Run the agent on 64-bit ARM, emulated, and a virtual board; needs root, qemu, mmdebstrap
	@$(PY) -m pytest -m arm64 $(or $(ARGS),tests/system)

.PHONY: test-image
test-image: $(VENV)/.installed-dev ## Build the container image and run it, without Docker; needs root, buildah, podman, crun
	@$(PY) -m pytest -m image $(or $(ARGS),tests/system)

.PHONY: test-vm
test-vm: $(VENV)/.installed-dev ## Plug a camera and a sensor into a virtual machine; needs root, qemu-system-x86, mmdebstrap
	@$(PY) -m pytest -m vm $(or $(ARGS),tests/system)

.PHONY: check
check: lint test ## Check format, lint and types, and run all tests

.PHONY: lint
lint: $(VENV)/.installed-dev ## Check format, lint and types
	@$(PY) -m ruff format --check .
	@$(PY) -m ruff check .
	@$(PY) -m mypy

# Each prints a table, or with ARGS=--json a line; all of them run, though one misses its target.
.PHONY: bench
bench: $(VENV)/.installed-demo ## Measure pipeline, store, sync and swap against what one would write otherwise
	@missed=0; for bench in $(BENCH); do $(PY) -m bench.$$bench $(ARGS) || missed=1; done; exit $$missed

.PHONY: bench-quick
bench-quick: $(VENV)/.installed-demo ## The same, shorter: a look, not a claim
	@missed=0; for bench in $(BENCH); do $(PY) -m bench.$$bench --quick $(ARGS) || missed=1; done; exit $$missed

.PHONY: packages
packages: $(VENV)/.installed-dev ## Build wheel, sdist, .deb for arm64 and amd64, and the SBOM into dist
	@$(PY) -m release.packages $(ARGS)

.PHONY: sbom
sbom: $(VENV)/.installed-dev ## Write the list of all that a device's installation holds, as CycloneDX, into dist
	@$(PY) -m release.sbom $(ARGS)

.PHONY: lock
lock: $(VENV)/.installed-dev ## Write anew which releases of other packages, with their hashes, images and .debs take
	@$(PY) -m release.lock $(ARGS)

.PHONY: pages
pages: $(VENV)/.installed-dev ## Write anew what is made of other files: docs/compliance, the catalog of the journal
	@$(PY) -m release.compliance
	@$(PY) -m release.catalog

.PHONY: image
image: ## Build the container image for linux/arm64; needs docker or podman
	@release/image.sh $(ARGS)

.PHONY: evaluate
evaluate: $(VENV)/.installed-dev ## Measure the bundled models on held-out data, and compare with their cards
	@$(PY) -m models.evaluate $(ARGS)

.PHONY: clean
clean: ## Remove the environments, caches and build results
	@rm -rf $(VENV) $(PYTHONS:%=.venv-%) $(TFLITE_VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
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
	@$(PIP) --editable '.[demo]' >&2 || { $(UNREACHED); exit 1; }
	@touch $@

# The tools of development include all that the demo needs.
$(VENV)/.installed-dev: pyproject.toml $(VENV)/.created
	@echo 'Installing the agent and its test tools into $(VENV): about 140 MB to download, a minute or two, once' >&2
	@$(PIP) --editable '.[dev]' >&2 || { $(UNREACHED); exit 1; }
	@touch $(VENV)/.installed-demo $@

# numpy 2 stands beside it, not in it: tests lay it over, to see what a user sees who has both.
$(TFLITE_VENV)/.installed: pyproject.toml
	@set -e; \
	if ! python=$$(.ci/find-python 3.11); then \
	  echo 'make: tflite-runtime needs Python 3.11, and none that runs was found, on the PATH or of pyenv' >&2; exit 1; \
	fi; \
	echo 'Installing the agent and tflite-runtime into $(TFLITE_VENV): about 110 MB to download, once' >&2; \
	"$$python" -m venv --clear $(TFLITE_VENV); \
	install='$(TFLITE_VENV)/bin/python -m pip --disable-pip-version-check --no-input install'; \
	$$install --editable '.[dev,tflite-runtime]' >&2; \
	$$install --no-deps --target $(TFLITE_VENV)/numpy-2 'numpy>=2,<3' >&2
	@touch $@

.venv-%/.installed: pyproject.toml
	@echo 'Installing the agent and its test tools into .venv-$*, once' >&2
	@"$$(.ci/find-python $*)" -m venv --clear .venv-$*
	@.venv-$*/bin/python -m pip --disable-pip-version-check --no-input install --editable '.[dev]' >&2
	@touch $@
