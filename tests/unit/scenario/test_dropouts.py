"""A voice that pauses, as no mark does, is broken up; what pauses between two voices is none."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.events import Event, MarkHeard, MediaState, RtpPaused
from harness.calls.verdict import Verdict
from harness.scenario import audio_quality, conclusion
from tests.unit.checks.calls import counted
from tests.unit.scenario.conftest import MakeContext

ABOUT: dict[str, Any] = {"phone": "caller", "leg": "caller.1"}


def mark(at: float, which: int = 17) -> MarkHeard:
    return MarkHeard(at=at, mark=which, began=at - 0.1, level_dbov=-15.0, quality=1.0, **ABOUT)


def pause(began: float, seconds: float = 0.3) -> RtpPaused:
    return RtpPaused(at=began + 1.0, began=began, ended=began + seconds, **ABOUT)


def leg(*events: Event) -> Any:
    return SimpleNamespace(events=list(events))


AI_S_OWN, AI_S_ANSWER = 240, 17 + 256


@pytest.mark.parametrize(
    ("marks", "amid"),
    [
        ([mark(9.8), mark(10.5)], True),
        ([mark(9.8, AI_S_OWN), mark(10.5, AI_S_ANSWER)], True),  # which speaks with both by turns
        ([mark(9.8), mark(10.5, 18)], False),  # another party
        ([mark(9.8), mark(10.5, AI_S_OWN)], False),
        ([mark(9.7, 18), mark(9.8), mark(10.5)], False),
        ([mark(10.5)], False),  # an announcement before it may pause
        ([mark(9.8)], False),
        ([mark(8.9), mark(10.5)], False),
        ([mark(9.8), mark(11.4)], False),
        ([], False),
    ],
)
def test_a_pause_is_amid_a_voice_where_that_alone_is_heard_on_both_sides(marks: list[Event], amid: bool) -> None:
    paused = pause(10.0)
    assert audio_quality.pauses_in_a_voice(leg(*marks, paused)) == ([paused] if amid else [])


@pytest.mark.parametrize(
    ("at", "amid"),
    [
        (9.9, False),  # its RTP comes from elsewhere now
        (10.2, False),
        (10.5, False),  # who has answered an offer stops, and begins again when that is acknowledged
        (8.0, True),
        (12.0, True),
    ],
)
def test_what_pauses_while_the_media_is_negotiated_anew_is_no_dropout(at: float, amid: bool) -> None:
    paused, marks = pause(10.0), [mark(9.0 + 0.2 * n) for n in range(20)]
    told = MediaState(at=at, active=True, direction="sendrecv", **ABOUT)
    assert audio_quality.pauses_in_a_voice(leg(*marks, paused, told)) == ([paused] if amid else [])


@pytest.mark.parametrize(
    ("pauses", "amid"),
    [
        ([(10.0, 0.3), (10.8, 0.3)], [(10.0, 10.3), (10.8, 11.1)]),
        ([(10.0, 0.3), (10.35, 0.3)], [(10.0, 10.65)]),  # a packet in between is no voice
        ([(10.0, 0.7), (10.71, 0.7)], []),  # and what stands still for more than a second is no dropout
    ],
)
def test_pauses_with_next_to_nothing_between_them_are_one(
    pauses: list[tuple[float, float]], amid: list[tuple[float, float]]
) -> None:
    marks = [mark(9.0 + 0.2 * n) for n in range(20)]
    found = audio_quality.pauses_in_a_voice(leg(*marks, *(pause(*each) for each in pauses)))
    assert [(round(one.began, 2), round(one.ended, 2)) for one in found] == amid


def case_of(context: Any, *pauses: float, over: bool = False) -> Any:
    """A call that hears one mark all the time, ends its statistics when asked and pauses once more while it is looked at."""
    begin = time.monotonic()
    told = leg(*(mark(begin + 0.2 * n) for n in range(60)), *(pause(begin + at) for at in pauses))
    told.statistics = lambda: replace(counted(200, 0), rx_spanned_ms=4000, rx_filled_ms=4000)
    told.id, told.state = "caller.1", "disconnected" if over else "confirmed"
    context.calls.own = [SimpleNamespace(legs=[told])]
    context.evidence.starved = lambda begin, end: 0.0
    return told


@pytest.mark.parametrize(
    ("pauses", "over", "looked"),
    [((), False, False), ((1.0,), False, True), ((1.0,), True, False), ((1.0, 2.0), False, False)],
)
def test_one_pause_is_looked_at_longer_while_the_call_is_up(
    make_context: MakeContext,
    monkeypatch: pytest.MonkeyPatch,
    pauses: tuple[float, ...],
    over: bool,
    looked: bool,
) -> None:
    context = make_context()
    case_of(context, *pauses, over=over)
    paused: list[float] = []
    monkeypatch.setattr(context, "pause", paused.append)
    conclusion._look_longer(context)
    assert bool(paused) is looked


@pytest.mark.parametrize(("pauses", "verdict"), [((1.0,), Verdict.PASSED), ((1.0, 2.0), Verdict.FAILED)])
def test_a_voice_that_is_broken_up_fails(
    make_context: MakeContext, pauses: tuple[float, ...], verdict: Verdict
) -> None:
    context = make_context()
    conclusion._little_loss(context, case_of(context, *pauses))
    (finding,) = context.evidence.findings
    assert (finding.check, finding.verdict) == ("audio.loss", verdict)


@pytest.mark.parametrize(
    ("stood_still", "verdict", "dropouts_told"),
    [
        ([], Verdict.FAILED, 3),
        ([(9.97, 10.3), (11.0, 11.3), (12.1, 12.3)], Verdict.BROKEN, 3),
        ([(11.0, 11.3)], Verdict.FAILED, 2),  # what is left is the stream's own
        ([(10.0, 10.3), (11.0, 11.3)], Verdict.BROKEN, 3),  # one pause is no broken stream
        ([(10.0, 10.1), (11.0, 11.1), (12.0, 12.1)], Verdict.FAILED, 3),  # less than the half of each
        ([(9.0, 9.3), (10.5, 10.9)], Verdict.FAILED, 3),  # at other times
    ],
)
def test_pauses_in_which_this_machine_had_no_processor_are_not_the_streams(
    make_context: MakeContext, stood_still: list[tuple[float, float]], verdict: Verdict, dropouts_told: int
) -> None:
    context = make_context()
    context.evidence.starved = lambda begin, end: sum(
        max(0.0, min(until, end) - max(since, begin)) for since, until in stood_still
    )
    heard = [mark(at / 10) for at in range(95, 140, 2)]
    pauses = [pause(10.0), pause(11.0), pause(12.0)]
    counters = replace(counted(450, 0), rx_spanned_ms=9000, rx_filled_ms=9000)
    one: Any = SimpleNamespace(id="caller.1", statistics=lambda: counters, events=[*heard, *pauses])
    conclusion._little_loss(context, one)
    (found,) = context.evidence.findings
    assert found.verdict is verdict
    assert f"{dropouts_told} dropouts amid a voice" in found.actual
    assert (found.starved_s is not None) == (verdict is Verdict.BROKEN)
