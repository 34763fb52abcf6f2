"""A failed finding that the harness itself may have caused is broken: lateness, a lost phone, a
refused call, an ignored request.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import pytest

from harness.case.checks import audio, landing, reach, timing
from harness.case.checks.finding import as_raised, judged
from harness.case.events import CallsRefused, Expected, LegStarted, StrangerRefused
from harness.case.measurement import Direction, Duration
from harness.case.verdict import ExpectationError, Finding, Strength, Verdict
from harness.errors import PhoneLostError, WorldLostError
from harness.phone.waiter import never_came
from harness.scenario import audio_quality
from harness.scenario.call import Call
from tests.unit.clock import Clock
from tests.unit.scenario.conftest import MakeContext, busy
from tests.unit.scenario.legs import ScriptedPhone, heard, leg

PASSED, FAILED, BROKEN = Verdict.PASSED, Verdict.FAILED, Verdict.BROKEN


def late(seconds: float) -> Expected:
    return timing.took.of("reception", "the fallback", seconds, 2.0)


NEVER = timing.within.of("agent", "it", None, 1.0)


@pytest.mark.parametrize(
    ("expected", "starved_s", "verdict"),
    [
        (late(3.4), 0.5, BROKEN),
        (late(3.4), 0.3, FAILED),  # less than was missed: it was late all the same
        (late(2.4), 9.0, PASSED),
        (late(0.2), 9.0, FAILED),  # too soon
        (NEVER, 9.0, FAILED),
    ],
)
def test_what_came_late_while_this_machine_was_starved_is_broken(
    make_context: MakeContext, expected: Expected, starved_s: float, verdict: Verdict
) -> None:
    evidence = make_context().evidence
    busy(evidence, starved_s=lambda begin, end: min(starved_s, end - begin))
    found = evidence.expect(expected)
    assert found.verdict is verdict
    assert ("kept the harness waiting for 0.50 s" in found.actual) is (verdict is BROKEN)


@pytest.mark.parametrize(
    ("stood_still", "verdict"), [((100.2, 100.9), BROKEN), ((103.0, 104.0), FAILED)]
)
def test_the_machine_of_the_time_that_was_missed_counts(
    make_context: MakeContext, stood_still: tuple[float, float], verdict: Verdict
) -> None:
    """An interface may tell of an end long after it."""
    evidence = make_context().evidence
    since, until = stood_still
    busy(evidence, starved_s=lambda begin, end: max(0.0, min(until, end) - max(since, begin)))
    expected = replace(timing.released.of("the AI's leg", 1.3, 1.0), at=104.0)
    assert evidence.expect(expected, since=100.0).verdict is verdict


def test_a_finding_that_an_exception_carried_keeps_its_time(make_context: MakeContext) -> None:
    """It is held against the machine of that time, though it is recorded later."""
    evidence = make_context().evidence
    busy(evidence, starved_s=lambda begin, end: max(0.0, min(100.9, end) - max(100.2, begin)))
    waited = judged(
        "timing", "x", False, expected="1 s", actual="1.3 s",
        measured=Duration(seconds=1.3, limit_s=1.0),
    )  # fmt: skip
    found = evidence.raised(replace(waited, at=101.0, dispensable=True))
    assert (found.verdict, found.at, found.dispensable) == (BROKEN, 101.0, True)
    assert evidence.raised(replace(waited, at=104.0)).verdict is FAILED


@pytest.mark.parametrize(
    ("starved_s", "passed", "spans", "least_s", "verdict"),
    [
        (0.5, False, [(3.0, 7.0)], 0.2, BROKEN),
        (0.5, False, [(4.0, 8.0)], 0.2, FAILED),
        (0.5, False, [(3.0, 7.0), (9.0, 10.0)], 0.2, FAILED),  # it was said again
        (0.5, False, [(3.0, 7.0)], 0.6, FAILED),
        (0.1, False, [(3.0, 7.0)], 0.2, FAILED),  # a jitter buffer hides it
        (0.5, True, [(3.0, 7.0)], 0.2, PASSED),
    ],
)
def test_what_was_said_while_this_machine_was_starved_may_not_have_been_heard(
    make_context: MakeContext,
    starved_s: float,
    passed: bool,
    spans: list[tuple[float, float]],
    least_s: float,
    verdict: Verdict,
) -> None:
    evidence = make_context().evidence
    busy(
        evidence,
        starved_at_once_s=lambda begin, end: starved_s if (begin, end) == (3.0, 7.0) else 0.0,
    )
    said = reach.machine_speaks.of("caller.1", (0.5, 2.0) if passed else None, "it heard silence")
    assert evidence.expect(said, sound_due=spans, least_s=least_s).verdict is verdict


def test_call_cut_before_the_second_look_fails_although_the_look_was_to_begin_later(
    make_context: MakeContext,
) -> None:
    """The span ends before it begins, and the harness was kept from nothing in it."""
    evidence = make_context().evidence
    unheard = audio.direction.of(
        "agent.1",
        "caller.1",
        None,
        audio.ListenerReport(0.0, None, rx_packets=0),
        since=9.0,
        own=(),
        least=Strength.INDICATED,
        names={},
        towards="caller",
    )
    assert evidence.expect(unheard, sound_due=[(9.0, 7.5)], least_s=5.0).verdict is FAILED


@pytest.mark.parametrize(("share", "verdict"), [(0.3, BROKEN), (0.1, FAILED)])
def test_what_was_said_while_audio_stood_still_again_and_again_may_not_have_been_heard(
    make_context: MakeContext, share: float, verdict: Verdict
) -> None:
    evidence = make_context().evidence
    busy(
        evidence,
        stood_still_s=lambda begin, end: share * (end - begin),
        starved_at_once_s=lambda begin, end: 0.2,
    )
    words = audio.words.of("caller.1", "billing.1", [0.0, 0.0], 0.32)
    spans = [(3.0, 4.5), (4.5, 6.0)]
    assert evidence.expect(words, sound_due=spans, least_s=0.32).verdict is verdict


@pytest.mark.parametrize(
    ("error", "expected", "verdict"),
    [
        (PhoneLostError("phone caller was lost: its process ended\nlast lines"), NEVER, BROKEN),
        (PhoneLostError("phone caller was lost"), late(2.4), PASSED),
        (
            ExpectationError(timing.took("reception", "the fallback", 3.4, 2.0)),
            NEVER,
            FAILED,
        ),  # what failed in the background excuses nothing
    ],
)
@pytest.mark.parametrize("where", ["background", "phone", "world"])
def test_a_failure_made_with_a_broken_part_is_broken(
    make_context: MakeContext,
    where: str,
    error: BaseException,
    expected: Expected,
    verdict: Verdict,
) -> None:
    context = make_context()

    def fail() -> None:
        raise error

    if where == "background":
        context.background.start(fail)
        with contextlib.suppress(type(error)):
            context.background.join(10.0)
    elif isinstance(error, ExpectationError):
        return  # only a scenario makes these
    elif where == "phone":
        phone: Any = ScriptedPhone("caller")
        phone.fault = lambda: error
        context.phones._phones["caller"] = phone
    else:
        context.evidence.world_fault = lambda: WorldLostError(str(error))
    found = context.evidence.expect(expected)
    assert found.verdict is verdict
    assert ("but the harness itself had broken: phone caller was lost" in found.actual) is (
        verdict is BROKEN
    )


def test_a_failure_after_a_part_works_again_fails(make_context: MakeContext) -> None:
    """A softphone that had not stirred for a second is no excuse for what follows."""
    context = make_context()
    phone: Any = ScriptedPhone("caller")
    context.phones._phones["caller"] = phone
    verdicts = []
    for error in (PhoneLostError("phone caller had not stirred for 1.2 s"), None):
        phone.fault = lambda error=error: error
        verdicts.append(context.evidence.expect(NEVER).verdict)
    assert verdicts == [BROKEN, FAILED]


def awaited(phone: str) -> Expected:
    return as_raised(never_came("a call", 1.0, phone, "it never came", "").finding)


def unanswered(leg: str) -> Expected:
    return reach.answered.of(leg, None, 1.0)


def test_a_phone_without_room_excuses_only_calls_for_it(make_context: MakeContext) -> None:
    context = make_context()
    evidence, groups = context.evidence, context.deployment.groups
    billing, support = groups["billing"].agents[0], groups["support"].agents[0]
    started: Any = {
        "phone": "caller",
        "direction": "outgoing",
        "remote_uri": "sip:a@example.com",
        "mark": 1,
    }
    evidence.event(LegStarted(at=1.0, leg="caller.1", **started))
    evidence.event(CallsRefused(at=2.0, phone=billing, source="198.51.100.20"))
    evidence.event(LegStarted(at=3.0, leg="caller.2", **started))
    answered = landing.only_one.of("the call", [], 'assistant "main"')
    never = landing.landed.of("the call", "billing", {})
    broken = [
        never,
        landing.turn.of(billing, False, True),
        awaited(billing),
        unanswered("caller.1"),
    ]
    failed = [
        landing.landed.of("the call", "support", {}),
        landing.turn.of(support, False, True),
        answered,
    ]
    failed += [awaited(support), unanswered("caller.2"), late(3.4)]
    assert {evidence.expect(one).verdict for one in broken} == {BROKEN}
    assert {evidence.expect(one).verdict for one in failed} == {FAILED}
    evidence.event(CallsRefused(at=4.0, phone="stand-in", source="198.51.100.20"))
    assert evidence.expect(answered).verdict is BROKEN
    evidence.event(
        CallsRefused(at=5.0, phone=billing, source="198.51.100.20", why="DTLS-SRTP (RFC 5764)")
    )
    assert evidence.expect(never).actual.endswith(
        "488, its stack does not know DTLS-SRTP (RFC 5764)"
    )


def test_a_request_that_a_phone_ignored_excuses_its_call(make_context: MakeContext) -> None:
    """A platform has several addresses, and the file lacks one: of its call's requests some come
    from there.
    """
    evidence = make_context().evidence
    of_it = [timing.released.of("ai.1", None, 1.0), timing.released.of("ai's leg", None, 1.0)]
    of_it += [landing.stops.of("ai", False, 1.0), reach.up.of("ai.1", 32.0)]
    others = [
        timing.released.of("caller.1", None, 1.0),
        landing.landed.of("the call", "billing", {}),
    ]
    refused: Any = {
        "phone": "ai",
        "transport": "udp",
        "user_agent": "",
        "count": 1,
        "source": "198.51.100.9",
    }
    evidence.event(StrangerRefused(at=1.0, leg="ai.1", method="OPTIONS", why="address", **refused))
    evidence.event(StrangerRefused(at=1.0, leg=None, method="BYE", why="address", **refused))
    evidence.event(StrangerRefused(at=1.0, leg="ai.1", method="BYE", why="call-id", **refused))
    assert {evidence.expect(one).verdict for one in [*of_it, *others]} == {FAILED}
    evidence.event(StrangerRefused(at=2.0, leg="ai.1", method="BYE", why="address", **refused))
    found = [evidence.expect(one) for one in of_it]
    said = "ai.1 did not act on BYE from 198.51.100.9, which is none of the platform's addresses in the file"
    assert {(finding.verdict, finding.actual.endswith(said)) for finding in found} == {
        (BROKEN, True)
    }
    assert {evidence.expect(one).verdict for one in others} == {FAILED}


# -- A voice that came too late is begun again: a slow path is slow each time


def heard_after(ms: float) -> Finding:
    measured = Direction(delay_ms=ms)
    return judged(
        "audio", "x", True, expected="x", actual="x", strength=Strength.PROVED, measured=measured
    )


class Speaker(Call):
    """A harness phone whose voice, begun again, is heard so much later at the other end."""

    def begin_again(self, listener: Any, clock: Clock, ms: float | None) -> None:
        if isinstance(listener, Call) and ms is not None:
            to: Any = listener.leg
            self.leg.play = lambda source: to.told.append(heard(clock.now + ms / 1000, self.mark))  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("there_ms", "back_ms", "again_ms", "starved_s", "verdicts"),
    [
        (150.0, 150.0, None, 0.0, [PASSED, PASSED]),
        (
            800.0,
            150.0,
            700.0,
            0.0,
            [FAILED, PASSED],
        ),  # of 520 that may be; the quick way back excuses nothing
        (800.0, 150.0, 150.0, 0.0, [PASSED, PASSED]),  # late once
        (800.0, 150.0, 700.0, 0.2, [BROKEN, PASSED]),
        (800.0, 150.0, 700.0, 0.1, [FAILED, PASSED]),
    ],
)
def test_a_late_voice_is_listened_to_again(
    make_context: MakeContext,
    clock: Clock,
    there_ms: float,
    back_ms: float,
    again_ms: float | None,
    starved_s: float,
    verdicts: list[Verdict],
) -> None:
    context = make_context(clock=clock)
    busy(context.evidence, starved_at_once_s=lambda begin, end: starved_s)
    caller = Speaker(context, leg(name="caller", mark=7, clock=clock), "caller")
    stand_in = Speaker(context, leg(name="stand-in", mark=8, clock=clock), "ai")
    caller.begin_again(stand_in, clock, again_ms)
    both = ((heard_after(there_ms), caller, stand_in), (heard_after(back_ms), stand_in, caller))
    audio_quality.check_delay(context, both)
    assert [finding.verdict for finding in context.evidence.findings] == verdicts
