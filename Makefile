PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/.installed
# settings of the demo's training, of the experiments or of the benchmark, such as ARGS="trainer.max_epochs=2 seed=1"
ARGS ?=
# processes that run tests, each of one thread
TEST_PROCESSES ?= 2
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help install demo experiments-synthetic test test-slow soak bench lint types format

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-21s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## create .venv and install the project with pinned versions

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11'; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(INSTALLED) ## make the synthetic corpus, train STA-DRN on it and compare it with references
	$(BIN)/python -m depression_vr.train experiment=sta_drn_synthetic $(ARGS)

experiments-synthetic: $(INSTALLED) ## measure the recipes on the synthetic corpus that are not measured yet
	$(BIN)/python -m depression_vr.experiments $(ARGS)

test: $(INSTALLED) ## run the tests but the slow ones
	$(PYTEST) -m "not slow and not soak"

test-slow: $(INSTALLED) ## run the slow tests: whole processes, killed trainings, several processes
	$(PYTEST) -m "slow and not soak"

soak: $(INSTALLED) ## kill and resume trainings at 50 random moments
	$(BIN)/python -m pytest tests/resuming -m soak -s

bench: $(INSTALLED) ## measure speed against stated baselines
	$(BIN)/python -m depression_vr.bench $(ARGS)

lint: $(INSTALLED) ## check style and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(INSTALLED) ## check types
	$(BIN)/mypy

format: $(INSTALLED) ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
