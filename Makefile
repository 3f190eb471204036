# make audit: set up and audit the bundled sample with the bundled model.   make test: set up and run the tests.
PYTHON ?= python3
BIN := .venv/bin
# Further arguments for pytest, such as TESTS='-m ""' for the slow tests too or TESTS=tests/test_labels.py for one file.
TESTS ?=

.PHONY: audit test lint clean

audit: .venv/.installed
	$(BIN)/fairfer audit --by gender --by race --by gender,race

# One process per core; a numerical library's own threads would only compete with them.
test: .venv/.tested
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=auto --dist=worksteal $(TESTS)

lint: .venv/.linted
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.installed: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/.tested: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

.venv/.linted: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv
