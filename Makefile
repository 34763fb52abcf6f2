# Everything here needs Python 3.11 or newer with its venv module, and make. `make help` lists the targets.

PYTHON ?= python3
HARNESS = .venv/bin/harness
# A test that hangs fails by its name, with the stacks of its threads; the worker of one that does not feel that ends.
# The slowest takes two minutes on a quiet machine, and five times that beside six busy processes.
PYTEST = .venv/bin/pytest -q -rfEs --timeout=900 -o faulthandler_timeout=1200 -o faulthandler_exit_on_timeout=true
TESTS ?= tests --ignore=tests/interop --ignore=tests/browser --ignore=tests/fleet
WORKERS ?= 4
DEPLOYMENTS = $(wildcard scenarios/deployments/simulated-*.toml)

unexport PYTHONDONTWRITEBYTECODE  # each of a run's processes would compile everything anew

.DEFAULT_GOAL := help
.PHONY: soak fuzz audit sbom help verify test test-browser lint bench accuracy selfproof shapes mutants test-interop clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /  make \1\t/p' Makefile | expand -t 22

verify: .venv/.ready  ## the whole matrix of every integration against the simulated world
	@$(HARNESS) verify $(DEPLOYMENTS) $(ARGS)

test: .venv/.developer  ## the tests of the harness itself, without the long ones (`ARGS="-m nightly"`: those alone)
	@$(PYTEST) $(TESTS) -n $(WORKERS) --dist worksteal -m "not nightly" $(ARGS)

bench: .venv/.developer  ## how fast: the matrix, the verdicts, what a leg costs (reports/bench.json)
	@.venv/bin/python -m tools.speed $(ARGS)

accuracy: .venv/.developer  ## how often the ear is wrong (reports/accuracy.json; some minutes)
	@.venv/bin/python -m tools.accuracy $(ARGS)

test-browser: .venv/.developer  ## the pages in Chromium, which apt brings: read, searched, played, printed
	@$(PYTEST) tests/browser $(ARGS)

.PHONY: test-fleet
test-fleet: .venv/.developer  ## four sites with Celery and a real Redis, which apt brings: limits over all, and kills (reports/fleet.json; minutes)
	@command -v redis-server >/dev/null || { echo "environment: there is no redis-server; apt-get install redis-server" >&2; exit 2; }
	@$(PYTEST) tests/fleet $(ARGS)

test-interop: .venv/.developer  ## against Kamailio, SIPp, baresip, rtpengine, which apt brings (reports/interop.json; some minutes)
	@.venv/bin/python -m tools.interop $(ARGS)

.PHONY: selfproof-strangers
selfproof-strangers: .venv/.developer  ## the same on Kamailio, rtpengine and baresip, through a wire that changes bytes (reports/strangers.json; some minutes)
	@.venv/bin/python -m tools.strangers $(ARGS)

.PHONY: odd
odd: .venv/.developer  ## rows against an odd platform that others wrote (reports/odd.json; ARGS="--platform DIR -k second --times 10")
	@.venv/bin/python -m tools.odd $(ARGS)

selfproof: .venv/.developer  ## every fault injected, detected and named; no false alarm (reports/selfproof.json, docs/selfproof.md; some minutes)
	@.venv/bin/python -m tools.selfproof $(ARGS)

liveproof: .venv/.developer  ## a live run says only what it saw (reports/liveproof.json, docs/liveproof.md; half an hour, ARGS="--sample 12" two minutes)
	@.venv/bin/python -m tools.liveproof $(ARGS)

shapes: .venv/.developer  ## customers that are drawn, each verified clean and with a fault (reports/shapes.json; hours, ARGS="--customers 5" some minutes, ARGS="--from 0" goes on)
	@.venv/bin/python -m tools.shapes $(ARGS)

.PHONY: corpus
corpus: .venv/.developer  ## the stored cases of tests/contract/corpus, recorded anew (an hour or two; ARGS=--expect: only what is expected of them)
	@.venv/bin/python -m tools.corpus $(ARGS)

