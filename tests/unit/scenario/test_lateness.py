"""What came too late is told from what the harness itself was too late to see."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.checks import landing, reach, timing
from harness.calls.checks.finding import judged
from harness.calls.events import CallsRefused, LegStarted, StrangerRefused
from harness.calls.measurement import Direction, Duration
from harness.calls.verdict import ExpectationError, Finding, Strength, Verdict
from harness.errors import PhoneLostError, WorldLostError
from harness.phone.waiter import never_came
from harness.scenario import audio_quality
from harness.scenario.call import Call
from harness.scenario.context import CaseContext
from tests.unit.scenario.conftest import MakeContext

Found = Callable[..., Finding]


@pytest.fixture
def add(make_context: MakeContext) -> Found:
    """Adds a finding to a case whose harness was ``starved_s``, and in which ``broke`` has broken."""

    def add(finding: Finding, starved_s: float = 0.0, broke: BaseException | None = None) -> Finding:
        context = make_context()
        context.evidence.starved = lambda begin, end: min(starved_s, end - begin)
        if broke is not None:
            context.background.start(lambda: fail(broke))
            with contextlib.suppress(type(broke)):
                context.background.join(10.0)
        return context.evidence.add(finding)

    return add


def fail(error: BaseException) -> None:
    raise error


def late(seconds: float) -> Finding:
    return timing.took("reception", "the fallback", seconds, 2.0)


def test_a_starved_harness_blames_nobody_and_does_not_pass(add: Found) -> None:
    found = add(late(3.4), starved_s=0.5)
    assert found.verdict is Verdict.BROKEN
    assert found.actual == (
        "it was after 3.40 s; but in the time it was too late this machine kept the harness waiting for 0.50 s"
    )


def test_a_failure_while_the_world_stood_still_is_broken(make_context: MakeContext) -> None:
    evidence = make_context().evidence
    evidence.world_fault = lambda: WorldLostError("it has not stirred for 0.8 s")
    found = evidence.add(late(3.4))
    assert found.verdict is Verdict.BROKEN
    assert found.actual.endswith("but the harness itself had broken: it has not stirred for 0.8 s")


def test_one_that_was_kept_waiting_for_less_than_was_missed_saw_it_late(add: Found) -> None:
    assert add(late(3.4), starved_s=0.3).verdict is Verdict.FAILED
    assert add(late(3.4), starved_s=0.0).verdict is Verdict.FAILED


def test_a_failure_made_with_what_had_broken_blames_nobody(add: Found) -> None:
    lost = PhoneLostError("phone caller was lost: its process ended\nlast lines")
    found = add(timing.within("agent", "it", None, 1.0), broke=lost)
    assert (found.verdict, found.actual) == (
        Verdict.BROKEN,
        "it never came; but the harness itself had broken: phone caller was lost: its process ended",
    )
    assert add(timing.within("agent", "it", 0.5, 1.0), broke=lost).verdict is Verdict.PASSED
    expectation = ExpectationError(late(3.4))  # what failed in the background excuses nothing
    assert add(timing.within("agent", "it", None, 1.0), broke=expectation).verdict is Verdict.FAILED


def awaited(phone: str) -> Finding:
    return never_came("a call", 1.0, phone, "it never came", "").finding


def test_a_phone_without_room_excuses_no_call_that_was_not_for_it(make_context: MakeContext) -> None:
    context = make_context()
    evidence, groups = context.evidence, context.deployment.groups
    billing, support = groups["billing"].agents[0], groups["support"].agents[0]
    evidence.event(leg_started("caller.1", at=1.0))
    evidence.event(CallsRefused(at=2.0, phone=billing, source="198.51.100.20"))
    evidence.event(leg_started("caller.2", at=3.0))
    answered = landing.only_one("the call", [], 'assistant "main"')
    broken = [
        landing.landed("the call", "billing", {}),
        landing.turn(billing, False, True),
        awaited(billing),
    ]
    failed = [landing.landed("the call", "support", {}), landing.turn(support, False, True), answered]
    failed += [awaited(support), unanswered("caller.2")]
    assert {evidence.add(finding).verdict for finding in [*broken, unanswered("caller.1")]} == {Verdict.BROKEN}
    assert {evidence.add(finding).verdict for finding in failed} == {Verdict.FAILED}
    evidence.event(CallsRefused(at=4.0, phone="stand-in", source="198.51.100.20"))
    assert {evidence.add(finding).verdict for finding in (answered, failed[-1])} == {Verdict.BROKEN}


@pytest.mark.parametrize("method", ["BYE", "INVITE", "ACK"])
def test_what_a_phone_did_not_obey_blames_nobody(make_context: MakeContext, method: str) -> None:
    """A platform has several addresses, and the file lacks one: of its call's requests some come from there."""
    evidence = make_context().evidence
    late_ones = [
        timing.released("ai.1", None, 1.0),
        timing.released("ai's leg", None, 1.0),
        landing.stops("ai", False, 1.0),
        reach.up("ai.1", 32.0),
    ]
    others = [timing.released("caller.1", None, 1.0), landing.landed("the call", "billing", {})]
    refused: Any = {"phone": "ai", "transport": "udp", "user_agent": "", "count": 1}
    evidence.event(
        StrangerRefused(at=1.0, leg="ai.1", source="198.51.100.9", method="OPTIONS", why="address", **refused)
    )
    evidence.event(StrangerRefused(at=1.0, leg=None, source="198.51.100.9", method="BYE", why="address", **refused))
    evidence.event(StrangerRefused(at=1.0, leg="ai.1", source="198.51.100.9", method="BYE", why="call-id", **refused))
    assert {evidence.add(finding).verdict for finding in [*late_ones, *others]} == {Verdict.FAILED}
    evidence.event(StrangerRefused(at=2.0, leg="ai.1", source="198.51.100.20", method=method, why="address", **refused))
    found = [evidence.add(finding) for finding in late_ones]
    assert {finding.verdict for finding in found} == {Verdict.BROKEN}
    said = f"ai.1 did not act on {method} from 198.51.100.20, which is none of the platform's addresses in the file"
    assert all(finding.actual.endswith(said) for finding in found)
    assert {evidence.add(finding).verdict for finding in others} == {Verdict.FAILED}


