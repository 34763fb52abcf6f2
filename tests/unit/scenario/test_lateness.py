"""What came too late is told from what the harness itself was too late to see."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks import timing
from harness.checks.finding import judged, missed_by
from harness.deployment import Expect
from harness.scenario import lateness
from harness.scenario.ends import Call
from harness.scenario.stage import Stage
from harness.verdict import Finding, Strength, Verdict


class _Recorder:
    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def finding(self, finding: Finding) -> None:
        self.findings.append(finding)


class _Named:
    def __init__(self, **names: Any) -> None:
        self.__dict__ |= names


def stage(starved_s: float) -> Stage:
    made = object.__new__(Stage)
    recorder: Any = _Recorder()
    made.findings, made.recorder = [], recorder
    made.starved = lambda begin, end: min(starved_s, end - begin)
    made.deployment = _Named(expect=Expect())  # type: ignore[assignment]
    made.case = _Named(row=_Named(id="TD-FALLBACK-TIMEOUT"))  # type: ignore[assignment]
    return made


def late(seconds: float) -> Finding:
    return timing.took("reception", "the fallback", seconds, 2.0)


def test_a_starved_harness_blames_nobody_and_does_not_pass() -> None:
    found = stage(starved_s=0.5).add(late(3.4))
    assert found.verdict is Verdict.BROKEN
    assert found.actual == (
        "it was after 3.40 s; but in the time it was too late this machine had no processor for the harness for 0.50 s"
    )


def test_one_that_was_kept_waiting_for_less_than_was_missed_saw_it_late() -> None:
    assert stage(starved_s=0.3).add(late(3.4)).verdict is Verdict.FAILED
    assert stage(starved_s=0.0).add(late(3.4)).verdict is Verdict.FAILED


def test_what_came_in_time_or_too_soon_or_never_is_what_it_is() -> None:
    assert stage(starved_s=9.0).add(late(2.4)).verdict is Verdict.PASSED
    assert stage(starved_s=9.0).add(late(0.2)).verdict is Verdict.FAILED
    assert stage(starved_s=9.0).add(timing.within("x", "it", None, 1.0)).verdict is Verdict.FAILED


def test_by_how_much_it_came_too_late() -> None:
    assert missed_by(late(3.4)) is not None
    assert round(missed_by(late(3.4)) or 0.0, 3) == 0.4
    assert missed_by(late(3.0)) is None
    assert missed_by(timing.released("x", None, 1.0)) is None


# -- a second look at a voice that came too late


def _end(kind: type, label: str) -> Any:
    end = object.__new__(kind)
    end.__dict__["label"] = label
    return end


class _FarEnd:
    label: str


def _heard_after(ms: float) -> Finding:
    return judged("audio", "x", True, expected="x", actual="x", strength=Strength.PROVED, facts={"ms": ms})


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], float]:
    """How many milliseconds a new beginning takes, by speaker and listener; another than a phone of ours cannot be asked to."""
    taken: dict[tuple[str, str], float] = {}

    def again(_: Any, speaker: Any, listener: Any) -> float | None:
        return taken[speaker.label, listener.label] if isinstance(speaker, Call) else None

    monkeypatch.setattr(Call, "label", property(lambda self: self.__dict__["label"]))
    monkeypatch.setattr(lateness, "_again", again)
    return taken


def judged_by(first: tuple[Finding, Any, Any], second: tuple[Finding, Any, Any]) -> list[tuple[str, Verdict]]:
    made = stage(starved_s=0.0)
    lateness.judge(made, (first, second))
    return [(finding.subject, finding.verdict) for finding in made.findings]


def test_a_slow_way_is_not_excused_by_a_quick_way_back(looks: dict[tuple[str, str], float]) -> None:
    caller, stand_in = _end(Call, "caller"), _end(Call, "stand-in")
    looks |= {("caller", "stand-in"): 750.0, ("stand-in", "caller"): 150.0}
    assert judged_by((_heard_after(800.0), caller, stand_in), (_heard_after(150.0), stand_in, caller)) == [
        ("caller → stand-in", Verdict.FAILED),
        ("stand-in → caller", Verdict.PASSED),
    ]


def test_a_voice_that_was_late_once_is_not_slow(looks: dict[tuple[str, str], float]) -> None:
    caller, stand_in = _end(Call, "caller"), _end(Call, "stand-in")
    looks |= {("caller", "stand-in"): 150.0}
    assert judged_by((_heard_after(800.0), caller, stand_in), (_heard_after(150.0), stand_in, caller)) == [
        ("caller → stand-in", Verdict.PASSED),
        ("stand-in → caller", Verdict.PASSED),
    ]


@pytest.mark.parametrize(("way_there_ms", "verdict"), [(750.0, Verdict.FAILED), (150.0, Verdict.PASSED)])
def test_of_somebody_elses_far_end_the_way_to_it_is_tried(
    looks: dict[tuple[str, str], float], way_there_ms: float, verdict: Verdict
) -> None:
    caller, ai = _end(Call, "caller"), _end(_FarEnd, "the AI")
    looks |= {("caller", "the AI"): way_there_ms}
    found = judged_by((_heard_after(300.0), caller, ai), (_heard_after(800.0), ai, caller))
    assert found == [("the AI → caller", verdict)]
