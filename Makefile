# Two commands matter: `make demo` and `make test`. Both need nothing but Python 3.11+ and make.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMPS := .stamps

.PHONY: help demo test check lint format types contracts unit integration wheel docs lock clean images e2e newest oldest \
        baker.pyz sbom audit equivalence equivalence-real rollback-real race tenants faults fuzz soak attacks bench monitoring
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z.-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(STAMPS)/demo ## bake, watch, migrate and roll back, on a real PostgreSQL (ARGS=--once ends by itself)
	@PYTHONPATH=tests .demo/venv/bin/python compose/demo.py $(ARGS)

test: lint types contracts wheel ## everything that must pass
	@COVERAGE_FILE=.coverage.$$$$; export COVERAGE_FILE; trap 'rm -f $$COVERAGE_FILE' EXIT; \
	$(BIN)/pytest --cov --cov-report=term-missing tests/unit tests/equivalence tests/real tests/integration tests/monitoring tests/race $(ARGS)

check: lint types contracts unit ## what to run before each commit: two minutes

lint: $(STAMPS)/environment ## ruff, shellcheck, and the words that the glossary replaces
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/shellcheck compose/app/entrypoint.sh .ci/run
	$(BIN)/python tools/check_words.py

format: $(STAMPS)/environment ## what ruff can do by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Tests import each other from tests/; a folder with Python files is a package there.
TESTED := $(sort $(foreach file,$(wildcard tests/*/*.py tests/*/*/*.py),$(word 2,$(subst /, ,$(file)))))

types: $(STAMPS)/environment ## mypy, strict
	$(BIN)/mypy
	cd tests && ../$(BIN)/mypy --config-file ../pyproject.toml --cache-dir=../.mypy_cache/tests $(addprefix --package=,$(TESTED)) --module=conftest --module=factories

contracts: $(STAMPS)/environment ## who may import whom
	$(BIN)/lint-imports

# A path in ARGS is run alone; anything else is an option: make unit ARGS="-k squash".
PATHS = $(filter tests/%,$(ARGS))

unit: $(STAMPS)/environment ## the fast tests alone (ARGS=tests/unit/test_cli.py for one file)
	$(BIN)/pytest $(if $(PATHS),,tests/unit) $(ARGS)

integration: $(STAMPS)/environment ## the tests against a real PostgreSQL alone
	$(BIN)/pytest $(if $(PATHS),,tests/integration) $(ARGS)

wheel: $(STAMPS)/wheel ## what is shipped, in an environment that holds nothing else
	$(BIN)/pytest tests/wheel

baker.pyz: $(STAMPS)/python ## the baker as one file: dist/baker.pyz
	$(PYTHON) tools/pack_baker.py dist/baker.pyz

docs: $(STAMPS)/environment ## write what the code already defines into pages, rules and dashboard
	$(BIN)/python docs/generate.py

lock: $(STAMPS)/environment ## pin the dependencies anew, with hashes
	$(BIN)/uv pip compile $(LOCK) --python-version 3.11 pyproject.toml -o requirements/run.txt
	$(BIN)/uv pip compile $(LOCK) --python-version 3.11 --extra mysql pyproject.toml requirements/dev.in -c requirements/run.txt -o requirements/dev.txt
	# All that developers need stays as it is in dev.txt; what we depend on is at its lowest.
	$(BIN)/uv pip compile $(LOCK) --python-version 3.11 --resolution lowest-direct --extra mysql pyproject.toml -o $(STAMPS)/lowest.txt
	cp requirements/dev.txt requirements/oldest.txt
	$(BIN)/uv pip compile $(filter-out --upgrade,$(LOCK)) --python-version 3.11 --extra mysql pyproject.toml requirements/dev.in -c $(STAMPS)/lowest.txt -o requirements/oldest.txt
	$(BIN)/uv pip compile $(LOCK) --python-version 3.11 pyproject.toml requirements/demo.in -c requirements/dev.txt -o requirements/demo.txt
	$(BIN)/uv pip compile $(LOCK) --python-version 3.11 requirements/oldest-pip.in -o requirements/oldest-pip.txt
	$(BIN)/uv pip compile $(LOCK) --python-version 3.11 --extra mysql pyproject.toml -c requirements/run.txt -o requirements/mysql.txt
	$(BIN)/uv pip compile $(LOCK) --python-version 3.11 requirements/fuzz.in -o requirements/fuzz.txt
	$(BIN)/uv pip compile $(LOCK) --python-version 3.11 requirements/e2e.in -o requirements/e2e.txt
	$(BIN)/uv pip compile $(LOCK) --python-version 3.11 requirements/build.in -o requirements/build.txt
	$(BIN)/uv pip compile $(LOCK) --python-version 3.11 compose/app/requirements.in -o compose/app/requirements.txt
	$(BIN)/uv pip compile $(LOCK) --python-version 3.11 pyproject.toml requirements/bench.in -c requirements/dev.txt -o requirements/bench.txt
	$(BIN)/python tests/equivalence/matrix.py --lock
	for pair in 4.2:3.9 5.2:3.10 6.0:3.12 6.1:3.13; do \
	    $(BIN)/uv pip compile $(LOCK) --python-version $${pair#*:} \
	        requirements/bake/django-$${pair%:*}.in -o requirements/bake/django-$${pair%:*}.txt; \
	done

LOCK := --quiet --upgrade --universal --generate-hashes \
        --no-emit-index-url --no-annotate --no-header

clean: ## remove everything that make made
	rm -rf $(VENV) $(STAMPS) .*.lock .bake .bench .e2e .equivalence .fuzz .newest .oldest .real .wheel dist build .demo .screenshots .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*

INSTALL := -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation
SOURCES := pyproject.toml README.md LICENSE $(shell find sidecar -type f -not -name '*.pyc')

$(STAMPS)/python: ## is this Python new enough?
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "make: Python 3.11 or newer is needed; try make PYTHON=python3.12")'
	@mkdir -p $(STAMPS) && touch $@

# The tests run against this folder as it is being edited; `make wheel` tries what is shipped.
$(STAMPS)/environment: requirements/dev.txt pyproject.toml | $(STAMPS)/python
	$(PYTHON) tests/support/venv.py $(VENV) requirements/dev.txt
	$(BIN)/python $(INSTALL) --editable . && $(BIN)/python -m pip check
	@touch $@

$(STAMPS)/demo: requirements/demo.txt $(SOURCES) | $(STAMPS)/python
	@$(PYTHON) tests/support/venv.py .demo/venv requirements/demo.txt
	@.demo/venv/bin/python $(INSTALL) --force-reinstall . && .demo/venv/bin/python -m pip check
	@touch $@

$(STAMPS)/wheel: requirements/run.txt $(SOURCES) $(STAMPS)/environment
	rm -f dist/*.whl
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	$(PYTHON) tests/support/venv.py .wheel requirements/run.txt
	.wheel/bin/python $(INSTALL) --force-reinstall dist/*.whl && .wheel/bin/python -m pip check
	@touch $@

$(STAMPS)/fuzz: requirements/fuzz.txt | $(STAMPS)/python
	$(PYTHON) tests/support/venv.py .fuzz requirements/fuzz.txt
	@touch $@

fuzz: $(STAMPS)/environment $(STAMPS)/fuzz ## 100,000 hostile requests, by schemathesis and by mutation, on each kind of listener
	PYTHONPATH=tests $(BIN)/python tests/fuzz/run.py --schemathesis .fuzz/bin/schemathesis $(ARGS)

monitoring: $(STAMPS)/environment ## a real Prometheus: every alert fires, every panel shows
	PYTHONPATH=tests $(BIN)/python tests/monitoring/run.py $(ARGS)

soak: $(STAMPS)/environment ## weeks in minutes: probes, reads and outages by the thousand
	PYTHONPATH=tests $(BIN)/python tests/soak/run.py $(ARGS)

attacks: $(STAMPS)/environment ## clients that want it to end, under the memory limit that is shipped (root for a real limit)
	PYTHONPATH=tests $(BIN)/python tests/attacks/run.py $(ARGS)

equivalence: $(STAMPS)/environment ## 20,000 generated cases on each supported Django
	$(BIN)/python tests/equivalence/matrix.py $(ARGS)

equivalence-real: $(STAMPS)/environment ## large public Django projects, migrated for real and stopped along the way
	PYTHONPATH=tests $(BIN)/python tests/real/run.py $(ARGS)

rollback-real: $(STAMPS)/environment ## a large public project to its next release and back, by diff --rollback
	PYTHONPATH=tests $(BIN)/python tests/real/rollback.py $(ARGS)

# Exit code 75: the folder cannot be made today.
newest: | $(STAMPS)/python ## the suite in a folder of Debian unstable: Python, servers, browser (root on Debian)
	PYTHONPATH=tests $(PYTHON) tests/versions/newest.py $(ARGS)

oldest: | $(STAMPS)/python ## the suite with the lowest versions that pyproject.toml allows, on the lowest Python
	PYTHONPATH=tests $(PYTHON) tests/versions/oldest.py $(ARGS)

race: $(STAMPS)/environment ## twenty replicas that all apply migrations at once
	PYTHONPATH=tests $(BIN)/python tests/race/run.py $(ARGS)

tenants: $(STAMPS)/environment ## how the cost of reading 10 to 10,000 schemas grows
	PYTHONPATH=tests $(BIN)/python tests/tenants/growth.py $(ARGS)

faults: $(STAMPS)/environment ## every fault in every phase of the gate, as a table
	PYTHONPATH=tests $(BIN)/python tests/integration/faults/matrix.py $(ARGS)

$(STAMPS)/e2e: requirements/e2e.txt | $(STAMPS)/python
	$(PYTHON) tests/support/venv.py .e2e/tools requirements/e2e.txt
	@touch $@

e2e: $(STAMPS)/environment $(STAMPS)/e2e ## the image and each compose story, with a real Docker engine (ARGS="-k blue_green")
	PYTHONPATH=tests $(BIN)/python tests/e2e/run.py $(ARGS)

# For another base or registry: make images BUILD="--build-arg PYTHON_IMAGE=..."
images: ## the images that compose/ and k8s/ use: migration-sidecar, shop, shop-sidecar
	docker build $(BUILD) --tag migration-sidecar \
	    --build-arg VERSION="$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' sidecar/__init__.py)" \
	    --build-arg REVISION="$$(git rev-parse HEAD 2>&- || echo unknown)" .
	docker build $(BUILD) --tag shop compose/app
	docker build --tag shop-sidecar compose/sidecar

sbom: ## write the SBOM of the image that `make images` built (CycloneDX)
	docker run --rm --network none --entrypoint cat migration-sidecar /opt/sidecar/sbom.cdx.json > sbom.cdx.json

audit: $(STAMPS)/environment $(STAMPS)/e2e ## known vulnerabilities of what is shipped; exit code 75 where nobody could be asked
	$(BIN)/python tools/audit.py .e2e/tools/bin/pip-audit requirements/run.txt

# An environment as an image would have it: nothing of ours that only developers need.
$(STAMPS)/bench: $(STAMPS)/wheel requirements/bench.txt
	$(PYTHON) tests/support/venv.py .bench requirements/bench.txt
	.bench/bin/python $(INSTALL) --force-reinstall dist/*.whl && .bench/bin/python -m pip check
	@touch $@

bench: $(STAMPS)/bench ## what it costs, beside what one would pick instead (ARGS="probe memory" for some rows)
	PYTHONPATH=tests .bench/bin/python tests/bench/run.py $(ARGS)
