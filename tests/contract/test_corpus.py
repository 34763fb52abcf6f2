"""What is said of the stored cases changes only together with ``corpus/expected.txt``.

Each was recorded once with its faults and is judged again here, from its events: findings, verdict
and diagnosis. ``make corpus ARGS=--expect`` writes what is expected again; ``make corpus`` records
all of them anew (``tools/corpus.py``).
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path

import pytest

from harness.diagnosis.catalogue import causes, rules_of
from tests.contract.harness_command import start
from tests.unit.diagnosis.every_example import EXAMPLES
from tools import corpus

#: How many cases of each proof are committed at least.
COMMITTED = {"selfproof": 350, "strangers": 80, "liveproof": 80, "shapes": 60, "passed": 100}


def test_stored_cases_are_judged_as_expected(tmp_path: Path) -> None:
    run = corpus.unpacked(tmp_path)
    process = start("report", run, "--rejudge", "--json", cwd=tmp_path)
    output, errors = process.communicate()
    assert process.returncode in (0, 1), (
        errors
    )  # 1: this version differs from the one that recorded
    now = list(corpus.expectations(json.loads(output)))
    committed = corpus.EXPECTED.read_text(encoding="utf-8").splitlines()
    if diff := list(difflib.unified_diff(committed, now, "expected", "now", lineterm="", n=0)):
        pytest.fail(
            "\n".join(["if that is intended: make corpus ARGS=--expect", *diff]), pytrace=False
        )


def test_the_log_alone_decides(tmp_path: Path) -> None:
    """Without their findings the stored cases are judged the same. Only cases with masked numbers
    need these.
    """
    run = corpus.unpacked(tmp_path)
    taken_out = set()
    for path in run.glob("cases/*/case.json"):
        case = json.loads(path.read_bytes())
        if not case["mask"]:
            taken_out.add(path.parent.name)
            del case["end"]["findings"]
            path.write_text(json.dumps(case))
    process = start("report", run, "--rejudge", "--json", cwd=tmp_path)
    output, errors = process.communicate()
    assert process.returncode in (0, 1), errors
    now = set(corpus.expectations(json.loads(output)))
    committed = corpus.EXPECTED.read_text(encoding="utf-8").splitlines()
    judged = [line for line in committed if line.partition(" | ")[0] in taken_out]
    assert len(judged) == len(taken_out) > 1000
    assert [line for line in judged if line not in now] == []


def test_every_rule_and_every_cause_has_an_example_or_a_stored_case(tmp_path: Path) -> None:
    shown = {expected.rule for expected in EXAMPLES}
    for path in corpus.unpacked(tmp_path).glob("cases/*/case.json"):
        diagnosis = json.loads(path.read_bytes())["end"].get("diagnosis") or {"causes": []}
        shown |= {cause["rule"] for cause in diagnosis["causes"]}
    rules = {rule.id: rule for name in ("talkdesk", "gladly") for rule in rules_of(name)}
    assert sorted(rules.keys() - shown) == []
    assert set(causes()) == {rules[rule].cause for rule in shown}


def test_the_corpus_does_not_shrink() -> None:
    """An archive that is missing would make the test above pass by itself. ``make corpus`` says
    which proofs still lack cases.
    """
    proofs = [
        line.partition(".")[0] for line in corpus.EXPECTED.read_text(encoding="utf-8").splitlines()
    ]
    assert {
        proof: proofs.count(proof) for proof in COMMITTED if proofs.count(proof) < COMMITTED[proof]
    } == {}
    assert sum(path.stat().st_size for path in corpus.CORPUS.iterdir()) <= 20_000_000
