"""A failed finding near a stall of this machine is broken: the stall may be its reason."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from harness.case.checks import audio, landing, timing
from harness.case.events import Expected
from harness.case.judge import Judge
from harness.case.verdict import Finding, Verdict
from harness.scenario.evidence import Evidence
from harness.support.stalls import Stall, within
from tests.unit.checks.calls import counted
from tests.unit.scenario.conftest import MakeContext, busy

FAILED, BROKEN = Verdict.FAILED, Verdict.BROKEN
LATE_VOICE = audio.delay.of("caller.1", "stand-in.1", 1100.0, 1080.0)
NEVER_LANDED = landing.landed.of("the call", "billing", {})


@pytest.fixture
def evidence(make_context: MakeContext) -> Evidence:
    return make_context().evidence


@dataclass
class Case:
    """A case that began 60 s ago, and its judge."""

    evidence: Evidence
    now: float
    judge: Judge

    def found(self, expected: Expected, after_s: float = 0.0) -> Finding:
        """Of an expectation so much later than now."""
        finding = self.judge.finding(replace(expected, at=self.now + after_s))
        assert finding is not None
        return finding


def stalled(evidence: Evidence, *stalls: tuple[float, float]) -> Case:
    """Processes of the case stalled so: began so many seconds ago, and how long."""
    now = time.monotonic()
    every = [Stall(now - ago, now - ago + seconds) for ago, seconds in stalls]

    def seconds(begin: float, end: float) -> list[float]:
        return [stall.seconds for one in every for stall in within([one], begin, end)]

    busy(
        evidence,
        stalled_s=lambda begin, end: sum(seconds(begin, end)),
        longest_stall_s=lambda begin, end: max(seconds(begin, end), default=0.0),
    )
    return Case(evidence, now, Judge(evidence.events, evidence, {}, now - 60.0))


@pytest.mark.parametrize("expected", [LATE_VOICE, NEVER_LANDED], ids=lambda one: one.check)
@pytest.mark.parametrize(
    ("stalls", "verdict"),
    [
        ([], FAILED),
        ([(4.0, 0.6)], BROKEN),  # both directions had +700 ms for seconds after it
        ([(20.0, 0.6)], FAILED),  # made up for by now
        ([(20.0, 1.2)], BROKEN),  # time-outs may have expired meanwhile
        ([(4.0, 0.1)], FAILED),  # a jitter buffer hides it
        ([(4.0, 0.15), (3.0, 0.15)], BROKEN),  # of two processes that wait for each other
        ([(70.0, 3.0)], FAILED),  # before the case
    ],
)
def test_a_failed_finding_near_a_stall_is_broken(
    evidence: Evidence, expected: Expected, stalls: Sequence[tuple[float, float]], verdict: Verdict
) -> None:
    found = stalled(evidence, *stalls).found(expected)
    assert found.verdict is verdict
    assert (found.starved_s is not None) is (verdict is BROKEN)


def test_a_late_event_is_held_against_its_own_time(evidence: Evidence) -> None:
    """It took 12 s, and the stall lies at the beginning of them."""
    case = stalled(evidence, (11.0, 0.5))
    assert case.found(timing.within.of("agent", "the call", 12.0, 2.0)).verdict is BROKEN


@pytest.mark.parametrize(
    "expected",
    [
        audio.level.of("caller.1", "stand-in.1", -60.0),
        audio.loss.of("caller.1", replace(counted(150, 0), rx_turns=40)),
    ],
    ids=lambda one: one.check,
)
def test_what_was_sent_fails_whatever_stalled(evidence: Evidence, expected: Expected) -> None:
    assert stalled(evidence, (4.0, 2.0)).found(expected).verdict is FAILED


def test_a_case_that_a_stall_has_spoilt_fails_no_more(evidence: Evidence) -> None:
    """A call that a stall has sent to another group lands there ten seconds later."""
    case = stalled(evidence, (4.0, 0.6))
    assert case.found(LATE_VOICE).verdict is BROKEN
    busy(evidence)
    assert case.found(NEVER_LANDED, after_s=10.0).verdict is BROKEN


def test_a_stall_before_a_call_of_a_load_spoils_the_earlier_calls_alone(
    evidence: Evidence,
) -> None:
    case = stalled(evidence, (30.0, 1.2))
    later = replace(NEVER_LANDED, began=case.now - 10.0)
    verdicts = [case.found(expected).verdict for expected in (later, NEVER_LANDED, later)]
    assert verdicts == [FAILED, BROKEN, FAILED]


@pytest.mark.parametrize(("share", "verdict"), [(0.4, BROKEN), (0.2, FAILED)])
def test_a_world_without_processor_time_delays_rtp_for_seconds(
    evidence: Evidence, share: float, verdict: Verdict
) -> None:
    """No single stall, but a third less RTP than there should be, second after second, and 1.1 s of
    delay in both directions then (TD-CAPACITY beside other work).
    """
    case = stalled(evidence)
    busy(evidence, share_waited=lambda begin, end: share)
    assert case.found(LATE_VOICE).verdict is verdict


def test_a_stall_that_is_reported_after_the_finding_counts(evidence: Evidence) -> None:
    """A process that has just woken up sends its events before it says that it has slept."""

    def catch_up() -> None:
        stalled(evidence, (1.0, 0.5))

    evidence.catch_up = catch_up
    assert evidence.expect(replace(LATE_VOICE, at=time.monotonic())).verdict is BROKEN
