# `make demo` and `make test` need Python 3.11 or later and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.installed-docs
DATA ?= digits
SCALE ?= small

export OMP_NUM_THREADS ?= 1

.PHONY: demo test test-slow lint bench bench-quick bench-tables bench-intelvae bench-soft-intro bench-disentanglement docs pictures clean

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

$(DOCS_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,docs]'
	touch $@

demo: $(STAMP)
	$(BIN)/python examples/demo.py --data $(DATA) --output demo_output

test: $(STAMP) lint
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal -m "not slow" --durations 10

test-slow: $(STAMP)
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal -m slow --durations 10

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python docs/validate_docstrings.py

bench: $(STAMP)
	$(BIN)/python -m benchmarks.speed
	$(BIN)/python -m benchmarks.digits
	$(BIN)/python -m benchmarks.contract
	$(BIN)/python -m benchmarks.determinism

bench-quick: $(STAMP)
	$(BIN)/python -m benchmarks.run_all --scale quick --fresh

bench-tables: $(STAMP)
	$(BIN)/python -m benchmarks.run_all --table

bench-intelvae: $(STAMP)
	$(BIN)/python -m benchmarks.intelvae.holes --scale $(SCALE)
	$(BIN)/python -m benchmarks.intelvae.clusters --scale $(SCALE)
	$(BIN)/python -m benchmarks.intelvae.proportions --scale $(SCALE)
	$(BIN)/python -m benchmarks.intelvae.generation --scale $(SCALE)
	$(BIN)/python -m benchmarks.intelvae.sparsity --scale $(SCALE)
	$(BIN)/python -m benchmarks.intelvae.hierarchy --scale $(SCALE)

bench-soft-intro: $(STAMP)
	$(BIN)/python -m benchmarks.soft_intro.densities --scale $(SCALE)
	$(BIN)/python -m benchmarks.soft_intro.priors --scale $(SCALE)
	$(BIN)/python -m benchmarks.soft_intro.mappings --scale $(SCALE)
	$(BIN)/python -m benchmarks.soft_intro.mappings --scale $(SCALE) --owner
	$(BIN)/python -m benchmarks.soft_intro.beta_neg --scale $(SCALE)
	$(BIN)/python -m benchmarks.soft_intro.images --scale $(SCALE)
	$(BIN)/python -m benchmarks.soft_intro.speed

bench-disentanglement: $(STAMP)
	$(BIN)/python -m benchmarks.disentanglement.linear --scale $(SCALE)
	$(BIN)/python -m benchmarks.disentanglement.tabular --scale $(SCALE)
	$(BIN)/python -m benchmarks.disentanglement.images --scale $(SCALE)
	$(BIN)/python -m benchmarks.disentanglement.rolinek --scale $(SCALE)

docs: $(DOCS_STAMP)
	rm -rf docs/_build docs/api/generated
	$(BIN)/python -m sphinx -W --keep-going --jobs auto -b html docs docs/_build/html
	BUILT_DOCS=docs/_build/html $(BIN)/python -m pytest tests/test_built_docs.py

pictures: $(STAMP)
	$(BIN)/python docs/make_pictures.py

clean:
	rm -rf $(VENV) docs/_build docs/api/generated demo_output
