# Everything a person does with a checkout. `make help` lists the targets.
# The first Python that fits; `make app PYTHON=...` chooses another. Where none is there, uv brings one.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PORT ?= 5006
VENV := .venv
BIN := $(VENV)/bin
TORCH := $(shell sed -n '/^torch==/p' constraints.txt)
UV := $(BIN)/python -m uv pip install --quiet --compile-bytecode -c constraints.txt
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# The CPU build of torch is enough and 3 GB smaller. Only a machine with an NVIDIA driver takes the default build.
CPU_ONLY := $(if $(filter Linux,$(shell uname -s)),$(if $(shell command -v nvidia-smi 2>/dev/null),,yes))

# 3.11.9: packages of the notebooks need a later 3.11 than the first.
PYTHONS := 3.11.9 3.12 3.13 3.14
define REQUIRED
import tomllib
told = tomllib.load(open("pyproject.toml", "rb"))["project"]
extras = told["optional-dependencies"].values()
print(*(line.replace(" ", "") for part in (told["dependencies"], *extras) for line in part))
endef
export REQUIRED
# What a researcher's script calls: with these the oldest packages are tried.
OLDEST := $(addprefix tests/test_,$(addsuffix .py,probes_golden losses_metrics audio_reading scenes encoders training cache \
  at_hand settings report figures explorer datasets study search cli))

.DEFAULT_GOAL := help
.PHONY: help app test types pins oldest try-wheel docs test-slow lint format bench damage notebooks course demo results lab lock grid clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.core: pyproject.toml constraints.txt
	@echo "Installing protoviz into $(VENV) (about a minute, once)"
	@if test -n "$(PYTHON)"; then \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "protoviz needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) -V 2>&1). Choose one: make app PYTHON=python3.13"; exit 1; }; \
	  $(PYTHON) -m venv $(VENV); \
	else \
	  uv venv --quiet --seed --python 3.13 $(VENV) || \
	    { echo "protoviz needs Python 3.11 or later, and none is here. Install one (with uv: uv python install 3.13), or name it: make app PYTHON=..."; exit 1; }; \
	fi
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv || echo "uv is not to be had; pip does the work, more slowly"
	@$(BIN)/python -c 'import importlib.metadata as m, sys; sys.exit("$(TORCH)" != "torch==" + m.version("torch").split("+")[0])' 2>/dev/null || \
	  { test -n "$(CPU_ONLY)" && $(BIN)/python -m uv pip install --quiet --compile-bytecode --torch-backend cpu "$(TORCH)" 2>/dev/null; } || \
	  $(PIP) "$(TORCH)"
	@$(UV) -e . || $(PIP) -e .
	@touch $@

$(VENV)/.test: $(VENV)/.core
	@$(UV) -e '.[test]' || $(PIP) -e '.[test]'
	@touch $@

$(VENV)/.types: $(VENV)/.test
	@$(UV) -e '.[test,types]' || $(PIP) -e '.[test,types]'
	@touch $@

$(VENV)/.docs: $(VENV)/.test
	@$(UV) -e '.[test,docs]' || $(PIP) -e '.[test,docs]'
	@touch $@

$(VENV)/.notebooks: $(VENV)/.test
	@$(UV) -e '.[test,notebooks]' || $(PIP) -e '.[test,notebooks]'
	@touch $@

app: $(VENV)/.core ## install if needed, then open the explorer (PORT=5006)
	@$(BIN)/protoviz serve --port $(PORT)

test: $(VENV)/.test ## install if needed, then lint and run the tests
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/python -m pytest -m "not slow and not types" -n auto --dist worksteal

types: $(VENV)/.types ## mypy and pyright on what a user writes, a minute
	@$(BIN)/python -m pytest -m types

