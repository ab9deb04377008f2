# make demo    train a weather forecaster and plot it        make check   lint
# make test    the whole test suite                          make format  let the formatters write
# make bench   the speed grid beside its peers               make dist    wheel and sdist into dist/
# make bench-quick   the same in under two minutes           make clean   remove all that these made
# make bench-training   whole training runs beside PyTorch
# Everything happens in an environment of its own, .venv; PYTHON=python3.12 picks another interpreter.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml CMakeLists.txt $(shell find csrc tests/cpp -type f 2>/dev/null)
CXX_FILES := $(shell find csrc tests/cpp -name '*.h' -o -name '*.cpp' 2>/dev/null)

.PHONY: demo test bench bench-quick bench-training check format dist clean

demo: $(VENV)/demo
	$(BIN)/python examples/weather.py

test: $(VENV)/test
	$(BIN)/python -m pytest

bench: $(VENV)/bench
	$(BIN)/python -m bench --out out/bench

bench-quick: $(VENV)/bench
	$(BIN)/python -m bench --rounds 3 --seconds 0.05 --peers torch,onnxruntime,openvino --out out/bench-quick

bench-training: $(VENV)/bench
	$(BIN)/python -m bench.training

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(CXX_FILES)
	$(BIN)/mypy

format: $(VENV)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CXX_FILES)

dist: $(VENV)/dev
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/python tests/check_dist.py dist

clean:
	rm -rf $(VENV) build dist out

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

# One rule for every extra: .venv/NAME says that elman[NAME] is installed from sources no newer than it.
$(VENV)/demo $(VENV)/bench $(VENV)/dev: $(VENV)/%: $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	touch $@

$(VENV)/test: $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet --editable '.[test]' \
	  --config-settings=cmake.define.ELMAN_WERROR=ON --config-settings=cmake.define.ELMAN_SELFTEST=ON
	touch $@