def unanswered(leg: str) -> Finding:
    return judged("answered", leg, False, expected="an answer", actual="none came", measured=Duration())


def leg_started(leg: str, at: float) -> LegStarted:
    return LegStarted(at=at, phone="caller", leg=leg, direction="outgoing", remote_uri="sip:a@example.com", mark=1)


def test_what_came_in_time_or_too_soon_or_never_is_what_it_is(add: Found) -> None:
    assert add(late(2.4), starved_s=9.0).verdict is Verdict.PASSED
    assert add(late(0.2), starved_s=9.0).verdict is Verdict.FAILED
    assert add(timing.within("x", "it", None, 1.0), starved_s=9.0).verdict is Verdict.FAILED


# -- a second look at a voice that came too late


def _call(context: CaseContext, label: str) -> Call:
    leg: Any = SimpleNamespace(id=label, events=[], successor=None, mark=7)
    return Call(context, leg, "caller")


class _FarEnd:
    is_ours = False
    label = "the AI"


def _heard_after(ms: float) -> Finding:
    return judged(
        "audio", "x", True, expected="x", actual="x", strength=Strength.PROVED, measured=Direction(delay_ms=ms)
    )


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], float]:
    """How many milliseconds a new beginning takes, by speaker and listener; another than a harness phone cannot be asked to."""
    taken: dict[tuple[str, str], float] = {}

    def again(_: Any, speaker: Any, listener: Any) -> float | None:
        return taken[speaker.label, listener.label] if speaker.is_ours else None

    monkeypatch.setattr(audio_quality, "_delay_of_a_new_start", again)
    return taken


def judged_by(
    context: CaseContext, first: tuple[Finding, Any, Any], second: tuple[Finding, Any, Any]
) -> list[tuple[str, Verdict]]:
    audio_quality.check_delay(context, (first, second))
    return [(finding.subject, finding.verdict) for finding in context.evidence.findings]


