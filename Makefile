# make audit: set up and audit the bundled sample with the bundled model.   make test: set up and run the tests.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: audit test lint clean

audit: .venv/.installed
	$(BIN)/fairfer audit --by gender --by race --by gender,race

test: .venv/.tested
	$(BIN)/python -m pytest

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
