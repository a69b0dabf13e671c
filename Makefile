# Ares. `make` lists what can be made.
# Set-up runs once per change of requirements.lock or pyproject.toml; then it is a no-op.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export OMP_NUM_THREADS ?= 2

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

.PHONY: setup
setup: $(READY) ## Virtual environment, locked dependencies, compiled kernels, homes

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Ares needs Python 3.11 or newer; set PYTHON=..."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setup: installing locked dependencies (once, about a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes --no-deps -r requirements-uv.lock
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip sync --quiet --require-hashes requirements.lock
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e .
	@echo "setup: compiling Python and the kernels (once, about a minute)"
	@$(BIN)/python -m compileall -q -j 2 $(VENV)/lib >/dev/null || true
	@$(BIN)/ares init >/dev/null
	@$(BIN)/python -m ares_jobs.warm
	@touch $@

.PHONY: run
run: $(READY) ## Train ETHUSDT on the simulated exchange in blank mode, all regimes
	@# 3 says that a partition was skipped or degraded, with the reason: that is a result too.
	@$(BIN)/ares blank ETHUSDT SIM || test $$? -eq 3

.PHONY: ui
ui: $(READY) ## Dagster's UI (port 3000) and MLflow's UI (port 5000) on loopback
	@$(BIN)/ares ui

.PHONY: test
test: $(READY) lint ## Format, lint, types and the default tests (minutes)
	@$(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: test-slow
test-slow: $(READY) ## The long tests as well
	@$(BIN)/python -m pytest -m slow

PEERS := .venv-peers
# Five environments, since the peers need different numpy, pandas and numba.
PEER_SETS := $(PEERS) $(PEERS)-vectorbt $(PEERS)-mlfinpy $(PEERS)-nautilus $(PEERS)-freqtrade
.PHONY: bench-peers
bench-peers: $(addsuffix /.ready,$(PEER_SETS)) ## Install the libraries that Ares is measured beside
$(addsuffix /.ready,$(PEER_SETS)): $(PEERS)%.ready: | $(READY)
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@VIRTUAL_ENV=$(CURDIR)/$(@D) $(BIN)/uv pip sync --quiet --require-hashes \
		benchmarks/requirements-peers$(patsubst $(PEERS)%,%,$(@D)).lock
	@touch $@
$(foreach set,$(PEER_SETS),$(eval $(set)/.ready: benchmarks/requirements-peers$(patsubst $(PEERS)%,%,$(set)).lock))

PEERS_READY := $(addsuffix /.ready,$(PEER_SETS))
.PHONY: bench
bench: $(READY) $(PEERS_READY) ## Every row of the table of speed beside the peers (an hour); ROWS="sweep cache" for some
	@$(BIN)/python -m benchmarks.bench $(ROWS) --resume --page docs/benchmarks.md

.PHONY: bench-scale
bench-scale: $(READY) ## Time and memory against bars, parameter sets and symbols, with exponents (minutes)
	@$(BIN)/python -m benchmarks.scale --page docs/benchmarks.md

.PHONY: bench-whole
bench-whole: $(READY) ## Where the time of whole trainings goes, blank and full, by account (minutes)
	@$(BIN)/python -m benchmarks.whole blank
	@$(BIN)/python -m benchmarks.whole full --page docs/benchmarks.md

.PHONY: bench-ingest
bench-ingest: $(READY) $(PEERS)/.ready ## Ten million rows of CSV beside polars, DuckDB, pandas (minutes)
	@$(BIN)/python -m benchmarks.ingest

.PHONY: bench-regimes
bench-regimes: $(READY) ## Regime algorithms on simulated truth beside the oracle (minutes)
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.regimes --first-seed 1001 --seeds 20 --fit-days 180 30 \
		--out benchmarks/results/regimes.json --page docs/regimes.md

.PHONY: bench-search
bench-search: $(READY) ## The sampler of step 12 beside Optuna's, and early stopping (half an hour)
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.search --first-seed 3001 --seeds 20 \
		--out benchmarks/results/search.json --page docs/search.md
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.search_stopping \
		--out benchmarks/results/search_stopping.json --page docs/search.md

.PHONY: bench-learners
bench-learners: $(READY) ## Share of the oracle's forecast that the analysts find, simulated (an hour)
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.learners --first-seed 2001 --seeds 20 --trials 5 \
		--workers 2 \
		--out benchmarks/results/learners.json --page docs/learners.md

.PHONY: bench-real
bench-real: $(READY) ## Every analyst and a FreqAI-like baseline on half a year of real bars (minutes)
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.real_bars \
		--out benchmarks/results/real_bars.json --page docs/learners.md

.PHONY: bench-memory
bench-memory: $(READY) ## Peak memory of a full training on 365 days of real minutes (minutes)
	@$(BIN)/python -m benchmarks.memory --out benchmarks/results/memory.json --page docs/learners.md

.PHONY: bench-honesty
bench-honesty: $(READY) ## What the gate releases on 640 simulated markets (hours; goes on where it stood)
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.honesty \
		--out benchmarks/results/honesty.json --page docs/honesty.md

.PHONY: bench-sample
bench-sample: $(READY) $(PEERS_READY) ## Every benchmark once and small, to see that they run
	@$(BIN)/python -m benchmarks.bench --quick
	@$(BIN)/python -m benchmarks.scale --quick
	@$(BIN)/python -m benchmarks.whole blank --times 1 --out tmp/whole.json
	@$(BIN)/python -m benchmarks.ingest --rows 200000 --repeats 1 --out tmp/ingest.json
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.regimes --seeds 1 --fit-days 30 --test-days 10 \
		--out tmp/regimes.json
	@$(BIN)/python -m benchmarks.features 50000
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.search --problems ZDT1 --seeds 1
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.search_stopping --seeds 1
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.refits --markets FLIP --seeds 1 --which regime \
		--train-days 30 --test-days 10 --refits 2 --out tmp/refits.json
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.drift --seeds 1 --markets NULL --settings H=60 \
		--out tmp/drift.json
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.nested_tactician --seeds 1
	@$(BIN)/python -m benchmarks.gate_power --markets 5
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.honesty --sample --regimes sideways --anew \
		--out tmp/honesty.json
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.learners --seeds 1 --days 60 --trials 3 \
		--out tmp/learners.json
	@if test -d ../shared/market; then \
		OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.real_bars --start 2023-01-01 --cut 2023-02-15 \
			--end 2023-03-01 --trials 3 --resamples 200 --out tmp/real_bars.json && \
		$(BIN)/python -m benchmarks.memory --mode blank --lookback-days 60 --out tmp/memory.json; \
	else echo "bench-sample: real bars are not in ../shared/market; their benchmarks are left out"; fi

.PHONY: test-faults
test-faults: $(READY) ## 1,000 random fault sequences against the collector (minutes)
	@$(BIN)/python tests/faults/summary.py

.PHONY: test-leaks
test-leaks: $(READY) ## Every planted leak, and every column at many rows (minutes)
	@$(BIN)/python -m pytest tests/leaks -m "slow or not slow"

.PHONY: lint
lint: $(READY) ## ruff and mypy
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy

.PHONY: format
format: $(READY) ## Format the code and sort its imports
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

.PHONY: lock
lock: $(READY) ## Resolve requirements.lock anew from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --quiet --upgrade -o requirements.lock
	@grep -E "^uv==" requirements.lock | tr -d "\\\\" | $(BIN)/uv pip compile - --universal --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet -o requirements-uv.lock

.PHONY: clean
clean: ## Remove the environment and all caches; the home in data/ stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
