# Every verb sets up what it needs: a fresh clone needs Python >= 3.11 and make, nothing else.
SHELL := /bin/bash
# Without bytecode each process compiles all that it imports: a second of CPU more per start of a service.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
ARGS ?=
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
MEMBERS := schemas services/chassis services/ingest services/scorer services/router services/sla-monitor services/desk deploy/local
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header --group pyproject.toml:dev $(MEMBERS:%=%/pyproject.toml) \
	$(foreach m,schemas chassis ingest scorer router sla-monitor desk local,--no-emit-package baton-$(m))

.PHONY: help setup run audit test conformance lint format schemas bench chaos chaos-long chaos-matrix chaos-mutants lock clean

help: ## list every verb
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'
	@echo '  options go in ARGS, e.g. make run ARGS=--fresh; make run ARGS=--help lists them'

setup: .venv/ready ## make the environment (.venv) from requirements.lock

.venv/ready: requirements.lock $(MEMBERS:%=%/pyproject.toml)
	@test -n "$(PYTHON)" || { echo 'Baton needs Python 3.11 or newer, and none was found on PATH (set PYTHON=/path/to/python3).' >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || { rm -rf .venv; \
		echo 'Python could not make a virtual environment; on Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }
	@echo 'Setting up .venv (the first time this downloads about 150 MB) ...'
	@grep -A 200 '^uv==' requirements.lock | awk 'NR>1 && !/^ / {exit} {print}' > .venv/uv.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock \
		&& $(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements.lock || { \
		echo 'The packages could not be downloaded (see above): check the network and run again, what has come is kept.' >&2; exit 1; }
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(MEMBERS:%=-e ./%)
	@touch $@

run: setup ## start everything: real Kafka, real Postgres, the services, demo traffic (ARGS=--help)
	@exec $(BIN)/python -m baton_local run $(ARGS)

audit: setup ## compare topics and databases of the running system, invariant by invariant (ARGS=--json)
	@$(BIN)/baton audit $(ARGS)

test: setup ## unit, contract, integration and end-to-end tests on real Kafka and Postgres (ARGS='-n 0 -k word': in one process)
	@$(BIN)/python -m pytest -p tests.distribution -n auto --maxprocesses 4 --dist loadscope $(ARGS)

conformance: setup ## released clients of servers against Baton (npm and uv fetch them)
	@$(BIN)/python -m pytest tests/conformance -rs $(ARGS)

lint: setup ## ruff, mypy strict, import contracts, generated files and lock file fresh
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m schemas.export --check
	$(BIN)/python -m ingest.openapi --check
	@cp requirements.lock .venv/requirements.check && $(LOCK) -o .venv/requirements.check \
		&& diff -q requirements.lock .venv/requirements.check >/dev/null \
		|| { echo 'requirements.lock does not match the pyproject.toml files: run make lock' >&2; exit 1; }

format: setup ## format the code, fix what ruff can fix
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

schemas: setup ## generate JSON Schemas, asyncapi.yaml and openapi.json
	@$(BIN)/python -m schemas.export && $(BIN)/python -m ingest.openapi

bench: setup ## benchmarks of ingest and scorer (ARGS=--help)
	@$(BIN)/python -m tests.bench $(ARGS)

chaos: setup ## break the relay in every way under load, 18 min, and count what came of it (ARGS=--help)
	@exec $(BIN)/python -m tests.chaos $(ARGS)

chaos-long: setup ## the same for an hour
	@exec $(BIN)/python -m tests.chaos --minutes 60 $(ARGS)

chaos-matrix: setup ## every crash point of the delivery protocol three times, then slow and special faults one by one
	@$(BIN)/pytest tests/chaos/points -m slow --rows-repeat 3 $(ARGS)
	@exec $(BIN)/python -m tests.chaos --special

chaos-mutants: setup ## take each guard out of a scratch copy: a suite has to go red (ARGS=--help)
	@exec $(BIN)/python -m tests.chaos.mutants $(ARGS)

lock: setup ## resolve the dependencies anew into requirements.lock (ARGS=--upgrade)
	@$(LOCK) $(ARGS) -o requirements.lock

clean: ## remove the environment and caches (the data in .baton/ stays)
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