.PHONY: reference
reference: .venv/.developer  ## docs/cli.md, the keys in docs/deployment.md and the JSON Schemas in docs/reference, from the code
	@.venv/bin/python -m tools.reference

.PHONY: coverage
coverage: .venv/.developer  ## statements and branches that tests of rooms and processes reach, by room (reports/coverage.json; some minutes)
	@.venv/bin/python -m tools.coverage $(ARGS)

mutants: .venv/.developer  ## operators, conditions and constants changed one at a time: how many a test notices (reports/mutation.json; an hour and more, ARGS="--sample 150" some minutes)
	@.venv/bin/python -m tools.mutation $(ARGS)

soak: .venv/.developer  ## thousands of calls in one run, softphones killed meanwhile: nothing lost, nothing grows (reports/soak.json; ARGS="--cases 200" is a short run)
	@.venv/bin/python -m tools.soak $(ARGS)

.PHONY: stalls
stalls: .venv/.developer  ## the unit tests while their processes are stopped for moments: what takes for granted that no time passes fails (reports/stalls.json; ten minutes; ARGS="--matrices 2": the simulated matrix beside a load)
	@.venv/bin/python -m tools.stalls $(ARGS)

fuzz: .venv/.developer  ## a million inputs that nobody designed to all that reads what others wrote (reports/fuzz.json; ARGS="--inputs 20000" is a short run)
	@.venv/bin/python -m tools.fuzz $(ARGS)

audit: .venv/.developer  ## known vulnerabilities of what uv.lock names (needs pypi.org)
	@.uv/bin/uv export -q --locked --all-extras --no-emit-project --format requirements.txt -o .venv/requirements.txt
	@.uv/bin/uv run -q --isolated --locked --only-group audit pip-audit -r .venv/requirements.txt --require-hashes --disable-pip --strict

sbom: .venv/.developer  ## what the package is made of: CycloneDX with licences, which are checked (reports/sbom.json)
	@.uv/bin/uv export -q --locked --all-extras --no-default-groups --preview-features sbom-export --format cyclonedx1.5 | .venv/bin/python -m tools.supply_chain

.PHONY: wheel
wheel:  ## the wheel, and the source archive, in dist/; hashes of all that builds it are checked
	@$(BOOTSTRAP) wheel

.PHONY: test-wheel
test-wheel: .venv/.developer  ## a fresh clone: wheel built in each way, installed beside Python 3.11 and 3.12, used from an empty directory (minutes)
	@.venv/bin/python -m tools.wheel
.PHONY: docs docs-pictures
docs: .venv/.developer  ## the documents as a site, every link checked (reports/site/html/index.html)
	@.venv/bin/python -m tools.site

docs-pictures: .venv/.developer  ## the pictures in docs/images, of a run with a fault; needs Chromium, which apt brings
	@.venv/bin/python -m tools.site.pictures

.PHONY: release-check
release-check: .venv/.developer  ## version, changelog and tag name one release
	@.venv/bin/python -m tools.release

lint: .venv/.developer  ## types, style, spelling, and which module may import which
	@.venv/bin/mypy & types=$$!; .venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/lint-imports \
	&& .venv/bin/codespell && .venv/bin/typos --format brief; style=$$?; wait $$types && exit $$style

clean:  ## removes what was built; reports stay
	@rm -rf .venv .uv dist .ci/bootstrap.lock .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

BOOTSTRAP = command -v $(PYTHON) >/dev/null || { echo "environment: there is no $(PYTHON); needed: Python 3.11 or newer" >&2; exit 2; }; $(PYTHON) .ci/bootstrap.py
ENVIRONMENT = uv.lock pyproject.toml hatch_build.py $(shell find harness -name '*.[ch]') .ci/uv.txt .ci/bootstrap.py

.venv/.ready .venv/.developer: $(ENVIRONMENT)
	@$(BOOTSTRAP) $(patsubst .%,%,$(notdir $@))
