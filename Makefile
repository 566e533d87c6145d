# make help lists what there is. A fresh clone on Debian 12 with Python 3.11 needs nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements-dev.lock
# One stamp for each content of the lock: a changed lock installs again, anything else does not.
STAMP := $(VENV)/installed-$(shell cat $(LOCK) pyproject.toml | sha256sum | cut -c1-16)
TESTS ?= tests
TRIALS ?= 1000
CORES ?= 2

.DEFAULT_GOAL := help
.PHONY: help deps test check format bench faults screenshots demo lock clean

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(STAMP): $(LOCK) pyproject.toml scripts/make-venv
	@scripts/make-venv "$(PYTHON)" $(VENV) $(LOCK)
	@rm -f $(VENV)/installed-* && touch $@

deps: $(STAMP) ## install what development needs: .venv, PostgreSQL 15 and Chromium
	@scripts/need-debian

test: deps ## run the tests (TESTS=tests/plan runs a part)
	@$(BIN)/pytest -n $(CORES) --dist worksteal $(TESTS)

check: $(STAMP) ## format, lint, types, import layers, what no commit may hold
	@scripts/check $(BIN)

format: $(STAMP) ## format the code and sort its imports
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

faults: deps ## a thousand kills and failed writes during apply (TRIALS=40: as many as in make test)
	@DOMICILE_TRIALS=$(TRIALS) $(BIN)/pytest -n $(CORES) --dist worksteal -m faults $(TESTS)

bench: $(STAMP) ## run the benchmarks, print figures beside their bars (BENCH="move lake", QUICK=1)
	@BENCH_QUICK=$(QUICK) $(BIN)/python -m bench $(BENCH)

screenshots: deps ## take the pictures of docs/images anew
	@$(BIN)/python scripts/make_screenshots.py

demo: $(STAMP) ## a whole estate on this machine, end to end
	@$(BIN)/domicile demo

lock: ## write the lock files anew; needs uv
	@scripts/write-locks

clean: ## remove what make made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .hypothesis
