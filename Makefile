# make setup once; then `. .venv/bin/activate`, or the targets below, which use the environment by themselves.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup sweep check test results bench bench-gpu drill pretrain

setup: .venv/.done

.venv/.done: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mgcl needs Python 3.11 or newer: make setup PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[all,dev]'
	touch $@

# From sounds to a report: generated soundscapes, the tiny backbone, every published variant and baseline.
sweep: setup
	$(BIN)/python sweeps/full_grid.py

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q -n auto --dist loadfile --no-loadscope-reorder $$(grep -rl '>>> ' --include='*.py' mgcl) tests/unit tests/numerics tests/contracts

# Shapes are checked in `make check`, where every method, backbone and solver runs.
test: check
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --jaxtyping-packages= tests/end_to_end tests/integration tests/field

# The tables and figures of README.md and docs/, from the committed reports.
results: setup
	$(BIN)/python docs/results.py

bench: setup
	mkdir -p .mgcl
	$(BIN)/pytest tests/benchmarks --benchmark-only -p no:warnings -o addopts= --benchmark-json .mgcl/benchmarks.json
	PYTHONPATH=. $(BIN)/python tests/benchmarks/report.py .mgcl/benchmarks.json reports/benchmarks.md

# The same work on a GPU beside the CPU: its section of reports/benchmarks.md.
bench-gpu: setup
	PYTHONPATH=. $(BIN)/python tests/benchmarks/gpu.py reports/benchmarks.md

# 200 trials on three nodes of this machine, while workers, nodes, the driver and its shell are killed; ten minutes.
drill: setup
	$(BIN)/python tests/integration/drill.py

# The tiny backbone's weights again, from nothing, and what each part of its objective is worth; it may be stopped.
pretrain: setup
	$(BIN)/mgcl pretrain --out .mgcl/weights
	$(BIN)/python sweeps/pretraining.py
