"""Keys of a deployment file that are others in the simulated world: each is noticed by the case that
``tests/contract/keys.toml`` names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.case.verdict import Verdict
from harness.integrations import load, matrix
from harness.integrations.matrix import Case
from harness.report.evidence import CaseEvidence
from tests.keys import FILES, seen_in, text_of


def run(tree: Any, file: str, text: str) -> tuple[int, str, dict[str, Case]]:
    """Exit code, output and the cases that ``keys.toml`` names, of a run of these alone."""
    path: Path = tree.path / f"{file}.toml"
    path.write_text(text)
    cases = matrix.cases([load(path, secrets=False)])
    asked = {case.id: case for case in cases if any(one.is_in(case) for one in seen_in(file))}
    (tree.path / "cases").write_text("\n".join(asked))
    root = Path(__file__).parents[2]
    code, output = tree.run(
        *(str(root / "scenarios"), "--rootdir", str(root), "--deployment", str(path)),
        *("--cases", str(tree.path / "cases"), "-n", "3", "--reports", str(tree.path / "reports")),
        live=False,
    )
    return code, output, asked


@pytest.mark.nightly
@pytest.mark.parametrize("file", FILES)
def test_a_case_fails_by_the_key_that_differs(tree: Any, file: str) -> None:
    code, output, asked = run(tree, file, text_of(file))
    assert code == 1, output
    failed: dict[str, set[str]] = {}
    for directory in tree.run_directory.glob("cases/*"):
        evidence = CaseEvidence.read(directory)
        findings = (
            one
            for one in evidence.findings
            if one.verdict is not Verdict.PASSED and not one.dispensable
        )
        failed.setdefault(evidence.case["id"], set()).update(one.check for one in findings)
    unseen = [
        one
        for one in seen_in(file)
        if not any(
            one.is_in(asked[case]) and one.check in checks for case, checks in failed.items()
        )
    ]
    assert unseen == [], output


@pytest.mark.nightly
@pytest.mark.parametrize("file", ["routing", "topics"])
def test_the_same_cases_pass_where_nothing_differs(tree: Any, file: str) -> None:
    declared, _, _ = text_of(file).partition("\n[simulated.differs")
    code, output, _ = run(tree, file, declared)
    assert code == 0, output
