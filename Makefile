# Everything a user or developer types. Needs only python3 (3.11 or newer) and make: the rest is
# installed into .venv from hash-pinned files. Work is done by python modules; this file names it.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

PYTHON ?= python3
UV := .venv/bin/uv
RUN := .venv/bin/python
LOCATIONS := schema training analytics
# Where import-linter finds the packages that are not installed in the root environment.
SOURCES := locations/schema/src:locations/training/src:locations/analytics/src
# Only as they are typed: shells export some of these names (WSL has NAME), and nobody consents so.
$(foreach name,SERVICE NAME TYPE FROM TO YES REBUILD ACCEPT_LOSS,$(eval $(name) :=))
TARGET := local

# Environments use the Python that was named, never one that uv would fetch by itself.
export UV_PYTHON_DOWNLOADS := never
# Stored bytecode halves the start of every process; some machines switch it off for everything.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

# --- environments ---------------------------------------------------------------------------

.venv/.uv: deploy/local/bootstrap-requirements.txt
	@command -v $(PYTHON) >/dev/null 2>&1 || { echo "error: $(PYTHON) was not found. Install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $$($(PYTHON) --version) is too old. Install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: $(PYTHON) cannot create virtual environments. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --no-user --disable-pip-version-check --require-hashes -r deploy/local/bootstrap-requirements.txt
	@touch $@

# What the stack needs: webserver, daemon, supervisor, stand-ins.
.venv/.stack: .venv/.uv deploy/local/requirements.txt deploy/local/pyproject.toml libs/twd_shared/pyproject.toml
	$(UV) pip install --quiet --python $(RUN) --require-hashes -r deploy/local/requirements.txt
	$(UV) pip install --quiet --python $(RUN) --no-deps -e libs/twd_shared -e deploy/local
	@touch $@

# What developing and testing needs on top.
.venv/.tools: .venv/.stack tests/requirements.txt
	$(UV) pip install --quiet --python $(RUN) --require-hashes -r tests/requirements.txt
	@touch $@

locations/%/.venv/.ready: .venv/.uv locations/%/requirements.txt locations/%/pyproject.toml tests/requirements-unit.txt libs/twd_shared/pyproject.toml
	$(UV) venv --quiet --clear --python $(RUN) locations/$*/.venv
	$(UV) pip install --quiet --python locations/$*/.venv --require-hashes -r locations/$*/requirements.txt -r tests/requirements-unit.txt
	$(UV) pip install --quiet --python locations/$*/.venv --no-deps -e libs/twd_shared -e locations/$*
	@touch $@

# All locations', the sample application's, and the libraries that benchmarks compare with.
benchmarks/.venv/.ready: .venv/.uv benchmarks/requirements.txt $(LOCATIONS:%=locations/%/requirements.txt) $(LOCATIONS:%=locations/%/pyproject.toml) deploy/local/pyproject.toml libs/twd_shared/pyproject.toml
	$(UV) venv --quiet --clear --python $(RUN) benchmarks/.venv
	$(UV) pip install --quiet --python benchmarks/.venv --require-hashes $(LOCATIONS:%=-r locations/%/requirements.txt)
	$(UV) pip install --quiet --python benchmarks/.venv --require-hashes -r benchmarks/requirements.txt
	$(UV) pip install --quiet --python benchmarks/.venv --no-deps -e libs/twd_shared -e deploy/local $(LOCATIONS:%=-e locations/%)
	@touch $@

# The packages that read knowledge bases, by themselves: two releases of Vanna cannot be in one.
READERS := vanna07 vanna2
tests/readers/.venv/%/.ready: .venv/.uv tests/readers/%.txt
	$(UV) venv --quiet --clear --python $(RUN) tests/readers/.venv/$*
	$(UV) pip install --quiet --python tests/readers/.venv/$* --require-hashes -r tests/readers/$*.txt
	@touch $@

LOCATION_ENVIRONMENTS := $(LOCATIONS:%=locations/%/.venv/.ready)
READER_ENVIRONMENTS := $(READERS:%=tests/readers/.venv/%/.ready)
.PRECIOUS: $(LOCATION_ENVIRONMENTS) $(READER_ENVIRONMENTS)

.PHONY: environments
environments: .venv/.tools $(LOCATION_ENVIRONMENTS) $(READER_ENVIRONMENTS) ## Install the environments for development and tests

COMPILE = $(CURDIR)/$(UV) pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-header --no-annotate --no-emit-package twd-shared --upgrade
.PHONY: lock
lock: .venv/.uv ## Recompile all hash-pinned requirements to the newest versions allowed
	cd deploy/local && $(COMPILE) bootstrap-requirements.in -o bootstrap-requirements.txt && $(COMPILE) pyproject.toml -o requirements.txt
	for location in $(LOCATIONS); do (cd locations/$$location && $(COMPILE) -c ../../deploy/local/requirements.txt pyproject.toml -o requirements.txt) || exit 1; done
	cd deploy/helm && $(COMPILE) -c ../local/requirements.txt cluster-requirements.in -o cluster-requirements.txt
	cd deploy/compose && $(COMPILE) -c ../local/requirements.txt -c ../helm/cluster-requirements.txt host-requirements.in -o host-requirements.txt
	cd benchmarks && $(COMPILE) -c ../deploy/local/requirements.txt $(LOCATIONS:%=-c ../locations/%/requirements.txt) requirements.in -o requirements.txt
	cd tests && for set in requirements requirements-unit; do $(COMPILE) -c ../deploy/local/requirements.txt -c ../deploy/compose/host-requirements.txt $(LOCATIONS:%=-c ../locations/%/requirements.txt) $$set.in -o $$set.txt || exit 1; done
	cd tests/readers && for set in $(READERS); do $(COMPILE) -c ../../locations/training/requirements.txt $$set.in -o $$set.txt || exit 1; done

# --- the stack ------------------------------------------------------------------------------

.PHONY: demo up down status logs clean
demo: export TWD_DEMO_STARTED := $(shell date +%s)
demo: .venv/.stack ## Start everything, connect three sample databases and watch them being learnt
	@$(RUN) -m twd_local.demo
up: .venv/.stack ## Start the stack in the background
	@$(RUN) -m twd_local.stack up
# After an interrupted first install there is an interpreter, and nothing that it could run.
down: ## Stop the stack; data is kept
	@if [ -e .venv/.stack ]; then $(RUN) -m twd_local.stack down; else echo "Nothing is installed here, so nothing runs."; fi
status: .venv/.stack ## Show the processes of the stack, their addresses and memory
	@$(RUN) -m twd_local.stack status
logs: .venv/.stack ## Follow the logs: make logs [SERVICE=schema]
	@$(RUN) -m twd_local.stack logs $(SERVICE)
clean: ## Stop the stack and delete its data
	@if [ -e .venv/.stack ]; then $(RUN) -m twd_local.stack clean; fi

.PHONY: connect ask
export NAME DSN TYPE OPTIONS TRAINING DB Q TABLE COLUMN TEXT FROM TO
# Passwords, questions and descriptions are taken as they are typed: make would expand what follows a dollar sign.
$(foreach name,NAME DSN TYPE OPTIONS TRAINING DB Q TABLE COLUMN TEXT FROM TO,\
  $(if $(filter-out undefined file,$(origin $(name))),$(eval override $(name) := $$(value $(name)))))
connect: .venv/.stack ## Register a database: make connect NAME=shop DSN=postgresql://reader:…@host/shop [TYPE=mysql] [OPTIONS='{…}'] [TRAINING='{…}']
	@$(RUN) -m twd_local.stack connect
ask: .venv/.stack ## Find the tables for a question: make ask DB=shop Q="Which customers …?"
	@if [ -z "$$DB" ] || [ -z "$$Q" ]; then echo 'usage: make ask DB=shop Q="Which customers …?"' >&2; exit 2; fi
	@$(RUN) -m twd_local.stack run -- $(RUN) -m twd_shared.retrieval --database "$$DB" -- "$$Q"

.PHONY: describe
# An empty TEXT takes a description back, a forgotten one must not.
describe: .venv/.stack locations/schema/.venv/.ready ## Say what a table or column is: make describe DB=shop TABLE=public.film [COLUMN=rating] TEXT="…"
	@if [ -z "$$DB" ] || [ -z "$$TABLE" ] || [ "$(origin TEXT)" = file ]; then echo 'usage: make describe DB=shop TABLE=public.film [COLUMN=rating] TEXT="…" (TEXT= takes it back)' >&2; exit 2; fi
	@$(RUN) -m twd_local.stack run -- locations/schema/.venv/bin/python -m twd_schema.command describe "$$DB" "$$TABLE" --column="$$COLUMN" --text="$$TEXT"

.PHONY: plan
# That something would change is no failure here; who needs the status runs twd-schema itself.
plan: .venv/.stack locations/schema/.venv/.ready ## Say what a sync would do now, and do nothing of it: make plan DB=shop [JSON=1]
	@if [ -z "$$DB" ]; then echo 'usage: make plan DB=shop [JSON=1]' >&2; exit 2; fi
	@$(RUN) -m twd_local.stack run -- locations/schema/.venv/bin/python -m twd_schema.command plan "$$DB" $(if $(JSON),--json) || { status=$$?; [ $$status = 1 ] || [ $$status = 3 ] || exit $$status; }

.PHONY: migrate-index rollback-index
migrate-index: .venv/.stack ## Serve a schema index made by TWD_EMBED_MODEL, built beside the present one: [REBUILD=1] [ACCEPT_LOSS=1]
	@$(RUN) -m twd_local.index_migration $(if $(REBUILD),--rebuild) $(if $(ACCEPT_LOSS),--accept-loss)
rollback-index: .venv/.stack locations/schema/.venv/.ready ## Serve the schema index that was served before
	@$(RUN) -m twd_local.stack run -- locations/schema/.venv/bin/python -m twd_schema.command rollback-index

.PHONY: sql backup restore
sql: .venv/.stack ## Ask the metadata database in psql: make sql, or make sql < file
	@$(RUN) -m twd_local.sql_session
backup: .venv/.stack ## Save the metadata database and the index while they are in use: make backup [TO=folder]
	@$(RUN) -m twd_local.backup save $${TO:+"$$TO"}
restore: .venv/.stack ## Put a backup in the place of what is there: make restore FROM=folder [YES=1]
	@if [ -z "$$FROM" ]; then echo 'usage: make restore FROM=folder [YES=1]' >&2; exit 2; fi
	@$(if $(filter-out 1 yes,$(YES)),echo 'YES may only be 1: then nothing is asked. Leave it out to be asked.' >&2; exit 2)
	@$(RUN) -m twd_local.backup restore "$$FROM" $(if $(YES),--yes)

.PHONY: promote rollback-model
promote: .venv/.stack locations/training/.venv/.ready ## Serve the version of a knowledge base that is held back: make promote DB=shop
	@if [ -z "$$DB" ]; then echo 'usage: make promote DB=shop' >&2; exit 2; fi
	@$(RUN) -m twd_local.stack run -- locations/training/.venv/bin/python -m twd_training.model_command promote "$$DB"
rollback-model: .venv/.stack locations/training/.venv/.ready ## Serve the version of a knowledge base that was served before: make rollback-model DB=shop
	@if [ -z "$$DB" ]; then echo 'usage: make rollback-model DB=shop' >&2; exit 2; fi
	@$(RUN) -m twd_local.stack run -- locations/training/.venv/bin/python -m twd_training.model_command rollback "$$DB"

.PHONY: suggestions
suggestions: .venv/.stack locations/training/.venv/.ready ## List the questions that got no right answer: make suggestions DB=shop [JSON=1]
	@if [ -z "$$DB" ]; then echo 'usage: make suggestions DB=shop [JSON=1]' >&2; exit 2; fi
	@$(RUN) -m twd_local.stack run -- locations/training/.venv/bin/python -m twd_training.suggestions_command "$$DB" $(if $(JSON),--json)

.PHONY: deploy-schema deploy-training deploy-analytics
deploy-schema: ## Replace one code server only (the same for training, analytics): TARGET=local|compose|k8s [FROM=checkout]
deploy-training: ## Replace the training code server only
deploy-analytics: ## Replace the analytics code server only
deploy-schema deploy-training deploy-analytics: deploy-%: .venv/.stack
	@$(RUN) -m twd_local.deploy $* --target $(TARGET) $(if $(FROM),--from "$(FROM)")

# --- checks ---------------------------------------------------------------------------------

.PHONY: lint format typecheck definitions audit pictures contract test
lint: .venv/.tools ## Check style and the direction of imports
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	PYTHONPATH=$(SOURCES) .venv/bin/lint-imports

format: .venv/.tools ## Format the code
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

typecheck: environments benchmarks/.venv/.ready ## Check types
	@status=0; \
	check() { nice .venv/bin/pyright --pythonpath "$$@" || status=1; }; \
	check .venv/bin/python libs/twd_shared/src deploy/local/src; \
	check benchmarks/.venv/bin/python benchmarks; \
	for location in $(LOCATIONS); do \
		echo "== locations/$$location"; \
		check locations/$$location/.venv/bin/python locations/$$location/src; \
	done; \
	exit $$status

# Loading definitions connects to nothing: the addresses only have to be there.
definitions: export TWD_METADATA_DSN := postgresql://nobody@127.0.0.1:1/metadata
definitions: export TWD_APPLICATION_DSN := postgresql://nobody@127.0.0.1:1/application
definitions: environments ## Check and list the definitions of all locations with dg
	@home=$$(mktemp -d); trap 'rm -rf "$$home"' EXIT; export DAGSTER_HOME="$$home"; \
	printf 'telemetry:\n  enabled: false\nnux:\n  enabled: false\n' > "$$home/dagster.yaml"; \
	status=0; \
	.venv/bin/dg check defs --log-level error || status=1; \
	for location in $(LOCATIONS); do \
		echo "== locations/$$location"; \
		(cd locations/$$location && VIRTUAL_ENV="$$PWD/.venv" .venv/bin/dg list defs) || status=1; \
	done; \
	exit $$status

audit: .venv/.tools ## Look for known vulnerabilities of all pinned packages
	$(RUN) -m twd_local.audit

contract: .venv/.tools ## Write down what is new in the contract between the locations
	$(RUN) tests/architecture/released_contract.py

pictures: environments ## Take the pictures of docs/ anew, in a browser
	TWD_PICTURES=$(CURDIR)/docs $(RUN) -m pytest tests/e2e/test_browser.py

# All of them even when one fails, three at a time, the longest first. The end-to-end tests wait for
# a whole stack more than they work, and not for ever: the other tests give way to them.
test: ## Run every check and every test
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=line environments benchmarks/.venv/.ready
	@echo "Checks and tests, three at a time: what each says is shown when it has ended."
	@$(MAKE) --no-print-directory --jobs=3 --keep-going --output-sync=target test-e2e test-schema \
		lint typecheck definitions test-shared $(LOCATIONS:%=test-%) test-local test-readers \
		test-architecture audit

# A make that a test starts is none of the three, and waits for none of them.
test-%: export MAKEFLAGS :=
test-%: export MFLAGS :=
.PHONY: test-e2e test-shared test-local test-architecture test-readers $(LOCATIONS:%=test-%)
test-schema: ## Run the tests of one location only (the same for training, analytics)
$(LOCATIONS:%=test-%): test-%: environments
	nice locations/$*/.venv/bin/python -m pytest tests/$*
test-readers: environments
	nice locations/training/.venv/bin/python -m pytest tests/readers
test-shared test-local test-architecture: test-%: environments
	nice $(RUN) -m pytest tests/$*
test-e2e: environments
	$(RUN) -m pytest tests/e2e

# --- benchmarks -----------------------------------------------------------------------------

.PHONY: bench bench-extraction bench-index bench-retrieval bench-sync bench-training bench-analytics bench-fleet
bench: bench-extraction bench-index bench-retrieval bench-sync bench-training bench-analytics bench-fleet ## Measure everything that the figures promise
bench-extraction: environments ## Measure how fast schemas are read and saved, against pg_dump: [SERVER=/usr/lib/postgresql/15]
	@$(RUN) -m benchmarks.extraction $(if $(SERVER),--server "$(SERVER)")
bench-index: environments benchmarks/.venv/.ready ## Measure how fast the schema index is published, against LangChain
	@benchmarks/.venv/bin/python -m benchmarks.index
bench-retrieval: environments benchmarks/.venv/.ready ## Measure how well tables are found, against BM25: [DATA=folder]
	@benchmarks/.venv/bin/python -m benchmarks.retrieval $(if $(DATA),--data "$(DATA)")
bench-sync: environments benchmarks/.venv/.ready ## Measure how changed sources are found and synced, against SQLAlchemy's Inspector
	@benchmarks/.venv/bin/python -m benchmarks.sync
bench-training: environments benchmarks/.venv/.ready ## Measure what training keeps through changes and what it costs, against Vanna
	@benchmarks/.venv/bin/python -u -m benchmarks.training
bench-analytics: environments benchmarks/.venv/.ready ## Measure what a day of a million messages costs, and how right the verdicts are, against SQLAlchemy, ADBC and EXPLAIN
	@benchmarks/.venv/bin/python -m benchmarks.analytics
bench-fleet: .venv/.stack ## Measure what becomes of 200 databases connected at once, against importing one by one: [CONNECTIONS=200] [TRAINED=1]
	@$(RUN) -m benchmarks.fleet $(if $(CONNECTIONS),--connections $(CONNECTIONS)) $(if $(TRAINED),--trained)

.PHONY: drill
drill: .venv/.stack ## Break a stack of its own at random moments and see it heal: [ROUNDS=30] [SEED=1] [ONLY=kill]
	@$(RUN) -m benchmarks.drill $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only "$(ONLY)")
