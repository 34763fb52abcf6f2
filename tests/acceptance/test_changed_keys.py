"""Keys of a deployment file that are others in the simulated world: each is noticed by the case that
``tests/contract/keys.toml`` names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.case.verdict import Verdict
from harness.integrations import load, matrix
from harness.report.evidence import CaseEvidence
from tests.keys import FILES, seen_in, text_of


@pytest.mark.nightly
@pytest.mark.parametrize("file", FILES)
def test_a_case_fails_by_the_key_that_differs(tree: Any, file: str) -> None:
    path: Path = tree.path / f"{file}.toml"
    path.write_text(text_of(file))
    seen, cases = seen_in(file), matrix.cases([load(path, secrets=False)])
    asked = {case.id: case for case in cases if any(one.is_in(case) for one in seen)}
    (tree.path / "cases").write_text("\n".join(asked))
    root = Path(__file__).parents[2]
    code, output = tree.run(
        *(str(root / "scenarios"), "--rootdir", str(root), "--deployment", str(path)),
        *("--cases", str(tree.path / "cases"), "-n", "3", "--reports", str(tree.path / "reports")),
        live=False,
    )
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
        for one in seen
        if not any(
            one.is_in(asked[case]) and one.check in checks for case, checks in failed.items()
        )
    ]
    assert unseen == [], output
