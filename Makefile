# Every target installs what it needs: a virtual environment with locked packages and, where it needs
# them, Debian's Prosody, PostgreSQL, Redis, Chromium and the like (no service started or enabled).
#   make install         only the virtual environment, with the command `lastword`
#   make demo            the main job, end to end, on loopback; stays until Ctrl-C
#   make demo ONCE=1     the same, leaves by itself     PEOPLE=800 for more people
#   make test            the tests                      TESTS=tests/test_sync.py for some
#   make alerts          the alerts, on a real Prefect server, worker and webhook: 3 minutes
#   make faults          real processes killed, starved and cut off: 6 minutes
#                        POINTS=50 PEOPLE=800 for all of it (an hour)   SEED=n to repeat
#   make canary          secrets and posts that are unique, and a search for them where none may be
#   make payloads        2,000 hostile payloads through all sources into a real Prosody; SEED=n
#   make check           lint, types, direction of imports
#   make screenshots     the pictures of docs/images/, of the real UI; fails if it lacks a text
#   make bench           all measurements of docs/performance.md
#   make bench NAME=logins   one of bench/, which changes no page      JSON=1 for its figures
#                            SAVE=1 changes it                         ARGS="--accounts 200"
#   make shards          20,000 accounts in shards over two workers, of which some are killed
#                        ARGS="--accounts 2000 --shard-size 200" for fewer
#   make month           thirty days of 800 accounts: nobody lost, or tried or told of too often
#   make chaos           5,000 accounts while everything dies and comes back: docs/chaos.md
#                        SEED=7 to repeat one   SEEDS=1..10   ACCOUNTS=500   FAULTS=12   WORKERS=3
#   make soak            1,000 runs in one process: does anything grow?   CYCLES=100   FLOWS=10
#   make sbom            what the lock has in it, as CycloneDX: sbom.json
#   make audit           known weaknesses of what the lock has in it, from PyPI's database

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PEOPLE ?= 25
TESTS ?= tests
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help install demo test alerts faults canary payloads check screenshots bench shards month chaos soak sbom audit format lock clean

help:
	@sed -n 's/^#  //p' Makefile

install: $(VENV)/.installed

demo: $(VENV)/.installed
	@scripts/install-debian prosody prosody-modules
	@$(BIN)/python -m demo --people $(PEOPLE) $(if $(ONCE),--once)

test: $(VENV)/.installed
	@scripts/install-debian prosody prosody-modules lua-check
	@$(BIN)/python -m pytest -n 3 --dist loadgroup --no-loadscope-reorder $(TESTS)

alerts: $(VENV)/.installed
	@scripts/install-debian prosody prosody-modules
	@$(BIN)/python -m demo.alerts

faults: export SEED := $(or $(SEED),$(shell date +%s))
faults: export POINTS := $(POINTS)
faults: export PEOPLE := $(if $(filter file,$(origin PEOPLE)),,$(PEOPLE))
faults: $(VENV)/.installed
	@scripts/install-debian prosody prosody-modules postgresql iproute2 gcc libc6-dev
	@$(BIN)/python -m pytest -n 2 --dist loadgroup $(or $(NAME:%=faults/test_%.py),faults)

canary:
	@$(MAKE) --no-print-directory faults NAME=canary

payloads: $(VENV)/.installed
	@scripts/install-debian prosody prosody-modules
	@$(BIN)/python -m bench.payloads $(if $(SEED),--seed $(SEED))

check: $(VENV)/.installed
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

screenshots: $(VENV)/.installed
	@scripts/install-debian prosody prosody-modules chromium pngquant fonts-dejavu-core \
		fonts-noto-color-emoji
	@$(BIN)/python -m demo.screenshots docs/images

# Those on the page docs/performance.md; all others by name.
BENCHES := sides distant orchestration scale start
PERFORMANCE := docs/performance
SAVING := $(if $(NAME),$(SAVE),1)
bench: $(VENV)/.installed
	@scripts/install-debian prosody prosody-modules redis-server postgresql
	@for name in $(or $(NAME),$(BENCHES)); do \
		$(BIN)/python -m bench.$$name $(if $(JSON),--json) \
			$(if $(SAVING),--save $(PERFORMANCE)) $(ARGS) || failed=1; \
	done; \
	$(if $(SAVING),$(BIN)/python -m bench.page || failed=1;) \
	exit $${failed:-0}

shards: $(VENV)/.installed
	@scripts/install-debian prosody prosody-modules postgresql redis-server
	@$(BIN)/python -m bench.shards $(ARGS)

month: $(VENV)/.installed
	@$(BIN)/python -m bench.month

chaos: $(VENV)/.installed
	@scripts/install-debian prosody prosody-modules postgresql
	@$(BIN)/python -m bench.chaos $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) \
		$(if $(ACCOUNTS),--accounts $(ACCOUNTS)) $(if $(FAULTS),--faults $(FAULTS)) \
		$(if $(WORKERS),--workers $(WORKERS)) $(if $(MOST),--most $(MOST))

soak: $(VENV)/.installed
	@scripts/install-debian prosody prosody-modules postgresql
	@$(BIN)/python -m bench.soak $(if $(CYCLES),--cycles $(CYCLES)) $(if $(FLOWS),--flows $(FLOWS)) \
		$(if $(JSON),--json)

format: $(VENV)/.installed
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

$(VENV)/.installed: requirements/dev.txt requirements/uv.txt pyproject.toml
	@scripts/install-venv $(PYTHON) $(VENV)
	@touch $@

# Hash-pinned and without index addresses, so that any mirror serves.
LOCK := uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet
lock: $(VENV)/.installed
	$(BIN)/$(LOCK) $(UPGRADE) pyproject.toml --group dev -o requirements/dev.txt
	$(BIN)/$(LOCK) $(UPGRADE) pyproject.toml --extra redis -c requirements/dev.txt -o requirements/run.txt
	echo hatchling | $(BIN)/$(LOCK) $(UPGRADE) - -c requirements/dev.txt -o requirements/build.txt
	echo uv | $(BIN)/$(LOCK) $(UPGRADE) - -o requirements/uv.txt

# Of tools that only these two need: fetched for the moment.
sbom: $(VENV)/.installed
	@$(BIN)/python scripts/sbom $(BIN)/uv >sbom.new && mv sbom.new sbom.json
	@echo sbom.json

audit: $(VENV)/.installed
	@$(BIN)/python scripts/audit $(BIN)/uv

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
