# make install | demo | test | conformance | faults | fuzz | bench: each does all its own set-up.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
HOT    := $(shell find rproxy -name '*.pyx' -o -name '*.pxd' -o -name '*.py' | xargs -r ls)

.PHONY: install demo test conformance faults fuzz check test-compiled test-pure bench bench-quick clean

install: $(VENV)/.installed

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=23' 'setuptools>=77' 'Cython>=3.1'

$(VENV)/.installed: pyproject.toml setup.py $(HOT) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --no-build-isolation --editable '.[dev]'
	@touch $@

demo: install
	$(BIN)/rproxy demo

test: install
	$(BIN)/python -m tests.support.suite

conformance: install
	RPROXY_CONFORMANCE_ROUNDS=100 $(BIN)/python -m pytest tests/conformance tests/clients
	$(BIN)/python -m tests.conformance.redis_py_suite

faults: install
	rm -f docs/reliability.json
	RPROXY_FIGURES=docs/reliability.json $(BIN)/python -m pytest tests/faults
	$(BIN)/python -m tests.support.figures

fuzz: install
	$(BIN)/python -m pip install --quiet --no-build-isolation --editable '.[dev,fuzz]'
	$(BIN)/python -m tests.fuzz.campaign

bench: install
	$(BIN)/python -m pip install --quiet --no-build-isolation --editable '.[dev,bench]'
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks report

bench-quick: install
	$(BIN)/python -m pip install --quiet --no-build-isolation --editable '.[dev,bench]'
	$(BIN)/python -m benchmarks --quick

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
	find rproxy -name '*.so' -delete
