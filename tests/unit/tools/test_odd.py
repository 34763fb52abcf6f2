from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.case.verdict import Verdict
from harness.diagnosis.catalogue import causes
from harness.report.evidence import CaseEvidence
from tools.odd.run import Oddity, is_right, main, read


def test_the_table_names_verdicts_and_causes_that_there_are() -> None:
    oddities = read()
    assert len({oddity.run for oddity in oddities}) == len(oddities) > 30
    assert {oddity.verdict for oddity in oddities} <= set(map(str, Verdict))
    assert {cause for oddity in oddities for cause in oddity.causes} <= set(causes())


def seen(directory: Path, end: dict[str, Any] | None) -> CaseEvidence:
    (directory / "case.json").write_text(json.dumps({"id": "HOLD[one]", "end": end}))
    return CaseEvidence.read(directory)


@pytest.mark.parametrize(
    ("verdict", "cause", "right"),
    [("failed", "heavy-loss", True), ("failed", "echo", False), ("passed", "", False)],
)
def test_right_is_the_verdict_and_the_first_cause(
    tmp_path: Path, verdict: str, cause: str, right: bool
) -> None:
    diagnosis = {"causes": [{"id": cause}, {"id": "route-missing"}]}
    end = {"verdict": verdict, "message": "m", "at": 1.0, "findings": [], "diagnosis": diagnosis}
    oddity = Oddity("x", "failed", ("heavy-loss", "rtp-gap"))
    assert is_right(oddity, seen(tmp_path, end)) is right


def test_a_case_without_an_end_is_not_right(tmp_path: Path) -> None:
    assert not is_right(Oddity("x", "passed"), seen(tmp_path, None))


def test_a_platform_that_is_not_there_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: object
) -> None:
    assert main(["--platform", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("environment: there is no ")
