# Everything runs from a virtual environment in the clone; nothing outside it is touched.
VENV  := .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed
TOOLS := .venv-packaging

.DEFAULT_GOAL := help

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(STAMP): requirements/dev.txt pyproject.toml scripts/venv.sh
	@sh scripts/venv.sh $(VENV)
	@touch $@

venv: $(STAMP) ## make the virtual environment

demo: $(STAMP) ## simulator and gateway together, no credentials needed
	@$(BIN)/zoom-gateway demo

lint: $(STAMP) ## format, ruff, mypy, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: $(STAMP) ## every test that needs nothing but this clone
	$(BIN)/python -m pytest --numprocesses=4 --dist=worksteal

test-processes: $(STAMP) ## what starts many processes, every finding of `check` among it: needs what test-deps installs
	$(BIN)/python -m pytest --numprocesses=4 --dist=worksteal tests/cli/doctor tests/processes

test-fleet: $(STAMP) ## several gateways, real faults: needs what test-deps installs
	$(BIN)/python -m pytest --timeout=300 tests/fleet/test_a_day.py \
		tests/fleet/test_tcp_proxy.py tests/fleet/test_storm.py
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target fleet-1 fleet-2

# Most of their time they wait.
fleet-1: FILES := deaths duel canary_everywhere cores
fleet-2: FILES := outages skew rolling
fleet-1 fleet-2:
	$(BIN)/python -m pytest --timeout=300 $(FILES:%=tests/fleet/test_%.py)

test-pacing: $(STAMP) ## eight replicas keep just under Zoom's limits, and are fair: alone on the machine
	$(BIN)/python -m pytest --timeout=300 tests/fleet/test_paced.py

test-soak: $(STAMP) ## everything goes wrong at once, two minutes; SOAK=long: an hour. Needs what test-deps installs
	$(BIN)/python -m pytest --timeout=3000 $(if $(filter long,$(SOAK)),,--numprocesses=2 --dist=loadfile) tests/soak

$(TOOLS)/.installed: requirements/packaging.txt scripts/packaging_venv.sh
	@sh scripts/packaging_venv.sh $(TOOLS)
	@touch $@

test-packaging: $(STAMP) $(TOOLS)/.installed ## image, chart, alerts and page, for real: needs what test-deps installs
	$(BIN)/python -m pytest --numprocesses=3 --dist=loadfile --timeout=600 tests/packaging

bench-fleet: $(STAMP) ## what test-fleet does, at full length, as a table
	@$(BIN)/python benchmarks/fleet.py

bench-deps: ## what the next two start beside the gateway (nginx, wrk, Envoy, Node ...): apt-get as root, npm, pip
	@sh scripts/bench_deps.sh .cache/bench

bench: $(STAMP) ## what a call costs, beside other proxies: five minutes, as a table. Needs what bench-deps installs
	@$(BIN)/python benchmarks/overhead.py

bench-full: $(STAMP) ## the same at length, and how it grows: half an hour; writes docs/performance.md
	@$(BIN)/python benchmarks/overhead.py --full --write docs
	@$(BIN)/python benchmarks/anatomy.py --write docs
	@$(BIN)/python benchmarks/scaling.py --write docs

test-deps: ## what tests start (Redis, Prometheus, Chromium, podman ...), by apt-get as root
	@sh scripts/test_deps.sh

client-deps: ## clients with hard-coded hosts, that test-processes runs: pip and npm
	@sh scripts/client_deps.sh .cache/clients

core-coverage: $(STAMP) ## each core module, covered in full by its own test file
	$(BIN)/python scripts/core_coverage.py

docs: $(STAMP) ## write the generated pages anew
	$(BIN)/python -m gateway.settings.reference > docs/configuration.md
	$(BIN)/python scripts/slot_diagram.py docs
	$(BIN)/python scripts/dashboard.py > helm/files/dashboard.json

site: $(STAMP) ## these pages as a site, in build/site
	$(BIN)/python -m sphinx -W --keep-going -b html -d build/doctrees docs build/site

image: ## the container image, with docker or ENGINE=podman
	$(or $(ENGINE),docker) build --tag zoom-gateway \
		--build-arg VERSION=$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' gateway/__init__.py) \
		--build-arg REVISION=$$(git rev-parse HEAD) .

audit: $(STAMP) ## known vulnerabilities of what is installed; needs a network: 3 means not audited
	@$(BIN)/python scripts/audit.py

sbom: $(STAMP) ## the bill of materials (CycloneDX), in build/
	$(BIN)/python scripts/sbom.py --output build/sbom.json
	$(BIN)/python scripts/sbom.py --requirements requirements/otel.txt --output build/sbom-image.json

lock: $(STAMP) ## resolve the locked requirements anew
	sh scripts/lock.sh $(VENV)

clean: ## remove what was built
	rm -rf $(VENV) $(TOOLS) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .cache

.PHONY: help venv demo lint format test test-processes test-fleet fleet-1 fleet-2 test-packaging test-pacing test-soak audit sbom bench bench-full bench-deps bench-fleet test-deps client-deps core-coverage docs site image lock clean
