# Two commands matter: `make demo` and `make test`. Both need nothing but Python 3.11+ and make.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMPS := .stamps

.PHONY: help demo test lint types contracts unit integration docs lock clean images e2e sbom audit \
        equivalence equivalence-real rollback-real race tenants faults fuzz soak bench monitoring
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(STAMPS)/installed ## bake, watch, migrate and roll back, on a real PostgreSQL (ARGS=--once ends by itself)
	@PYTHONPATH=tests $(BIN)/python compose/demo.py $(ARGS)

test: lint types contracts $(STAMPS)/installed ## everything that must pass
	$(BIN)/pytest --cov --cov-report=term-missing tests/unit tests/equivalence tests/real tests/integration tests/monitoring tests/race $(ARGS)

lint: $(STAMPS)/environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/shellcheck compose/app/entrypoint.sh .ci/run

types: $(STAMPS)/environment
	$(BIN)/mypy

contracts: $(STAMPS)/environment
	$(BIN)/lint-imports

unit: $(STAMPS)/installed ## the fast tests alone
	$(BIN)/pytest tests/unit $(ARGS)

integration: $(STAMPS)/installed ## the tests against a real PostgreSQL alone
	$(BIN)/pytest tests/integration $(ARGS)

docs: $(STAMPS)/installed ## write what the code already says into pages, rules and dashboard
	$(BIN)/python docs/generate.py

lock: $(STAMPS)/environment ## pin the dependencies anew, with hashes
	$(BIN)/uv pip compile $(LOCK) --python-version 3.11 pyproject.toml -o requirements/run.txt
	$(BIN)/uv pip compile $(LOCK) --python-version 3.11 --extra mysql pyproject.toml requirements/dev.in -c requirements/run.txt -o requirements/dev.txt
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
	rm -rf $(VENV) $(STAMPS) .bake .bench .e2e .equivalence .fuzz .real dist build .demo .screenshots .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*

$(STAMPS)/environment: requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "make: Python 3.11 or newer is needed; try make PYTHON=python3.12")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@mkdir -p $(STAMPS) && touch $@

# The tests run against the built wheel, as users will, and not against this folder.
$(STAMPS)/installed: $(STAMPS)/environment pyproject.toml README.md LICENSE $(shell find sidecar -type f -not -name '*.pyc')
	rm -rf dist
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall dist/*.whl
	@touch $@

$(STAMPS)/fuzz: requirements/fuzz.txt
	$(PYTHON) -m venv --clear .fuzz
	.fuzz/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/fuzz.txt
	@mkdir -p $(STAMPS) && touch $@

fuzz: $(STAMPS)/installed $(STAMPS)/fuzz ## 100,000 hostile requests, by schemathesis and by mutation
	PYTHONPATH=tests $(BIN)/python tests/fuzz/run.py --schemathesis .fuzz/bin/schemathesis $(ARGS)

monitoring: $(STAMPS)/installed ## a real Prometheus: every alert fires, every panel shows
	PYTHONPATH=tests $(BIN)/python tests/monitoring/run.py $(ARGS)

soak: $(STAMPS)/installed ## weeks in minutes: probes, looks and outages by the thousand
	PYTHONPATH=tests $(BIN)/python tests/soak/run.py $(ARGS)

equivalence: $(STAMPS)/installed ## 20,000 generated cases on each supported Django
	$(BIN)/python tests/equivalence/matrix.py $(ARGS)

equivalence-real: $(STAMPS)/installed ## large public Django projects, migrated for real and stopped along the way
	PYTHONPATH=tests $(BIN)/python tests/real/run.py $(ARGS)

rollback-real: $(STAMPS)/installed ## a large public project to its next release and back, by diff --rollback
	PYTHONPATH=tests $(BIN)/python tests/real/rollback.py $(ARGS)

race: $(STAMPS)/installed ## twenty replicas that all apply migrations at once
	PYTHONPATH=tests $(BIN)/python tests/race/run.py $(ARGS)

tenants: $(STAMPS)/installed ## how looking at 10 to 10,000 schemas grows
	PYTHONPATH=tests $(BIN)/python tests/tenants/growth.py $(ARGS)

faults: $(STAMPS)/installed ## every fault in every state of the gate, as a table
	PYTHONPATH=tests $(BIN)/python tests/integration/faults/matrix.py $(ARGS)

$(STAMPS)/e2e: requirements/e2e.txt
	$(PYTHON) -m venv --clear .e2e/tools
	.e2e/tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/e2e.txt
	@mkdir -p $(STAMPS) && touch $@

e2e: $(STAMPS)/installed $(STAMPS)/e2e ## the image and each compose story, with a real Docker engine (ARGS="-k blue_green")
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
$(STAMPS)/bench: $(STAMPS)/installed requirements/bench.txt
	cmp -s requirements/bench.txt .bench/pinned || { $(PYTHON) -m venv --clear .bench && \
	    .bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt && \
	    cp requirements/bench.txt .bench/pinned; }
	.bench/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --force-reinstall dist/*.whl
	@touch $@

bench: $(STAMPS)/bench ## what it costs, beside what one would pick instead (ARGS="probe memory" for some rows)
	PYTHONPATH=tests .bench/bin/python tests/bench/run.py $(ARGS)
