# make test          the whole test suite                  make test-quick      most of it, in about a minute
# make check         lint, types, arrows between rooms     make format          let the formatters write
# make demo          train a weather forecaster            make dist            wheel and sdist into dist/
# make examples      the uses on real data, their table    make examples-quick  a small slice of each
# make bench         the speed grid beside its peers       make bench-quick     the same in under two minutes
# make bench-avx2    the grid with both held to AVX2       make bench-random    a hundred random shapes (SEED=0)
# make bench-training   whole training runs beside PyTorch   make docs   the pages and the reference, into build/site
# make cuda          compile the GPU's kernels, without a GPU
# make test-tools    the adapters for sktime and darts, in an environment of their own, .venv-tools
# make test-free-threaded PYTHON=python3.13t   the tests of threads with the GIL off, in .venv-free-threaded
# make clean         remove all that these made
# Everything happens in an environment of its own, .venv; PYTHON=python3.12 picks another interpreter.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml CMakeLists.txt $(shell find csrc tests/cpp tests/cuda -type f 2>/dev/null)
CXX_FILES := $(shell find csrc tests/cpp tests/cuda -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.inc' 2>/dev/null)

EXAMPLES := $(wildcard examples/*.py)

ARCHITECTURE := 90a
NVCC := nvidia-cuda-nvcc nvidia-nvvm nvidia-cuda-crt nvidia-cuda-runtime nvidia-cuda-cccl

FREE := $(VENV)-free-threaded
FREE_ROOMS := bind machine probes simd stack recurrent sequence layers losses optim data train models sklearn forecast
# Tests that ask for a package which has no wheel for such a Python are skipped, by name.
FREE_PYTEST = PYTHON_GIL=0 ELMAN_TEST_ISA=best ELMAN_TEST_WITHOUT="safetensors h5py" $(FREE)/bin/python -m pytest -q

.PHONY: test-tools test-free-threaded cuda examples examples-quick demo test test-quick bench bench-quick bench-avx2 bench-random bench-training docs check format dist clean

demo: $(VENV)/demo
	$(BIN)/python examples/weather.py

# Status 3: the source of the data cannot be reached, which is no fault of the example's.
examples-quick: $(VENV)/examples
	for example in $(EXAMPLES) "examples/speech.py --streaming"; do \
	  echo "== $$example"; $(BIN)/python $$example --quick --out out/examples-quick || [ $$? = 3 ] || exit 1; \
	done
	for model in out/examples-quick/*.safetensors; do \
	  $(BIN)/python -c "import elman; print(elman.load('$$model'))" || exit 1; \
	done

examples: $(VENV)/examples
	for example in $(EXAMPLES); do echo "== $$example"; $(BIN)/python $$example || exit 1; done
	$(BIN)/python examples/support/table.py

# Two processes, whatever the machine has: many tests start threads or processes of their own. The engine's own tests
# take minutes for emulators and checkers: they run beside the others, which wait a lot.
test: $(VENV)/test
	nice -n 19 $(BIN)/python -m pytest -p no:cacheprovider -m emulated >$(VENV)/emulated.log 2>&1 & emulated=$$!; \
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not emulated"; others=$$?; \
	wait $$emulated; emulated=$$?; cat $(VENV)/emulated.log; exit $$((others + emulated))

# One instruction set, and none of the tests that are slow, end processes or need an emulator.
test-quick: $(VENV)/test
	ELMAN_TEST_ISA=best $(BIN)/python -m pytest -q -m "not slow and not kills and not emulated"

# sktime and darts need earlier versions of what the other tests use.
test-tools: $(VENV)-tools/tools
	$(VENV)-tools/bin/python -m pytest tests/forecast_tools

# All rooms of the engine and of training, then the long tests of threads. pytest 9 warns of the scikit-learn that has
# wheels for 3.13t.
test-free-threaded: $(FREE)/test
	$(FREE_PYTEST) -m "not slow and not kills and not emulated" $(FREE_ROOMS:%=tests/%)
	$(FREE_PYTEST) -m "slow and not kills and not emulated" tests/machine

bench: $(VENV)/bench
	$(BIN)/python -m bench --out out/bench

bench-quick: $(VENV)/bench
	$(BIN)/python -m bench --rounds 3 --seconds 0.05 --peers torch,onnxruntime,openvino --out out/bench-quick

# Each of PyTorch's libraries has a switch of its own.
bench-avx2: $(VENV)/bench
	ELMAN_ISA=avx2 ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 MKL_ENABLE_INSTRUCTIONS=AVX2 \
	  $(BIN)/python -m bench --peers torch --out out/bench-avx2

SEED := 0

bench-random: $(VENV)/bench
	$(BIN)/python -m bench --random 100 --seed $(SEED) --peers torch --seconds 0.2 --out out/bench-random

bench-training: $(VENV)/bench
	$(BIN)/python -m bench.training

# The GPU's kernels for one architecture, and whether they keep to their registers; no GPU is needed.
cuda: $(BIN)/python
	$(BIN)/python -m pip install --quiet cmake ninja pybind11
	command -v nvcc >/dev/null || $(BIN)/python -m pip install --quiet $(NVCC)
	command -v cuobjdump >/dev/null || $(BIN)/python -m pip install --quiet nvidia-cuda-cuobjdump
	PATH="$$PATH:$$(echo $$PWD/$(VENV)/lib/python3*/site-packages/nvidia/cu13/bin)"; \
	$(BIN)/cmake -S . -B build/cuda -G Ninja -DELMAN_CUDA=ON -DELMAN_CUDA_ARCHITECTURES=$(ARCHITECTURE) \
	  -DPython_EXECUTABLE=$$PWD/$(BIN)/python -Dpybind11_DIR=$$($(BIN)/python -m pybind11 --cmakedir) && \
	$(BIN)/cmake --build build/cuda --target _cuda cuda_rates && \
	$(BIN)/python -m bench.gpu.resources build/cuda

# It opens as files, build/site/index.html, and asks the network for nothing.
docs: $(VENV)/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(CXX_FILES)
	$(BIN)/mypy
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --offline --no-progress .github/workflows
	$(BIN)/python -m pytest -q tests/project/test_arrows.py tests/project/test_sizes.py tests/project/test_releases.py

format: $(VENV)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CXX_FILES)

