"""Who hears whom: each direction by itself, in the call as it is now, and silence where it is asked for."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.audio.prompts import prompt_samples
from harness.calls.checks.audio import ListenerReport, Sound
from harness.calls.checks.claims import Observation
from harness.calls.checks.finding import heard_at, judged
from harness.calls.events import CallState, Event, Listened, MarkHeard, MediaState
from harness.calls.measurement import Direction
from harness.calls.verdict import Verdict
from harness.scenario import audio_quality, expect_audio
from harness.scenario.call import SETTLE_S, Call
from harness.scenario.context import CaseContext
from harness.scenario.expect import Expect
from tests.unit.audio.music import music
from tests.unit.audio.sounds import silence
from tests.unit.clock import Clock
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import TOLD, leg
from tests.unit.scenario.legs import heard as mark_heard

PASSED, FAILED = Verdict.PASSED, Verdict.FAILED
quickly = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


class Somebody:
    """An end that hears what it is told to, from a moment on."""

    is_ours, lag_s, is_blind, phone_name, record = True, 0.0, False, "", None

    def __init__(self, name: str, mark: int, hears: Literal["mark", "nothing"] = "mark") -> None:
        self.label, self.role, self.mark = name, name.partition(".")[0], mark
        self._hears = hears
        self.asked_since: list[float] = []
        self.marks: list[int] = []
        self.listened_s = 0.8

    def answered_at(self) -> float | None:
        return time.monotonic() - 5.0

    def voices_for(self, peer: object) -> set[int]:
        return {self.mark}

    def hears(self, speaker: Any, since: float, deadline: float) -> Sound | None:
        self.asked_since.append(since)
        if self._hears == "nothing":
            return None
        return Sound(since + 0.1, Observation.MARK, f"mark {speaker.mark}", speaker.mark, -20.0)

    def account(self, since: float, missing: object = None) -> ListenerReport:
        return ListenerReport(2.0, None, (), rx_packets=0)

    def marks_since(self, since: float) -> tuple[list[int], float] | None:
        return self.marks, self.listened_s


def heard(context: CaseContext) -> dict[str, Verdict]:
    return {finding.subject: finding.verdict for finding in context.evidence.findings if finding.check == "audio"}


@given(st.tuples(st.booleans(), st.booleans()))
@quickly
def test_each_direction_is_found_by_itself(make_context: MakeContext, hear: tuple[bool, bool]) -> None:
    context = make_context()
    caller, agent = (
        Somebody(name, mark, "mark" if hears else "nothing")
        for name, mark, hears in zip(("caller.1", "agent.1"), (7, 8), hear, strict=True)
    )
    Expect(context, caller).two_way_audio_with(agent)  # type: ignore[arg-type]
    assert heard(context) == {
        "agent.1 → caller.1": PASSED if hear[0] else FAILED,
        "caller.1 → agent.1": PASSED if hear[1] else FAILED,
    }


class Falling(Somebody):
    """An end that hears nothing any more from a moment on."""

    until = 0.0

    def hears(self, speaker: Any, since: float, deadline: float) -> Sound | None:
        return super().hears(speaker, since, deadline) if since < self.until else None


@pytest.mark.parametrize(
    ("lasts_s", "again"),
    [
        (0.9, {"caller.1 → agent.1": FAILED, "agent.1 → caller.1": PASSED}),
        (60.0, {"caller.1 → agent.1": PASSED, "agent.1 → caller.1": PASSED}),
    ],
)
def test_whoever_was_heard_is_listened_to_a_second_later(
    make_context: MakeContext, lasts_s: float, again: dict[str, Verdict]
) -> None:
    context, caller, agent = make_context(), Somebody("caller.1", 7), Falling("agent.1", 8)
    began = time.monotonic()
    agent.until = began + lasts_s
    Expect(context, caller).two_way_audio_with(agent)  # type: ignore[arg-type]
    assert set(heard(context).values()) == {PASSED}
    Expect(context, caller).still_hears(agent)  # type: ignore[arg-type]
    of_later = [f for f in context.evidence.findings if f.check == "audio" and f.facts.get("again")]
    assert {finding.subject: finding.verdict for finding in of_later} == again
    assert caller.asked_since[-1] >= began + 1.0


@pytest.mark.parametrize(
    ("sound", "goes_on_s", "verdict"),
    [("words", 6.4, PASSED), ("words", None, FAILED), ("music", 6.4, FAILED), ("words", 30.0, FAILED)],
)
def test_words_said_over_two_people_who_talk_are_waited_for(
    make_context: MakeContext, sound: str, goes_on_s: float | None, verdict: Verdict
) -> None:
    """That the call is recorded, say, which a platform may tell both of them as soon as it has connected them."""
    context, began = make_context(), time.monotonic()
    told_s = 6.2 if goes_on_s is None else goes_on_s - 0.2
    said = np.tile(prompt_samples("connecting-you-en"), 30) if sound == "words" else music(40.0)
    ends = []
    for role, mark, peer in (("caller", 7, 8), ("agent", 8, 7)):
        marks = [mark_heard(began, peer)] + ([] if goes_on_s is None else [mark_heard(began + goes_on_s, peer)])
        made = leg([CallState(at=began, state="confirmed", **TOLD), *marks])
        made.id, made.mark = f"{role}.1", mark
        made.received_since = lambda since: said[: round((began + told_s - since) * 8000)]
        ends.append(Whispered(context, made, role))
    Expect(context, ends[0]).two_way_audio_with(ends[1])
    assert set(heard(context).values()) == {PASSED}
    Expect(context, ends[0]).still_hears(ends[1])
    assert {f.verdict for f in context.evidence.findings if f.check == "audio" and f.facts.get("again")} == {verdict}


class Whispered(Call):
    """An agent who is told something for a while, in seconds that no test waits for, and is then connected or not."""

    def hears(self, speaker: Any, since: float, deadline: float) -> Sound | None:
        told = (event for event in self.leg.events if isinstance(event, MarkHeard) and since <= event.at <= deadline)
        return next((Sound(event.at, Observation.MARK, "", event.mark, -20.0) for event in told), None)


@pytest.mark.parametrize(
    ("ai", "told_s", "connected_s", "joined_s", "verdict"),
    [
        ("synthflow", 0.0, 0.2, None, PASSED),
        ("synthflow", 6.2, 6.4, None, PASSED),
        ("synthflow", 6.2, None, None, FAILED),
        ("synthflow", 30.0, 30.2, None, FAILED),  # music that goes on, say
        ("synthflow", 6.2, 6.4, 0.0, FAILED),  # of an AI the file says how long it speaks with the agent first
        ("stand-in", 6.2, 6.4, 0.0, PASSED),  # a stand-in says nothing to the agent
        ("stand-in", 6.2, None, 0.0, FAILED),
    ],
)
def test_an_agent_who_is_told_something_first_has_the_call_behind_it(
    make_context: MakeContext,
    monkeypatch: pytest.MonkeyPatch,
    ai: str,
    told_s: float,
    connected_s: float | None,
    joined_s: float | None,
    verdict: Verdict,
) -> None:
    """A whisper: the platform says to the agent who calls, while the caller hears music or a ringing tone."""
    context, began = make_context(ai=ai), time.monotonic()
    told: list[Event] = [
        Listened(at=began + at / 5, seconds=at / 5, level_dbov=-20.0, **TOLD) for at in range(1, round(told_s * 5) + 1)
    ]
    if connected_s is not None:
        told.append(mark_heard(began + connected_s, 7))
    made = leg([CallState(at=began, state="confirmed", **TOLD), *told])
    made.received_since, made.id = lambda since: silence(0.0), "agent.1"
    caller, agent = Somebody("caller.1", 7), Whispered(context, made, "agent")
    caller.answered_at = lambda: began  # type: ignore[method-assign]
    monkeypatch.setattr(audio_quality, "check_delay", lambda *_: None)
    Expect(context, caller).two_way_audio_with(agent, joined_within_s=joined_s)  # type: ignore[arg-type]
    assert heard(context)["caller.1 → agent.1"] is verdict
    answered = agent.answered_at()
    assert answered is not None
    is_whisper = verdict is PASSED and told_s > 0.0  # who transferred may stay until then
    assert answered - began == pytest.approx(connected_s if is_whisper else 0.0, abs=0.001)


@pytest.mark.parametrize(
    ("told_s", "connected_s", "verdict"),
    [(6.2, 6.4, PASSED), (6.2, None, FAILED), (2.0, 2.2, PASSED), (30.0, 30.2, FAILED)],
)
def test_a_caller_who_is_told_something_in_words_first_is_connected_behind_it(
    make_context: MakeContext,
    monkeypatch: pytest.MonkeyPatch,
    told_s: float,
    connected_s: float | None,
    verdict: Verdict,
) -> None:
    """A customer whisper, that the call is recorded, say: the agent has answered, and hears nothing meanwhile."""
    context, began = make_context(), time.monotonic()
    words = np.tile(prompt_samples("connecting-you-en"), 30)
    ends = []
    for role, mark, peer, sound in (("caller", 7, 8, words), ("agent", 8, 7, silence(0.0))):
        marks = [] if connected_s is None else [mark_heard(began + connected_s, peer)]
        made = leg([CallState(at=began, state="confirmed", **TOLD), *marks])
        made.id, made.mark = f"{role}.1", mark
        made.received_since = lambda since, sound=sound: sound[: round(told_s * 8000)]
        ends.append(Whispered(context, made, role))
    monkeypatch.setattr(audio_quality, "check_delay", lambda *_: None)
    Expect(context, ends[0]).two_way_audio_with(ends[1])
    assert set(heard(context).values()) == {verdict}
    answered = ends[1].answered_at()
    assert answered is not None
    # who transferred may stay until then
    assert answered - began == pytest.approx(connected_s if verdict is PASSED else 0.0, abs=0.001)


@pytest.mark.parametrize("moved", ["agent", "caller"])
@pytest.mark.parametrize("lasts", [True, False])
def test_whose_call_has_moved_to_another_leg_is_listened_to_there(
    make_context: MakeContext, moved: str, lasts: bool
) -> None:
    """A platform may go out of the way when two people talk: by REFER, or an INVITE with Replaces (RFC 3891 section 3)."""
    context, began = make_context(), time.monotonic()

    def made(name: str, mark: int, *heard: MarkHeard) -> Any:
        one = leg([CallState(at=began - 0.1, state="confirmed", **TOLD), *heard])
        one.id, one.mark, one.received_since = name, mark, lambda since: silence(0.0)
        return one

    caller, agent = made("caller.1", 7, mark_heard(began, 8)), made("agent.1", 8, mark_heard(began, 7))
    call, landed = Call(context, caller, "caller"), Call(context, agent, "agent")
    Expect(context, call).two_way_audio_with(landed)
    assert set(heard(context).values()) == {PASSED}
    first, other = (agent, caller) if moved == "agent" else (caller, agent)
    on = [mark_heard(began + 2.0, first.mark + 2), mark_heard(began + 2.0, other.mark)] if lasts else []
    first.successor = made(f"{moved}.2", first.mark + 2, *on)
    other.wait = first.successor.wait
    Expect(context, call).still_hears(landed)
    of_later = [f for f in context.evidence.findings if f.check == "audio" and f.facts.get("again")]
    verdict = PASSED if lasts else FAILED
    assert {f.subject: f.verdict for f in of_later} == {
        f"{call.label} → {landed.label}": verdict,
        f"{landed.label} → {call.label}": verdict,
    }


@pytest.mark.parametrize("changed", [False, True])
def test_after_a_change_only_what_is_heard_since_counts(make_context: MakeContext, changed: bool) -> None:
    context = make_context()
    caller, agent = Somebody("caller.1", 7), Somebody("agent.1", 8)
    began = time.monotonic()
    Expect(context, caller).two_way_audio_with(agent, changed=changed)  # type: ignore[arg-type]
    for since in (*caller.asked_since, *agent.asked_since):
        assert (since >= began + SETTLE_S) is changed
    again = [finding.facts["again"] for finding in context.evidence.findings if finding.check == "audio"]
    assert again == [changed] * 2
    delays = [finding for finding in context.evidence.findings if finding.check == "audio.delay"]
    assert len(delays) == (0 if changed else 2), "a change takes its own time"


@pytest.mark.parametrize(
    ("marks", "listened_s", "verdict"),
    [([], 0.8, PASSED), ([99], 0.8, PASSED), ([8], 0.8, FAILED), ([99, 8], 0.8, FAILED), ([], 0.0, FAILED)],
)
def test_silence_is_of_whom_it_is_asked(
    make_context: MakeContext, marks: list[int], listened_s: float, verdict: Verdict
) -> None:
    context = make_context()
    caller, agent = Somebody("caller.1", 7), Somebody("agent.1", 8)
    caller.marks, caller.listened_s = marks, listened_s
    Expect(context, caller).silence_from(agent)  # type: ignore[arg-type]
    (finding,) = context.evidence.findings
    assert (finding.check, finding.subject, finding.verdict) == ("audio.silent", "agent.1 → caller.1", verdict)


@pytest.mark.parametrize(
    ("way_s", "stops_s", "verdict"),
    [
        (0.05, 0.3, PASSED),
        (0.05, 0.6, FAILED),
        (0.5, 0.5, PASSED),  # what it said before is so long under way
        (0.5, 0.9, FAILED),
        (2.0, 1.0, FAILED),  # of nobody who speaks up so late it is known how long that takes
    ],
)
def test_what_was_under_way_when_somebody_fell_silent_is_let_pass(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, way_s: float, stops_s: float, verdict: Verdict
) -> None:
    context, clock = make_context(), Clock()
    monkeypatch.setattr(expect_audio, "time", clock)
    monkeypatch.setattr(context, "pause", clock.wait)
    caller, agent = Somebody("caller.1", 7), Somebody("agent.1", 8)
    measured = Direction(speaker="agent.1", listener="caller.1", towards="caller", delay_ms=1000 * way_s)
    found = judged("audio", heard_at("agent.1", "caller.1"), True, expected="", actual="", measured=measured)
    context.evidence.add(found)
    stops = clock.now + stops_s
    caller.marks_since = lambda since: ([8] if since < stops else [], 0.8)  # type: ignore[method-assign]
    Expect(context, caller).silence_from(agent)  # type: ignore[arg-type]
    assert context.evidence.findings[-1].verdict is verdict


@pytest.mark.parametrize(
    ("direction", "came", "verdict"),
    [("sendonly", 0, PASSED), ("inactive", 2, PASSED), ("sendonly", 40, FAILED), ("sendrecv", 40, PASSED)],
)
def test_who_holds_the_call_is_sent_no_rtp_though_the_phone_takes_none(
    make_context: MakeContext, direction: Any, came: int, verdict: Verdict
) -> None:
    """RFC 3264 section 8.4; where it is not on hold, packets without the other's voice are silence."""
    context = make_context()
    counted = iter([100, 100 + came])
    events: list[Event] = [
        MediaState(at=1.0, active=True, direction=direction, **TOLD),
        Listened(at=time.monotonic() + 60.0, seconds=9.0, level_dbov=-96.0, **TOLD),
    ]
    made = leg(events)
    made.statistics = lambda: SimpleNamespace(rx_packets=next(counted))
    made.received_since = lambda since: np.zeros(0, np.int16)
    Expect(context, Call(context, made, "caller")).silence_from(Somebody("agent.1", 8))  # type: ignore[arg-type]
    assert [finding.verdict for finding in context.evidence.findings] == [verdict]
