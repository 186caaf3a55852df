# Everything runs in the project's own virtual environment, from locked versions with hashes. A lock file is complete, so
# nothing is resolved: a resolver would ask for releases newer than the lock file.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MINISTACK := $(VENV)/ministack
NODE := $(VENV)/node
WHEELS := $(VENV)/wheels
IMAGE := $(VENV)/image-wheels
EXTRAS := $(VENV)/extra-wheels
EMULATORS := tests/acceptance/emulators
PIP := -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes
DOWNLOAD := $(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all:
UV := $(BIN)/uv pip install --no-deps
COMPILE := $(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-annotate
ARGS ?=
WORKERS ?= 4

.PHONY: setup emulator wheels demo test test-full quick soak lint bench fuzz mutants lock clean

# What `make demo` needs: the command with its local cloud. It says what it does, because the first time takes minutes.
$(VENV)/demo: infra/installer.lock infra/local.lock pyproject.toml
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "mailfold needs Python 3.11 or newer, this is " + sys.version'
	@echo "1/4 creating a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@echo "2/4 installing the installer"
	@$(BIN)/python $(PIP) -r infra/installer.lock
	@echo "3/4 installing the libraries, which download once"
	@$(UV) --python $(VENV) --require-hashes -r infra/local.lock
	@echo "4/4 installing mailfold"
	@$(UV) --quiet --python $(VENV) --no-build-isolation --editable .
	@touch $@

# What the tests, linters and benchmarks need too.
setup: $(VENV)/ready

$(VENV)/ready: requirements.lock $(VENV)/demo
	$(UV) --quiet --python $(VENV) --require-hashes -r requirements.lock
	$(BIN)/uv pip check --quiet --python $(VENV)
	touch $@

# What acceptance tests deploy to and read from. Each pins other versions, so it has its own environment.
emulator: $(MINISTACK)/ready $(NODE)/ready

$(MINISTACK)/ready: $(EMULATORS)/ministack.lock $(VENV)/ready
	$(BIN)/uv venv --quiet --allow-existing --python $(PYTHON) $(MINISTACK)
	$(UV) --quiet --python $(MINISTACK) --require-hashes -r $<
	$(BIN)/uv pip check --quiet --python $(MINISTACK)
	touch $@

# The libraries of the Lambdas' bundle, for Lambda and for this machine: tests build it without an index.
wheels: $(WHEELS)/ready $(IMAGE)/ready $(EXTRAS)/ready

$(WHEELS)/ready: infra/lambda.lock infra/mailfold.yaml $(VENV)/ready
	mkdir -p $(WHEELS)
	$(BIN)/python -c 'from pathlib import Path; from pipeline.aws.deployment import bundle, template; [bundle.fetch_wheels(Path("$(WHEELS)"), runtime=runtime) for runtime in (template.load_template().runtime, None)]'
	touch $@

# What infra/Dockerfile installs, for this machine: a test follows its steps without an index.
$(IMAGE)/ready: infra/consumer.lock infra/build.lock $(VENV)/ready
	mkdir -p $(IMAGE)
	for lock in consumer build; do $(DOWNLOAD) --dest $(IMAGE) -r infra/$$lock.lock || exit; done
	touch $@

# What the other extras bring: a test installs the package with each into an empty environment, without an index.
$(EXTRAS)/ready: infra/local.lock $(VENV)/ready
	mkdir -p $(EXTRAS)
	$(DOWNLOAD) --dest $(EXTRAS) -r infra/local.lock
	touch $@

# What tests run in Node, which is one of the locked packages.
$(NODE)/ready: tests/support/package-lock.json tests/support/package.json $(VENV)/ready
	mkdir -p $(@D)
	cp $(filter %.json,$^) $(@D)
	$(BIN)/npm ci --ignore-scripts --no-audit --no-fund --loglevel error --prefix $(@D)
	touch $@

demo: $(VENV)/demo
	$(BIN)/mailfold demo $(ARGS)

# Files stay together on a worker, because they share emulators; the slowest come first.
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

# All but what takes many minutes; the full suite runs that too.
test: SUITE := -m 'not long and not soak'
test-full: SUITE := -m 'not soak'
test test-full: setup emulator wheels lint
	$(PYTEST) --cov --cov-report= $(SUITE) $(ARGS)
	$(BIN)/coverage report --include='pipeline/*.py' --omit='pipeline/*/*' --fail-under=100 --show-missing
	$(BIN)/coverage report --omit='pipeline/*.py' --skip-covered

quick: setup
	$(PYTEST) -m 'not slow and not soak' $(ARGS)

# Faults and kills by the thousand.
soak: setup
	$(PYTEST) -m soak $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup emulator
	$(BIN)/python -m tests.benchmarks $(ARGS)

# Inputs for the decoder, guided by coverage: make fuzz ARGS="--seconds 300"
fuzz: $(VENV)/fuzz
	$(BIN)/python -m tests.fuzz $(ARGS)

# Mutants of the core that no test rejects: make mutants ARGS="pipeline/standing.py"
mutants: $(VENV)/mutants
	WORKERS=$(WORKERS) $(BIN)/python -m tests.mutants $(ARGS)

$(VENV)/fuzz $(VENV)/mutants: $(VENV)/%: tests/%/requirements.lock $(VENV)/ready
	$(UV) --python $(VENV) --require-hashes -r $<
	touch $@

lock: setup
	$(COMPILE) --universal --python-version 3.11 --extra local --extra kcl --group dev pyproject.toml infra/installer.in -o requirements.lock
	$(COMPILE) --universal --python-version 3.11 --constraint requirements.lock infra/installer.in -o infra/installer.lock
	$(COMPILE) --universal --python-version 3.11 --constraint requirements.lock --extra local pyproject.toml -o infra/local.lock
	$(COMPILE) --universal --python-version 3.11 $(EMULATORS)/ministack.in -o $(EMULATORS)/ministack.lock
	$(COMPILE) --universal --python-version 3.11 --constraint requirements.lock tests/fuzz/requirements.in -o tests/fuzz/requirements.lock
	$(COMPILE) --universal --python-version 3.11 --constraint requirements.lock tests/mutants/requirements.in -o tests/mutants/requirements.lock
	$(COMPILE) --python-version 3.14 --python-platform aarch64-manylinux_2_28 --constraint requirements.lock infra/lambda.in -o infra/lambda.lock
	$(COMPILE) --universal --python-version 3.11 --constraint requirements.lock --extra kcl pyproject.toml -o infra/consumer.lock
	$(COMPILE) --universal --python-version 3.11 --constraint requirements.lock infra/build.in -o infra/build.lock

clean:
	rm -rf $(VENV) mutants build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
