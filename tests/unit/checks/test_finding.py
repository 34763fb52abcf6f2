"""What makes a finding: a known check, its own measurement, and whether something was late by our own fault."""

from __future__ import annotations

import pytest

from harness.calls import measurement
from harness.calls.checks import timing
from harness.calls.checks.finding import excused, judged, missed_by, not_observable, unproven
from harness.calls.measurement import Duration
from harness.calls.verdict import Strength, Verdict
from harness.phone.waiter import never_came


def test_only_known_checks_make_findings() -> None:
    with pytest.raises(KeyError, match="no known check"):
        judged("nonsense", "x", True, expected="a", actual="b")
    with pytest.raises(KeyError, match="no known check"):
        not_observable("nonsense", "x", expected="a", why="b")


def test_a_check_measures_what_it_is_for() -> None:
    level = measurement.Level(speaker="a", listener="b", level_dbov=-20.0, change_db=0.0)
    with pytest.raises(TypeError, match="does not measure Level"):
        judged("timing", "x", True, expected="a", actual="b", measured=level)
    assert judged("audio.level", "a → b", True, expected="a", actual="b", measured=level).measured is level
    assert judged("timing", "x", True, expected="a", actual="b").measured is None


def test_what_cannot_be_seen_says_why() -> None:
    finding = not_observable("codec", "x", expected="PCMU", why="nobody looks")
    assert (finding.verdict, finding.actual) == (Verdict.NOT_OBSERVABLE, "not observable: nobody looks")
    assert finding.strength is Strength.UNKNOWN


@pytest.mark.parametrize(
    ("seconds", "limit_s", "late"),
    [(2.5, 2.0, 0.5), (2.0, 2.0, None), (1.0, 2.0, None), (None, 2.0, None), (2.5, None, None)],
)
def test_by_how_much_something_was_late(seconds: float | None, limit_s: float | None, late: float | None) -> None:
    measured = Duration(seconds=seconds, limit_s=limit_s)
    assert missed_by(judged("released", "x", False, expected="a", actual="b", measured=measured)) == late
    assert missed_by(judged("codec", "x", False, expected="a", actual="b")) is None


def test_what_we_were_kept_from_is_excused_and_says_so() -> None:
    late = timing.within("x", "it", 2.5, 2.0)
    finding = excused(late, 0.61)
    assert finding.verdict is Verdict.BROKEN
    assert finding.actual == (
        "it came after 2.50 s; but in the time it was too late this machine kept the harness waiting for 0.61 s"
    )
    assert isinstance(finding.measured, Duration)
    assert (finding.measured.seconds, finding.measured.limit_s, finding.starved_s) == (2.5, 2.0, 0.61)


def test_why_a_finding_blames_nobody_stands_in_its_first_line() -> None:
    """Where a log follows, most readers show the first line alone."""
    came = never_came("the call", 0.0, "stand-in.1", "the call has ended with 488", "0.1 s  INVITE\n0.2 s  488").finding
    told = unproven(came, "the world stood still")
    assert told.actual == (
        "the call has ended with 488; but the harness itself had broken: the world stood still\n0.1 s  INVITE\n0.2 s  488"
    )