dist: $(VENV)/dev
	rm -rf dist
	$(BIN)/python -m build
	if [ "$$(uname)" = Linux ]; then PATH="$(BIN):$$PATH" $(BIN)/auditwheel repair -z 9 --wheel-dir dist dist/*-linux_*.whl && rm dist/*-linux_*.whl; fi
	$(BIN)/python tests/support/check_dist.py dist

clean:
	rm -rf $(VENV) $(VENV)-tools $(FREE) build dist out

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

# One rule for every extra: .venv/NAME says that elman[NAME] is installed from sources no newer than it.
$(VENV)/demo $(VENV)/examples $(VENV)/bench $(VENV)/docs $(VENV)/dev: $(VENV)/%: $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	touch $@

$(VENV)-tools/tools: $(SOURCES)
	$(PYTHON) -m venv $(VENV)-tools
	$(VENV)-tools/bin/python -m pip install --quiet --upgrade pip
	$(VENV)-tools/bin/python -m pip install --quiet --editable '.[sktime,darts]' 'pytest>=8'
	touch $@

$(FREE)/test: $(SOURCES)
	@$(PYTHON) -c "import sysconfig; raise SystemExit(not sysconfig.get_config_var('Py_GIL_DISABLED'))" || \
	  { echo "$(PYTHON) is no free-threaded Python; name one: make test-free-threaded PYTHON=python3.13t"; exit 1; }
	$(PYTHON) -m venv $(FREE)
	$(FREE)/bin/python -m pip install --quiet --upgrade pip
	$(FREE)/bin/python -m pip install --quiet --prefer-binary --editable '.[train,plot,sklearn,arrow,torch]' \
	  'pandas>=2' 'hypothesis>=6.100' 'pytest>=8,<9'
	touch $@

$(VENV)/test: $(BIN)/python $(SOURCES)
	$(BIN)/python -m pip install --quiet --editable '.[test]' \
	  --config-settings=cmake.define.ELMAN_WERROR=ON --config-settings=cmake.define.ELMAN_SELFTEST=ON
	touch $@
