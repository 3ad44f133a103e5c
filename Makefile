# make            build the environment and run the default workflow
# make test       build the environment and run the tests but the slow ones
# make help       the other targets
PYTHON ?= python3
VENV := .venv
JAX := .venv-jax
DOCS := .venv-docs
BIN := $(VENV)/bin
CORES ?= all
INTO ?= my_studies
# So that `from minima import …` works in this environment, wherever Python is started.
KNOWS := import sys, sysconfig; from pathlib import Path; Path(sysconfig.get_path("purelib"), "minima.pth").write_text(sys.argv[1])
# A process per core, each with whole files of tests; a test takes half a gigabyte.
TESTS := $(BIN)/python -m pytest -n logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := run
.PHONY: run test slow smoke fast bench lint docs generated new-study registrations verdicts report lock release help

run: $(VENV)/installed ## run the default workflow
	@echo "Running the default workflow into results/ (the same again: $(BIN)/snakemake --cores $(CORES))"
	$(BIN)/snakemake --cores $(CORES)

test: $(VENV)/installed ## run the tests, files side by side, but the slow ones
	@echo "Running the tests (those that start no workflow: make fast; the others: make slow)"
	$(TESTS) -m "not slow"

slow: $(VENV)/installed ## run the slow tests
	$(TESTS) -m slow

fast: $(VENV)/installed ## run the tests that do not start the workflow
	$(TESTS) -m "not workflow and not slow"

smoke: $(VENV)/installed ## run every rule on small grids, into results/smoke
	$(BIN)/snakemake --cores $(CORES) --configfile config/smoke.yaml

bench: $(VENV)/installed $(JAX)/installed ## measure engine and theory beside what a user would take, and JAX
	PYTHONPATH=workflow_scripts $(BIN)/python benchmarks/products.py
	PYTHONPATH=workflow_scripts $(BIN)/python benchmarks/engine.py --jax $(JAX)/bin/python
	PYTHONPATH=workflow_scripts $(BIN)/python benchmarks/gram.py
	PYTHONPATH=workflow_scripts $(BIN)/python benchmarks/modules.py
	PYTHONPATH=workflow_scripts $(BIN)/python benchmarks/packs.py
	PYTHONPATH=workflow_scripts $(BIN)/python benchmarks/kernels.py
	PYTHONPATH=workflow_scripts $(BIN)/python benchmarks/theory.py
	PYTHONPATH=workflow_scripts $(BIN)/python benchmarks/lapack.py
	@echo "Each says at its top what else it measures: $(wildcard benchmarks/*.py)"

lint: $(VENV)/installed ## check the style of Python and Snakemake code
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/codespell
	$(BIN)/snakemake --lint

docs: $(DOCS)/installed ## build the documentation as a site, site/index.html; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict

generated: $(VENV)/installed ## rewrite schema.json, the option tables and rules/envs/minima.yaml
	PYTHONPATH=workflow_scripts $(BIN)/python -m minima.plan.generated

new-study: $(VENV)/installed ## write a study that runs, to be changed: make new-study NAME=my_question
	PYTHONPATH=workflow_scripts $(BIN)/python -m minima.plan.new_study $(NAME) --into $(INTO)

registrations: $(VENV)/installed ## write down the register of claims as it is, before the run that tests it
	PYTHONPATH=workflow_scripts $(BIN)/python -m minima.findings.registrations

verdicts: run ## show the verdicts and figures of the default run in README.md and docs/
	PYTHONPATH=workflow_scripts $(BIN)/python -m minima.findings.showcase

report: run ## write Snakemake's own report of the default run beside ours
	$(BIN)/snakemake --cores 1 --report results/snakemake-report.html

# The stamp is newer than the lock file, so that a changed pin installs again.
$(VENV)/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Minima needs Python 3.11 or newer: make PYTHON=python3.12")'
	@echo "Building $(VENV) from requirements.lock (a minute or two, once)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@$(BIN)/python -c '$(KNOWS)' "$(CURDIR)/workflow_scripts"
	@touch $@

release: ## check that version, changelog and citation agree, and tag the release
	$(PYTHON) .ci/release

lock: ## pin the newest versions of everything (torch stays), in a fresh environment
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/python -m pip install --quiet torch==2.13.0 $$($(PYTHON) -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; print(" ".join(d.replace(" ", "") for d in p["dependencies"] + sum(p["optional-dependencies"].values(), []) if not d.startswith("torch")))')
	.venv-lock/bin/python -m pip freeze --exclude-editable | sed -E '/^nvidia-|^triton/d; s/^torch==.*/torch==2.13.0/' > requirements.lock
	rm -r .venv-lock

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# A peer in benchmarks and nothing else, hence apart.
$(JAX)/installed: benchmarks/jax_requirements.txt
	$(PYTHON) -m venv $(JAX)
	$(JAX)/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/jax_requirements.txt
	@touch $@

# The site reads the package without importing it, so that it needs nothing of $(VENV).
$(DOCS)/installed: docs/requirements.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement docs/requirements.txt
	@touch $@
