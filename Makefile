# Every target does its own set-up: a machine with python 3.11+, git and make is enough.
PYTHON ?= python3
VENV   ?= .venv
RUN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
JOBS   ?= 3

.PHONY: setup demo test check lint types contracts stress mutate bench wheel clean

setup: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "planctl needs Python 3.11 or newer"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@touch $(STAMP)

demo: setup  ## run the example project and say what happened and why
	PATH="$(CURDIR)/$(RUN):$$PATH" $(RUN)/python examples/demo/run_demo.py

test: setup  ## the whole suite, short seeded slices of the campaigns included
	room=$$(sh tests/room.sh) && trap 'chmod -R u+w "$$room"; rm -rf "$$room"' EXIT && \
	PYTEST_DEBUG_TEMPROOT="$$room" $(RUN)/python -m pytest -n $(JOBS) -m "not stress" -q

check: lint types contracts test

lint: setup
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .

types: setup
	$(RUN)/mypy

contracts: setup
	$(RUN)/lint-imports --no-cache

stress: setup  ## the long campaigns: fuzz, crash, differential
	PLANCTL_TESTS_EXEC=1 $(RUN)/python -m pytest -n $(JOBS) -m stress -q -ra

mutate: setup  ## take each guard of the queue out of a copy of the sources: a test must fail
	$(RUN)/python -m tests.mutation $(if $(TABLE),--table $(TABLE)) $(GUARDS)

bench: setup
	$(RUN)/python -m benchmarks --cache .benchmarks

wheel: setup
	$(RUN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) dist .benchmarks .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
