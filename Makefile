# Two commands for a fresh machine: `make demo` and `make test`. `make check` is the quick loop.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SEVERAL := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

.PHONY: demo test check setup lint ground bench pages clean

ifdef CORE  # make test CORE=python: the tests on this core, rather than on the one that `auto` chooses
export OTEL_PYTHON_LOOPSCOPE_CORE := $(CORE)
endif

demo: setup  ## run two small programs with loopscope on, without any server, and draw and tell what they did
	$(BIN)/loopscope demo

# What is marked `alone` wants the machine for itself. What fails is run once more by itself: on a busy machine threads
# come late. All runs are shown; twice red is red.
test: setup lint ground  ## run everything, against the real parts
	{ $(SEVERAL) tests -m "not alone"; several=$$?; $(BIN)/python -m pytest tests -m alone && test $$several -eq 0; } || \
	$(BIN)/python -m pytest tests --last-failed --last-failed-no-failures none

check: setup lint  ## the quick loop: no servers, no other Pythons, no CPython suite
	$(SEVERAL) tests/unit tests/property tests/scenarios tests/views tests/cli -x -q

lint: setup
	$(BIN)/ruff check src tests examples
	$(BIN)/ruff format --check src tests examples
	$(BIN)/mypy
	$(BIN)/lint-imports

ground: setup  ## the real Jaeger and the Pythons that this machine lacks: built once, outside of the repository
	$(BIN)/python -m tests.ground

bench: setup  ## what it costs beside what others do: a table, tests/benchmarks/costs.json, a picture
	$(BIN)/uv pip install -q --python $(BIN)/python --group bench
	$(BIN)/python -m tests.benchmarks

pages: setup  ## write CONVENTIONS.md anew, of the code, and deploy/scale/SIZING.md, of measured figures
	$(BIN)/python -m tests.stack.conventions_page
	$(BIN)/python -m tests.stack.sizing_page

setup: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml $(wildcard src/native/*)
	$(PYTHON) -c 'import sys; sys.exit("loopscope needs Python 3.10 or later, $(PYTHON) is " + sys.version.split()[0] if sys.version_info < (3, 10) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --upgrade 'pip>=25.1' uv
	$(BIN)/uv pip install -q --python $(BIN)/python --group dev -e .
	touch $@

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