def test_a_slow_way_is_not_excused_by_a_quick_way_back(
    make_context: MakeContext, looks: dict[tuple[str, str], float]
) -> None:
    context = make_context()
    caller, stand_in = _call(context, "caller"), _call(context, "stand-in")
    looks |= {("caller", "stand-in"): 750.0, ("stand-in", "caller"): 150.0}
    assert judged_by(context, (_heard_after(800.0), caller, stand_in), (_heard_after(150.0), stand_in, caller)) == [
        ("caller → stand-in", Verdict.FAILED),
        ("stand-in → caller", Verdict.PASSED),
    ]


@pytest.mark.parametrize(("starved_s", "verdict"), [(0.2, Verdict.BROKEN), (0.1, Verdict.FAILED)])
def test_a_slow_way_on_a_machine_without_a_processor(
    make_context: MakeContext, looks: dict[tuple[str, str], float], starved_s: float, verdict: Verdict
) -> None:
    context = make_context()
    context.evidence.starved_at_once = lambda begin, end: starved_s
    caller, stand_in = _call(context, "caller"), _call(context, "stand-in")
    looks |= {("caller", "stand-in"): 750.0}  # of 600 that may be
    found = judged_by(context, (_heard_after(800.0), caller, stand_in), (_heard_after(150.0), stand_in, caller))
    assert found == [("caller → stand-in", verdict), ("stand-in → caller", Verdict.PASSED)]


@pytest.mark.parametrize(("way_there_ms", "verdict"), [(750.0, Verdict.FAILED), (150.0, Verdict.PASSED)])
def test_of_somebody_elses_far_end_the_way_to_it_is_tried(
    make_context: MakeContext, looks: dict[tuple[str, str], float], way_there_ms: float, verdict: Verdict
) -> None:
    context = make_context()
    caller, ai = _call(context, "caller"), _FarEnd()
    looks |= {("caller", "the AI"): way_there_ms}
    found = judged_by(context, (_heard_after(300.0), caller, ai), (_heard_after(800.0), ai, caller))
    assert found == [("the AI → caller", verdict)]


@pytest.mark.parametrize(
    ("stood_still", "verdict"), [((100.2, 100.9), Verdict.BROKEN), ((103.0, 104.0), Verdict.FAILED)]
)
def test_what_is_told_long_after_it_was_late_is_held_against_the_machine_of_that_time(
    make_context: MakeContext, stood_still: tuple[float, float], verdict: Verdict
) -> None:
    evidence = make_context().evidence
    since, until = stood_still
    evidence.starved = lambda begin, end: max(0.0, min(until, end) - max(since, begin))
    found = replace(timing.released("the AI's leg", 1.3, 1.0), at=104.0)
    assert evidence.add(found, since=100.0).verdict is verdict


@pytest.mark.parametrize(
    ("starved_s", "passed", "verdict"),
    [
        (0.5, False, Verdict.BROKEN),
        (0.1, False, Verdict.FAILED),  # a jitter buffer hides it
        (0.5, True, Verdict.PASSED),
    ],
)
def test_what_was_said_once_while_nobody_had_a_processor(
    make_context: MakeContext, starved_s: float, passed: bool, verdict: Verdict
) -> None:
    evidence = make_context().evidence
    evidence.starved_at_once = lambda begin, end: starved_s if (begin, end) == (3.0, 7.0) else 0.0
    said = reach.takes_message("caller.1", (0.5, 2.0) if passed else None, "it heard silence")
    otherwise = Verdict.PASSED if passed else Verdict.FAILED
    assert evidence.add_of_said(said, [(3.0, 7.0)]).verdict is verdict
    assert evidence.add_of_said(said, [(4.0, 8.0)]).verdict is otherwise
    assert evidence.add_of_said(said, []).verdict is otherwise
    assert evidence.add_of_said(said, [(3.0, 7.0), (3.0, 7.0)]).verdict is verdict
    assert evidence.add_of_said(said, [(3.0, 7.0), (9.0, 10.0)]).verdict is otherwise  # it was said again
    assert evidence.add_of_said(said, [(3.0, 7.0)], 0.6).verdict is otherwise
