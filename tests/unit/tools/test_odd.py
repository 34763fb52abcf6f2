from __future__ import annotations

import pytest

from harness.case.verdict import Verdict
from harness.diagnosis.catalogue import causes
from tools.odd.run import Oddity, Seen, is_right, main, read, seen_in


def test_the_table_names_verdicts_and_causes_that_there_are() -> None:
    oddities = read()
    assert len({oddity.run for oddity in oddities}) == len(oddities) > 30
    assert {oddity.verdict for oddity in oddities} <= set(map(str, Verdict))
    assert {cause for oddity in oddities for cause in oddity.causes} <= set(causes())


@pytest.mark.parametrize(
    ("verdict", "cause", "right"),
    [("failed", "heavy-loss", True), ("failed", "echo", False), ("passed", "", False)],
)
def test_right_is_the_verdict_and_the_first_cause(verdict: str, cause: str, right: bool) -> None:
    diagnosis = {"causes": [{"id": cause}, {"id": "route-missing"}]}
    seen = seen_in({"end": {"verdict": verdict, "message": "m", "diagnosis": diagnosis}})
    assert is_right(Oddity("x", "failed", ("heavy-loss", "rtp-gap")), seen) is right


def test_a_case_without_an_end_is_not_right() -> None:
    assert seen_in({}) == Seen("none", "", "")
    assert not is_right(Oddity("x", "passed"), seen_in({}))


def test_a_platform_that_is_not_there_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: object
) -> None:
    assert main(["--platform", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("environment: there is no ")
