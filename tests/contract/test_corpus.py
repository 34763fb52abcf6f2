"""What is said of some 700 stored cases changes only together with ``corpus/expected.txt``.

Each was recorded once with its faults and is judged again here, from its events: findings, verdict and diagnosis. ``make corpus
ARGS=--expect`` writes what is expected again; ``make corpus`` records all of them anew (``tools/corpus.py``).
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path

import pytest

from tests.contract.harness_command import harness
from tools import corpus


def test_stored_cases_are_judged_as_expected(tmp_path: Path) -> None:
    run = corpus.unpacked(tmp_path)
    done = harness("report", run, "--rejudge", "--json", cwd=tmp_path)
    assert done.returncode in (0, 1), done.stderr  # 1: this version differs from the one that recorded
    now = list(corpus.expectations(json.loads(done.stdout)))
    committed = corpus.EXPECTED.read_text(encoding="utf-8").splitlines()
    if diff := list(difflib.unified_diff(committed, now, "expected", "now", lineterm="", n=0)):
        pytest.fail("\n".join(["if that is intended: make corpus ARGS=--expect", *diff]), pytrace=False)


def test_the_corpus_is_as_large_as_it_has_to_be() -> None:
    """A corpus that shrinks, or an archive that is missing, would make the test above pass by itself."""
    proofs = [line.partition(".")[0] for line in corpus.EXPECTED.read_text(encoding="utf-8").splitlines()]
    assert {proof: proofs.count(proof) for proof in corpus.LEAST if proofs.count(proof) < corpus.LEAST[proof]} == {}
    assert sum(path.stat().st_size for path in corpus.CORPUS.iterdir()) <= 20_000_000