pins: $(VENV)/.core ## are all pins to be had as wheels, for every Python
	@for version in $(PYTHONS); do \
	  $(BIN)/python -m uv pip install --quiet --dry-run --only-binary :all: --target $(VENV)/pins --python-version $$version \
	    -c constraints.txt $$($(BIN)/python -c "$$REQUIRED") && echo "Python $$version: every pin is a wheel" || exit 1; done

oldest: $(VENV)/.core ## the core's tests on the oldest packages that pyproject.toml allows, but for torch
	@$(BIN)/python -m uv venv --quiet --clear --python $(BIN)/python $(VENV)/oldest
	@$(BIN)/python -m uv pip install --quiet --python $(VENV)/oldest/bin/python --resolution lowest-direct -e '.[test]' "$(TORCH)"
	@$(VENV)/oldest/bin/python -m pytest -m "not slow and not types and not ui" -n auto $(OLDEST)

try-wheel: $(VENV)/.test ## a wheel in an empty environment, without a network: every line that README shows
	@$(BIN)/python -m benchmarks.wheel

docs: $(VENV)/.docs ## the site in build/site, its links checked; with the course where `make course` has written it
	@$(BIN)/python -m benchmarks.site

test-slow: $(VENV)/.notebooks ## the tests that take minutes, a live JupyterLab among them
	@$(BIN)/python -m pytest -m slow

lint: $(VENV)/.test ## ruff: lint and format, no changes
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

format: $(VENV)/.test ## ruff: mend what can be mended
	@$(BIN)/ruff format . ; $(BIN)/ruff check --fix . && $(BIN)/ruff format .

bench: $(VENV)/.test ## speed and memory, side by side in one run, written into data/results/speed.json
	@$(BIN)/python -m benchmarks --write

damage: $(VENV)/.test ## harm every kind of file some hundred times and say what reading it gives
	@$(BIN)/python -m benchmarks damage

grid: $(VENV)/.test ## a small grid, killed twice and resumed, beside an undisturbed one
	@$(BIN)/python -m benchmarks.grid killed

demo: $(VENV)/.notebooks ## rebuild what is shipped under data/demo from seeds
	@$(BIN)/protoviz demo

RECORDINGS ?= # a folder of labelled recordings, which scenes are mixed of beside the procedural ones
WORKERS ?= 1
results: $(VENV)/.notebooks ## make anew what docs state, but for labelled birds (RECORDINGS=FOLDER): many hours; stopped, it goes on
	@set -e; for name in demo poolings per-class frames; do $(BIN)/protoviz $$name; done
	@$(BIN)/protoviz polyphony --workers $(WORKERS) $(if $(RECORDINGS),--recordings $(RECORDINGS))
	@set -e; for name in tokens layers curves; do $(BIN)/protoviz $$name --workers $(WORKERS); done
	@$(BIN)/python -m benchmarks few_shot
	@$(BIN)/protoviz report --write

notebooks: $(VENV)/.notebooks ## run every notebook into build/executed
	@$(BIN)/protoviz notebooks pair
	@$(BIN)/protoviz notebooks run --solutions --out build/executed

course: $(VENV)/.notebooks ## the notebooks as pages that need no network, in build/course
	@$(BIN)/protoviz export course --kept build/executed

lab: $(VENV)/.notebooks ## open the notebooks in JupyterLab: your own copies, in runs/notebooks
	@$(BIN)/protoviz notebooks copy runs/notebooks
	@$(BIN)/jupyter lab runs/notebooks

lock: $(VENV)/.notebooks ## write the installed versions to constraints.txt
	@$(UV) -e '.[test,types,docs,notebooks,hub,slurm]' || $(PIP) -e '.[test,types,docs,notebooks,hub,slurm]'
	@$(BIN)/python -m uv pip freeze --exclude-editable > $(VENV)/frozen.txt
	@{ sed -n '/^#/p' constraints.txt; sed 's/+cpu//; /^uv==/d' $(VENV)/frozen.txt; } > $(VENV)/constraints.new && mv $(VENV)/constraints.new constraints.txt

clean: ## remove the environment, builds and caches
	@rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis
