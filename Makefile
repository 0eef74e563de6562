# telecine: `make demo` and `make test` need Python 3.11+ and make, nothing else.
# Two locks: requirements.txt is what telecine needs to run, requirements-test.txt what the tests need beside it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Bytecode is kept, whatever the shell says: without it a service takes three times as long to start.
unexport PYTHONDONTWRITEBYTECODE
# --no-deps: a lock is complete. --no-compile (below): Python compiles what is used, which is a small part.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps
COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --quiet
PACKAGES := contracts jetstream chassis services/gateway services/credits services/generation services/storage emulator auditor cli

.PHONY: help setup setup-test demo test test-fast test-postgres test-containers test-books test-observability check bench bench-short bench-peers lock clean \
        compose-secrets compose-up compose-demo compose-down test-compose

help:            ## list the targets
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /	/'

setup: $(VENV)/.ready  ## make the virtual environment with what telecine needs to run

setup-test: $(VENV)/.ready-test  ## the same with what the tests need, too

$(VENV)/.ready: requirements.txt $(PACKAGES:%=%/pyproject.toml)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "telecine needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --require-hashes --no-compile -r requirements.txt
	$(INSTALL) --no-build-isolation $(PACKAGES:%=-e ./%)
	@touch $@

$(VENV)/.ready-test: requirements-test.txt $(VENV)/.ready
	$(INSTALL) --require-hashes --no-compile -r requirements-test.txt
	@touch $@

demo: setup      ## a text and an image become stored videos, on embedded parts
	@$(BIN)/telecine demo

test: setup-test  ## every test, on a real nats-server and a real S3 server
	@$(BIN)/python -m pytest

# `make test` alone builds wheels (test_wheel.py) and takes thousands of random examples (marked "slow").
test-fast: setup-test  ## unit tests, contract suites on twins in memory, and `make check`: no server is started
	@$(BIN)/python -m pytest tests/unit tests/contract tests/tidy -m "not server and not slow" --ignore-glob='*/test_wheel.py'

test-postgres: setup-test  ## the same tests with every service on a real Postgres
	@TELECINE_TEST_DATABASE=postgres $(BIN)/python -m pytest tests/contract tests/integration tests/chaos

# What depends on the version and the platform of a server: ports, streams and consumers, tables, transfers, one whole saga.
CONTAINER_TESTS := tests/contract $(addprefix tests/integration/,chassis/eventstore chassis/consumers chassis/projections \
  credits gateway storage auditor/commands/test_database_comparison.py system/saga/test_generation_lifecycle.py)

test-containers: setup-test  ## what depends on a server, on servers in containers, all tables in Postgres (needs Docker)
	@TELECINE_TEST_PARTS=containers TELECINE_TEST_DATABASE=postgres TESTCONTAINERS_RYUK_DISABLED=true \
	  $(BIN)/python -m pytest $(CONTAINER_TESTS)

test-books: setup-test  ## the exported books, confirmed by hledger itself
	@command -v hledger >/dev/null || { echo "test-books: hledger is not on PATH; get it from your system's packages (Debian: apt-get install hledger)" >&2; exit 1; }
	@$(BIN)/python -m pytest tests/books

test-observability: setup-test  ## a real stack, read by Prometheus itself with the rules and the dashboard
	@for program in prometheus promtool; do command -v $$program >/dev/null || { echo "test-observability: $$program is not on PATH; get it from your system's packages (Debian: apt-get install prometheus, or .ci/prometheus without root)" >&2; exit 1; }; done
	@$(BIN)/python -m pytest -n 0 tests/observability

check: setup-test  ## format, lint, types, import rules: what the tidy tests run
	@$(BIN)/python -m pytest tests/tidy

bench: setup-test  ## measured figures, each beside a peer or a physical limit
	@$(BIN)/python -m bench

bench-short: setup-test  ## the same with shorter runs and rougher figures: a minute or two
	@$(BIN)/python -m bench --quick

PEERS := bench/peers/.venv
$(PEERS)/.ready: bench/peers/requirements.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

bench-peers: setup-test $(PEERS)/.ready  ## telecine beside DBOS, plain FastStream and LiteLLM, in one run (installs them apart)
	@$(BIN)/python -m bench.peers

lock:            ## requirements*.in -> requirements*.txt, deploy/requirements (hashes, every platform; needs uv)
	$(COMPILE) requirements.in --output-file requirements.txt
	$(COMPILE) requirements-test.in --output-file requirements-test.txt
	$(COMPILE) bench/peers/requirements.in --output-file bench/peers/requirements.txt
	deploy/lock

compose-secrets: ## make .env and the secrets of docker-compose.yml that are missing (needs Docker)
	@test -f .env || cp .env.example .env
	docker compose build operator
	mkdir -p deploy/secrets
	docker run --rm --user "$$(id -u):$$(id -g)" --volume "$$PWD/deploy/secrets:/secrets" telecine/operator secrets /secrets

compose-up: compose-secrets  ## the whole system in containers, as on a server (needs Docker)
	docker compose build
	docker compose up --detach --wait
	@docker compose ps --format 'table {{.Name}}\t{{.Status}}\t{{.Ports}}'

compose-demo: compose-up  ## the demo against the system in containers, which is started where it is not
	docker compose run --rm operator demo --against http://proxy:8080 --out /data/demo \
	  --auditor-seed /run/secrets/nats_auditor --checkpoint-key /run/secrets/checkpoint_key_pub

compose-down:    ## stop the system in containers; its data stay in volumes
	docker compose --profile '*' down

test-compose: export TELECINE_GATEWAY_REPLICAS = 2
test-compose: export TELECINE_CREDITS_REPLICAS = 2
test-compose: export TELECINE_GENERATION_REPLICAS = 3
test-compose: export TELECINE_STORAGE_REPLICAS = 2
test-compose: setup-test compose-up  ## several of every service in containers: shared work, rolling restarts (needs Docker)
	@$(BIN)/python -m pytest -n 0 tests/compose

clean:           ## remove what make made
	rm -rf $(VENV) demo data
