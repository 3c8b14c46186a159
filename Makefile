# Every target may be called again: the environment is made anew only when what it needs has changed.
# Paths are relative, so that a checkout may lie in a folder with a space in its name.
.PHONY: demo test docs clean
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed
READY := .venv/ready
# The room that is written to be read has every line and branch tested.
LESSONS := tests/foundations tests/parity
# Two tests at a time with one thread each: measured steadier than one test with two.
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 POLARS_MAX_THREADS=1

demo: $(INSTALLED)
	$(BIN)/glasshouse train example:breast-cancer --effort quick --seed 0
	$(BIN)/glasshouse train example:diabetes --effort quick --seed 0

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2 --dist worksteal --durations 5 $(LESSONS:%=--ignore %)
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2 --dist worksteal -q $(LESSONS) src/glasshouse/foundations \
		--cov glasshouse.foundations --cov-branch --cov-report term-missing:skip-covered --cov-fail-under 100

docs: $(READY)
	$(BIN)/python tests/docs/include.py docs/foundations.md

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "glasshouse needs Python 3.11 or later")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $(INSTALLED)

$(READY): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(READY)
