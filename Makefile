# `make demo` and `make test` need Python 3.11 or later and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOCS_STAMP := $(VENV)/.installed-docs
DATA ?= digits
SCALE ?= small

export OMP_NUM_THREADS ?= 1

.PHONY: demo test lint bench bench-intelvae bench-soft-intro bench-disentanglement docs pictures clean

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
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/digits.py
	$(BIN)/python benchmarks/contract.py
	$(BIN)/python benchmarks/determinism.py

bench-intelvae: $(STAMP)
	$(BIN)/python benchmarks/intelvae/holes.py --scale $(SCALE)
	$(BIN)/python benchmarks/intelvae/clusters.py --scale $(SCALE)
	$(BIN)/python benchmarks/intelvae/proportions.py --scale $(SCALE)
	$(BIN)/python benchmarks/intelvae/generation.py --scale $(SCALE)
	$(BIN)/python benchmarks/intelvae/sparsity.py --scale $(SCALE)
	$(BIN)/python benchmarks/intelvae/hierarchy.py --scale $(SCALE)

bench-soft-intro: $(STAMP)
	$(BIN)/python benchmarks/soft_intro/densities.py --scale $(SCALE)
	$(BIN)/python benchmarks/soft_intro/priors.py --scale $(SCALE)
	$(BIN)/python benchmarks/soft_intro/mappings.py --scale $(SCALE)
	$(BIN)/python benchmarks/soft_intro/mappings.py --scale $(SCALE) --owner
	$(BIN)/python benchmarks/soft_intro/beta_neg.py --scale $(SCALE)
	$(BIN)/python benchmarks/soft_intro/images.py --scale $(SCALE)
	$(BIN)/python benchmarks/soft_intro/speed.py

bench-disentanglement: $(STAMP)
	$(BIN)/python benchmarks/disentanglement/linear.py --scale $(SCALE)
	$(BIN)/python benchmarks/disentanglement/tabular.py --scale $(SCALE)
	$(BIN)/python benchmarks/disentanglement/images.py --scale $(SCALE)
	$(BIN)/python benchmarks/disentanglement/rolinek.py --scale $(SCALE)

docs: $(DOCS_STAMP)
	rm -rf docs/_build docs/api/generated
	$(BIN)/python -m sphinx -W --keep-going --jobs auto -b html docs docs/_build/html
	BUILT_DOCS=docs/_build/html $(BIN)/python -m pytest tests/test_built_docs.py

pictures: $(STAMP)
	$(BIN)/python docs/make_pictures.py

clean:
	rm -rf $(VENV) docs/_build docs/api/generated demo_output
