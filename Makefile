# `make demo` and `make test` set up .venv on first use; nothing but Python 3.11 or later, pip and make is needed.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
TORCH ?= torch==2.13.0
WORKERS ?= 2
ARGS ?=

BIN := .venv/bin
READY := .venv/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest

.PHONY: demo test test-slow bench bench-full lint clean
.DELETE_ON_ERROR:

demo: $(READY)
	$(BIN)/ppgen demo $(ARGS)

test: $(READY)
	$(PYTEST) -n $(WORKERS) --dist worksteal --durations 10 $(ARGS)

test-slow: $(READY)
	$(PYTEST) -m slow $(ARGS)

bench: $(READY)
	$(BIN)/python -m benchmarks $(ARGS)

bench-full: $(READY)
	$(BIN)/python -m benchmarks --full $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# PyTorch's own index has the small CPU build; where it cannot be reached the build of the default index serves too.
# --no-deps: what torch needs comes with the rest, at the pinned versions.
$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv || { $(PYTHON) -m venv --clear --without-pip .venv && $(PYTHON) -m pip --python $(BIN)/python install pip; }
	$(PIP) install --quiet --no-deps --retries 0 --timeout 5 --index-url $(TORCH_INDEX) '$(TORCH)' \
	  || $(PIP) install --quiet '$(TORCH)' -c constraints.txt
	$(PIP) install --quiet --config-settings editable_mode=compat -e '.[dev]' -c constraints.txt
	touch $@
