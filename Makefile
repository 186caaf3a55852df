# Everything runs in the project's own virtual environment, from locked versions. A lock file is complete, and pip resolves
# nothing of it: it would ask for the newest `coverage[toml]` on its way, which no lock file from before its release names.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MINISTACK := $(VENV)/ministack
KINESIS := $(VENV)/kinesis-local
WHEELS := $(VENV)/wheels
IMAGE := $(VENV)/image-wheels
ARGS ?=

.PHONY: setup emulator wheels demo test test-full quick lint bench lock clean

setup: $(VENV)/ready

$(VENV)/ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "mailfold needs Python 3.11 or newer, this is " + sys.version'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python -m pip check --disable-pip-version-check
	touch $@

# What acceptance tests deploy to, and read from; each pins what we do not, so it has an environment of its own.
emulator: $(MINISTACK)/ready $(KINESIS)/ready

$(MINISTACK)/ready: tests/acceptance/emulators/ministack.lock
	$(PYTHON) -m venv $(MINISTACK)
	$(MINISTACK)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	$(MINISTACK)/bin/python -m pip check --disable-pip-version-check
	touch $@

# The libraries of the Lambdas' bundle, for Lambda and for this machine: tests build it without an index.
wheels: $(WHEELS)/ready $(IMAGE)/ready

$(WHEELS)/ready: infra/lambda.lock infra/mailfold.yaml $(VENV)/ready
	mkdir -p $(WHEELS)
	$(BIN)/python -c 'from pathlib import Path; from pipeline.aws.deployment import template, wheel; [wheel.fetch_wheels(Path("$(WHEELS)"), runtime=each) for each in (template.template().runtime, None)]'
	touch $@

# What infra/Dockerfile installs, for this machine: a test follows its steps without an index.
$(IMAGE)/ready: infra/consumer.lock infra/build.lock $(VENV)/ready
	mkdir -p $(IMAGE)
	for lock in consumer build; do $(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: --dest $(IMAGE) -r infra/$$lock.lock || exit; done
	touch $@

# Without npm nothing is installed, and the tests that need it say so.
$(KINESIS)/ready: tests/acceptance/emulators/package-lock.json tests/acceptance/emulators/package.json
	mkdir -p $(@D)
	cp $^ $(@D)
	if command -v npm >/dev/null; then npm ci --ignore-scripts --no-audit --no-fund --loglevel error --prefix $(@D) && touch $@; fi

demo: setup
	$(BIN)/mailfold demo $(ARGS)

# All but what takes many minutes; the full suite has that too.
test: SUITE := -m 'not long'
test test-full: setup emulator wheels lint
	$(BIN)/python -m pytest --cov --cov-report= $(SUITE) $(ARGS)
	$(BIN)/coverage report --include='pipeline/*.py' --omit='pipeline/*/*' --fail-under=100 --show-missing
	$(BIN)/coverage report --omit='pipeline/*.py' --skip-covered

quick: setup
	$(BIN)/python -m pytest -m 'not slow' $(ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup emulator
	$(BIN)/python -m tests.benchmarks $(ARGS)

lock: setup
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra local --extra kcl --group dev pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate tests/acceptance/emulators/ministack.in -o tests/acceptance/emulators/ministack.lock
	$(BIN)/uv pip compile --quiet --python-version 3.14 --python-platform aarch64-manylinux_2_28 --constraint requirements.lock --generate-hashes --no-header --no-annotate infra/lambda.in -o infra/lambda.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --constraint requirements.lock --generate-hashes --no-header --no-annotate --extra kcl pyproject.toml -o infra/consumer.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --constraint requirements.lock --generate-hashes --no-header --no-annotate infra/build.in -o infra/build.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
