# Everything a newcomer types. `make demo` and `make test` set up what they need by themselves, the first time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup setup-demo system web demo cluster-demo test cluster-test faults fuzz lint format docs screenshots bench pins audit sbom clean

help: ## Show what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | sort | column -t -s '|'

# --- set-up: a virtual environment with everything pinned; repeated only when a pin changes ---

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Isengard needs Python 3.11 or newer; name one with: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installer: requirements/installer.txt | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/installer.txt
	@touch $@

# Which build of torch is right depends on the machine, so pip chooses it from wherever the machine gets its packages.
$(VENV)/.torch: requirements/torch.txt $(VENV)/.installer
	$(BIN)/python -c 'import torch' 2>/dev/null || $(BIN)/pip install --quiet --disable-pip-version-check -r requirements/torch.txt
	@touch $@

# The lists are complete, torch and what it brings aside, so nothing is resolved again (--no-deps).
$(VENV)/.run: requirements/run.txt $(VENV)/.torch
	$(UV) --require-hashes --no-deps -r requirements/run.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.torch
	$(UV) --require-hashes --no-deps -r requirements/dev.txt
	@touch $@ $(VENV)/.run

$(VENV)/.package: pyproject.toml hatch_build.py requirements/build.txt $(VENV)/.installer
	$(UV) --no-deps --build-constraints requirements/build.txt -e .
	@touch $@

# uv leaves modules as they are. Where Python may not write what it has compiled (PYTHONDONTWRITEBYTECODE, common in
# containers), every start would compile again all that it reads: half of the time of `isengard up`. So they are loaded once now.
$(VENV)/.compiled: requirements/run.txt requirements/dev.txt $(VENV)/.package
	$(BIN)/python -m compileall -q src/isengard
	PYTHONDONTWRITEBYTECODE= $(BIN)/python scripts/compile_modules.py
	@touch $@

setup: $(VENV)/.dev $(VENV)/.package $(VENV)/.compiled ## Make .venv with every pinned dependency, tools and tests included
setup-demo: $(VENV)/.run $(VENV)/.package $(VENV)/.compiled

system: ## Install the Debian packages that the tests use, if they are missing
	@scripts/system_packages.sh

web: $(BIN)/python ## Build the page into the package, if its sources changed
	$(BIN)/python web/build.py

# --- what people come for ---

demo: setup-demo web ## Train a LoRA of the demo character and watch it (ONESHOT=1 ends after the training)
	$(BIN)/isengard demo --data-dir data $(if $(ONESHOT),--oneshot)

cluster-demo: setup system web ## Ten real trainings on two nodes, one of which is lost (ONESHOT=1 ends by itself)
	$(BIN)/python scripts/cluster_demo --data-dir data/cluster-demo $(if $(ONESHOT),--oneshot)

# Many tests run several real processes each. One that fails beside another is tried once more by itself, and has to pass.
test: setup system web ## Run every test
	cd web && npm test
	$(BIN)/pytest -n 2 $(PYTEST_ARGS) || $(BIN)/pytest --last-failed --last-failed-no-failures none $(PYTEST_ARGS)

FAULT_ROUNDS ?= 100

faults: setup system ## Kill, cut the power, fill the disk: the 25 fault tests, the random ones FAULT_ROUNDS times (100)
	FAULT_ROUNDS=$(FAULT_ROUNDS) $(BIN)/pytest tests/faults --durations=10 $(PYTEST_ARGS)

FUZZ_SECONDS ?= 60

fuzz: setup ## Fuzz each target and the API as each role for FUZZ_SECONDS (60); what breaks is kept in build/fuzz
	FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/pytest tests/fuzz --durations=5 $(PYTEST_ARGS)

CLUSTER_ROUNDS ?= 5

cluster-test: setup system ## Several hosts in network namespaces, every fault CLUSTER_ROUNDS times (5); needs root
	CLUSTER_ROUNDS=$(CLUSTER_ROUNDS) $(BIN)/pytest tests/cluster --durations=10 -rP $(PYTEST_ARGS)

lint: setup ## Formatting, lint, types, import order, the page's lint, drift of generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python web/build.py --tools
	$(BIN)/python scripts/openapi.py --check
	$(BIN)/python scripts/reference.py --check
	cd web && npm run lint

format: setup ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	cd web && npm run format

SHOTS ?= build/screenshots

screenshots: setup system web ## Photograph every page, light and dark, desktop and phone, into SHOTS (build/screenshots)
	$(BIN)/python scripts/make_screenshots.py $(SHOTS)

bench: setup system web ## Measure, each claim beside its peers (half an hour; wants an idle machine)
	$(UV) --require-hashes --no-deps -r requirements/bench.txt
	@for script in bench/*.py; do echo; echo "## $$script"; timeout 1200 $(BIN)/python $$script || exit 1; done

# --- upkeep ---

docs: setup ## Make docs/settings.md, docs/cli.md and web/openapi.json anew from the code
	$(BIN)/python scripts/reference.py
	$(BIN)/python scripts/openapi.py

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links

pins: $(VENV)/.installer ## Compile requirements/*.txt anew (UPGRADE=1 takes newer versions)
	$(COMPILE) $(if $(UPGRADE),--upgrade) requirements/installer.in -o requirements/installer.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) requirements/build.in -o requirements/build.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --extra train requirements/run.in \
		--excludes requirements/excludes.txt -o requirements/run.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --extra redis --extra postgres --extra s3 --extra otlp \
		-c requirements/run.txt -o requirements/server.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --extra train --extra redis --extra postgres --extra s3 --extra otlp \
		requirements/run.in requirements/dev.in -c requirements/run.txt \
		--excludes requirements/excludes.txt -o requirements/dev.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml --extra cluster --extra otlp -c requirements/dev.txt \
		--excludes requirements/excludes.txt -o requirements/cluster.txt
	$(COMPILE) $(if $(UPGRADE),--upgrade) requirements/bench.in -c requirements/dev.txt \
		--excludes requirements/excludes.txt -o requirements/bench.txt

audit: setup ## Ask whether a weakness is known in anything that is pinned; fails if one is
	$(BIN)/python scripts/audit.py

SBOM ?= build/sbom

sbom: setup ## Write what Isengard is made of as CycloneDX files into SBOM (build/sbom)
	$(BIN)/python scripts/sbom.py $(SBOM)

clean: ## Remove what was installed and built
	rm -rf $(VENV) web/node_modules src/isengard/_web .mypy_cache .ruff_cache .pytest_cache
