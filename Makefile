# make setup once; then `. .venv/bin/activate`, or the targets below, which use the environment by themselves.
PYTHON ?= python3
BIN := .venv/bin
GENERATED := .mgcl/banks/generated
BANK ?= $(GENERATED)

.PHONY: setup sweep check test bench

setup: .venv/.done

.venv/.done: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mgcl needs Python 3.11 or newer: make setup PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

# The whole chain on a bank; the generated one, which is the default, is made first if it is not there.
sweep: setup $(filter $(GENERATED),$(BANK))
	$(BIN)/python sweeps/full_grid.py --bank $(BANK) --shots 1 5 --episodes 20 --queries 15

$(GENERATED): | setup
	$(BIN)/python tests/generated_bank.py $@

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q mgcl tests/unit tests/numerics tests/contracts

test: check
	$(BIN)/pytest tests/integration tests/end_to_end

bench: setup
	mkdir -p .mgcl
	$(BIN)/pytest tests/benchmarks --benchmark-only -p no:warnings -o addopts= --benchmark-json .mgcl/benchmarks.json
	$(BIN)/python tests/benchmarks/report.py .mgcl/benchmarks.json reports/benchmarks.md
