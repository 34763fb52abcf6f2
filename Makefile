# Everything here needs Python 3.11 or newer with its venv module, and make. `make help` lists the targets.

PYTHON ?= python3
HARNESS = .venv/bin/harness
DEPLOYMENTS = scenarios/deployments/simulated-talkdesk.toml scenarios/deployments/simulated-gladly.toml

unexport PYTHONDONTWRITEBYTECODE  # each of a run's processes would compile everything anew

.DEFAULT_GOAL := help
.PHONY: help verify test lint bench accuracy selfproof mutants test-interop clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /  make \1\t/p' Makefile | expand -t 22

verify: .venv/.ready  ## the whole matrix of both integrations against the simulated world
	@$(HARNESS) verify $(DEPLOYMENTS) $(ARGS)

test: .venv/.ready  ## the tests of the harness itself
	@.venv/bin/pytest tests --ignore=tests/interop --ignore=tests/browser -n auto -q $(ARGS)

bench: .venv/.ready  ## how fast: the matrix, the verdicts, what a leg costs (reports/bench.json)
	@.venv/bin/python -m harness.bench.calls $(ARGS)

accuracy: .venv/.ready  ## how often the ear is wrong (reports/accuracy.json; some minutes)
	@.venv/bin/python -m harness.bench.accuracy $(ARGS)

test-interop: .venv/.ready  ## against Kamailio, SIPp, baresip, rtpengine, which apt brings (reports/interop.json; some minutes)
	@.venv/bin/python -m harness.bench.interop $(ARGS)

selfproof: .venv/.ready  ## every fault injected, detected and named; no false alarm (reports/selfproof.json, docs/selfproof.md; some minutes)
	@.venv/bin/python -m harness.bench.selfproof $(ARGS)

mutants: .venv/.ready  ## one rule, check or expectation less at a time: a test notices each (reports/mutants.json; half an hour, ARGS="rules checks" 3 minutes)
	@.venv/bin/python -m harness.bench.mutants $(ARGS)

lint: .venv/.ready  ## types, style, and which module may import which
	@.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports

clean:  ## removes what was built; reports stay
	@rm -rf .venv .uv .ci/bootstrap.lock .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.ready: uv.lock pyproject.toml .ci/uv.txt .ci/bootstrap.py
	@command -v $(PYTHON) >/dev/null || { echo "environment: there is no $(PYTHON); needed: Python 3.11 or newer" >&2; exit 2; }
	@$(PYTHON) .ci/bootstrap.py
