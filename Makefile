# make run   analyse the sample notes       make test       everything that is checked on a change
# make lab   open the notebooks             make notebooks  rebuild them from their sources
# make docs  build the site into site/
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13)
BIN := .venv/bin

.PHONY: run test lint unit notebook-tests notebooks docs lab clean

run: .venv/installed
	$(BIN)/clinnlp analyse sample_data/notes.csv --out output
	@echo
	@echo "The report is output/report.html: open it in a browser. The tables are beside it."
	@echo "For the notebooks: make lab"

test: lint unit notebook-tests

lint: .venv/installed-test
	$(BIN)/ruff check src tests notebooks
	$(BIN)/ruff format --check src tests notebooks
	$(BIN)/mypy

unit: .venv/installed-test
	$(BIN)/pytest -n 2 --dist loadfile tests
	$(BIN)/pytest --doctest-modules -q src

notebook-tests: .venv/installed-test
	OMP_NUM_THREADS=1 $(BIN)/pytest --nbval --nbval-current-env -n 2 --dist loadscope notebooks

notebooks: .venv/installed-test
	$(BIN)/python notebooks/build.py

docs: .venv/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "The site is in site/. To see it: $(BIN)/python -m http.server --directory site, then http://localhost:8000"

lab: .venv/installed-notebooks
	$(BIN)/clinnlp lab

clean:
	rm -rf .venv output build dist site

.venv/made:
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.13 is needed, and none was found."; exit 1; }
	$(PYTHON) -m venv --clear .venv
	@touch $@

.venv/installed: .venv/made pyproject.toml
	$(BIN)/python -m pip install -q -e .
	@touch $@

.venv/installed-notebooks: .venv/made pyproject.toml
	$(BIN)/python -m pip install -q -e ".[notebooks]"
	@touch $@

.venv/installed-test: .venv/made pyproject.toml
	$(BIN)/python -m pip install -q -e ".[test]"
	@touch $@ .venv/installed .venv/installed-notebooks .venv/installed-docs

.venv/installed-docs: .venv/made pyproject.toml
	$(BIN)/python -m pip install -q -e ".[docs]"
	@touch $@
