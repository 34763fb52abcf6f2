"""Who hears whom: each direction by itself, in the call as it is now, and silence where it is asked
for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.audio.prompts import prompt_samples
from harness.case.checks import timing
from harness.case.checks.audio import ListenerReport, Sound
from harness.case.checks.claims import Observation
from harness.case.checks.finding import heard_at, judged
from harness.case.events import Event, MediaState
from harness.case.measurement import Direction
from harness.case.verdict import Verdict
from harness.phone.leg import Leg
from harness.scenario import audio_quality
from harness.scenario.call import SETTLE_S, Call
from harness.scenario.conclusion import conclude
from harness.scenario.context import CaseContext
from harness.scenario.expect import Expect
from tests.unit.audio.music import music
from tests.unit.clock import Clock
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import TOLD, leg, sounds, states
from tests.unit.scenario.legs import heard as mark_heard

PASSED, FAILED, UNSEEN, BROKEN = (
    Verdict.PASSED,
    Verdict.FAILED,
    Verdict.NOT_OBSERVABLE,
    Verdict.BROKEN,
)
SAID = {
    "words": np.tile(prompt_samples("connecting-you-en"), 30),
    "music": music(40.0),
    "": np.zeros(0, np.int16),
}
BOTH = ("caller.1 → agent.1", "agent.1 → caller.1")


def directions(context: CaseContext, *, again: bool | None = None) -> dict[str, Verdict]:
    found = (finding for finding in context.evidence.findings if finding.check == "audio")
    return {
        one.subject: one.verdict
        for one in found
        if again is None or one.facts.get("again") is again
    }


class Ends:
    """A caller and an agent whose call was answered now, and what each of them hears from now on."""

    def __init__(self, context: CaseContext, clock: Clock) -> None:
        self.context, self.clock, self.began = context, clock, clock.now
        self.caller, self.agent = (
            self._end(name, mark) for name, mark in (("caller.1", 7), ("agent.1", 8))
        )

    def _end(self, name: str, mark: int) -> Call:
        made = leg(*states("confirmed", began=self.began), name=name, mark=mark, clock=self.clock)
        return Call(self.context, made, name.partition(".")[0])

    def hears(
        self,
        end: Call,
        *after_s: float,
        mark: int | None = None,
        said: str = "",
        until_s: float = 0.0,
    ) -> None:
        """Marks of the other end after so many seconds, and something else until then."""
        made: Any = end.leg
        made.told += [mark_heard(self.began + at, mark or 15 - made.mark) for at in after_s]
        made.told += sounds(self.began, until_s) if said else []
        made.told.sort(key=lambda event: event.at)
        began, now = self.began, self.clock

        def received(since: float) -> Any:
            return SAID[said][: max(0, round((min(began + until_s, now.now) - since) * 8000))]

        made.received_since = received


@pytest.fixture
def ends(make_context: MakeContext, clock: Clock) -> Ends:
    return Ends(make_context(clock=clock), clock)


def steady(until_s: float, since_s: float = 0.2) -> Sequence[float]:
    return list(np.arange(since_s, until_s, 0.2))


def talk(
    ends: Ends, lasts_s: float, said: str = "", until_s: float = 0.0, direction: Any = "sendrecv"
) -> None:
    """Caller and agent have a call, and are listened to; their marks last so long."""
    for end in (ends.caller, ends.agent):
        ends.hears(end, *steady(lasts_s), said=said, until_s=until_s)
        made: Any = end.leg
        made.told.insert(0, MediaState(at=ends.began, active=True, direction=direction, **TOLD))
    ends.agent.peer = ends.caller
    ends.context.calls.own += [ends.caller, ends.agent]
    Expect(ends.context, ends.caller).two_way_audio_with(ends.agent)


@pytest.mark.parametrize(
    ("lasts_s", "said", "until_s", "again", "direction", "to_the_end"),
    [
        (0.9, "", 0.0, FAILED, "sendrecv", []),
        (1.7, "", 0.0, FAILED, "sendrecv", []),
        (4.5, "", 0.0, PASSED, "sendrecv", [FAILED, FAILED]),
        (4.5, "", 0.0, PASSED, "sendonly", []),  # one end holds the call
        (60.0, "", 0.0, PASSED, "sendrecv", [PASSED, PASSED]),
        (0.9, "words", 6.2, FAILED, "sendrecv", []),
    ],
)
def test_two_people_are_listened_to_again_two_seconds_later_and_at_the_end(
    ends: Ends,
    lasts_s: float,
    said: str,
    until_s: float,
    again: Verdict,
    direction: Any,
    to_the_end: list[Verdict],
) -> None:
    talk(ends, lasts_s, said, until_s, direction)
    assert directions(ends.context) == dict.fromkeys(BOTH, PASSED)
    Expect(ends.context, ends.caller).still_hears(ends.agent)
    assert directions(ends.context, again=True) == dict.fromkeys(BOTH, again)
    ends.clock.now, looked = (
        max(ends.clock.now, ends.began + 6.0),
        len(ends.context.evidence.findings),
    )
    conclude(ends.context, probe=False)
    assert [
        one.verdict for one in ends.context.evidence.findings[looked:] if one.check == "audio"
    ] == to_the_end


@pytest.mark.parametrize(
    ("look_s", "to_the_end"), [(0.4, [PASSED] * 2), (1.5, [PASSED] * 2 + [FAILED] * 2)]
)
def test_ends_are_listened_to_once_more_after_a_longer_look(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, look_s: float, to_the_end: list[Verdict]
) -> None:
    """What was missing may have been missing because the audio had stopped."""

    def look(context: CaseContext, leg: Leg) -> list[int]:
        ends.clock.now += look_s
        return []

    monkeypatch.setattr(audio_quality, "listen_to_whole_call", look)
    talk(ends, lasts_s=6.2)
    ends.clock.now, looked = ends.began + 6.0, len(ends.context.evidence.findings)
    conclude(ends.context, probe=False)
    found = ends.context.evidence.findings[looked:]
    assert [one.verdict for one in found if one.check == "audio"] == to_the_end


@pytest.mark.parametrize("verdict", [FAILED, BROKEN])
def test_ends_are_not_listened_to_at_the_end_where_something_went_wrong(
    ends: Ends, verdict: Verdict
) -> None:
    talk(ends, lasts_s=4.5)
    ends.clock.now = ends.began + 6.0
    ends.context.evidence.raised(replace(timing.released("caller.1", None, 1.0), verdict=verdict))
    looked = len(ends.context.evidence.findings)
    conclude(ends.context, probe=False)
    assert not [one for one in ends.context.evidence.findings[looked:] if one.check == "audio"]


@pytest.mark.parametrize(
    ("told", "said", "told_s", "connected_s", "joined_s", "verdict"),
    [
        ("agent", "", 0.0, 0.2, None, PASSED),
        ("agent", "music", 6.2, 6.4, None, PASSED),  # a whisper to the agent, of any sound
        ("agent", "music", 6.2, 99.0, None, FAILED),
        (
            "agent",
            "music",
            6.2,
            6.4,
            0.0,
            FAILED,
        ),  # of an AI the file says how long it speaks with the agent first
        ("caller", "words", 6.2, 6.4, None, PASSED),  # a whisper to the caller
        ("caller", "music", 6.2, 6.4, None, FAILED),  # a caller who hears music is kept apart
        ("caller", "words", 30.0, 30.2, None, FAILED),
    ],
)
def test_who_is_told_something_first_is_connected_behind_it(
    ends: Ends,
    monkeypatch: pytest.MonkeyPatch,
    told: str,
    said: str,
    told_s: float,
    connected_s: float,
    joined_s: float | None,
    verdict: Verdict,
) -> None:
    for end in (ends.caller, ends.agent):
        how: Any = {"said": said, "until_s": told_s} if end.role == told else {}
        ends.hears(end, *steady(60.0, connected_s), **how)
    monkeypatch.setattr(audio_quality, "check_delay", lambda *_: None)
    Expect(ends.context, ends.caller).two_way_audio_with(ends.agent, joined_within_s=joined_s)
    assert directions(ends.context) == dict.fromkeys(BOTH, verdict)
    is_whisper = verdict is PASSED and told_s > 0.0  # who transferred may stay until then
    assert ends.agent.answered_at() == pytest.approx(
        ends.began + (connected_s if is_whisper else 0.0)
    )


@pytest.mark.parametrize(
    ("said", "heard_s", "first"), [("", 0.2, PASSED), ("", 2.0, FAILED), ("words", 2.0, PASSED)]
)
def test_a_new_start_does_not_hide_that_the_first_seconds_were_lost(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, said: str, heard_s: float, first: Verdict
) -> None:
    """Where somebody is told something first, the time begins behind it."""
    ends.hears(ends.agent, *steady(60.0))
    ends.hears(ends.caller, *steady(60.0, heard_s), said=said, until_s=heard_s)
    monkeypatch.setattr(audio_quality, "check_delay", lambda *_: None)
    Expect(ends.context, ends.caller).two_way_audio_with(ends.agent)
    assert directions(ends.context) == dict.fromkeys(BOTH, PASSED)
    found = {
        one.subject: one.verdict
        for one in ends.context.evidence.findings
        if one.check == "audio.first"
    }
    assert found == dict(zip(BOTH, (PASSED, first), strict=True))


@pytest.mark.parametrize("changed", [False, True])
def test_after_a_change_only_what_is_heard_since_counts(ends: Ends, changed: bool) -> None:
    for end in (ends.caller, ends.agent):
        ends.hears(end, SETTLE_S - 0.05)
    Expect(ends.context, ends.caller).two_way_audio_with(ends.agent, changed=changed)
    assert directions(ends.context) == dict.fromkeys(BOTH, FAILED if changed else PASSED)
    delays = [
        finding for finding in ends.context.evidence.findings if finding.check == "audio.delay"
    ]
    assert len(delays) == (0 if changed else 2), "a change takes its own time"


def test_a_voice_heard_before_the_answer_has_to_be_heard_behind_it(ends: Ends) -> None:
    """A mark of the early media is told once more up to 0.2 s after the answer, though nothing
    comes any more.
    """
    ends.hears(ends.caller, -0.4, -0.2, 0.005)
    ends.hears(ends.agent, -0.4, -0.2, *steady(2.0))
    Expect(ends.context, ends.caller).two_way_audio_with(ends.agent)
    assert directions(ends.context) == dict(zip(BOTH, (PASSED, FAILED), strict=True))


class Listener:
    """An end that tells which marks it heard."""

    is_ours, label, role = True, "caller.1", "caller"

    def __init__(self, marks: list[int], listened_s: float = 0.8, tells: bool = True) -> None:
        self.marks, self.listened_s, self.tells = marks, listened_s, tells

    def voices_for(self, peer: object) -> set[int]:
        return {7}

    def hears(self, speaker: Any, since: float, deadline: float) -> Sound | None:
        return Sound(since, Observation.MARK, "", speaker.mark)

    def account(self, since: float, missing: object = None) -> ListenerReport | None:
        return ListenerReport(self.listened_s, None, tuple(self.marks)) if self.tells else None


def speaker(*voices: int) -> Any:
    return SimpleNamespace(label="agent.1", role="agent", voices_for=lambda peer: set(voices))


@pytest.mark.parametrize(
    ("listener", "voices", "verdict"),
    [
        (Listener([]), (8,), PASSED),
        (Listener([99]), (8,), PASSED),
        (Listener([99, 8]), (8,), FAILED),
        (Listener([], 0.0), (8,), FAILED),  # nothing was listened to
        (Listener([]), (), UNSEEN),  # no voice of its own
        (Listener([], tells=False), (8,), UNSEEN),
    ],
)
def test_silence_is_of_one_speaker(
    make_context: MakeContext, listener: Any, voices: tuple[int, ...], verdict: Verdict
) -> None:
    context = make_context()
    Expect(context, listener).silence_from(speaker(*voices))
    (finding,) = context.evidence.findings
    assert (finding.check, finding.subject, finding.verdict) == (
        "audio.silent",
        "agent.1 → caller.1",
        verdict,
    )


@pytest.mark.parametrize(
    ("way_s", "stops_s", "verdict"),
    [
        (0.05, 0.3, PASSED),
        (0.05, 0.6, FAILED),
        (0.5, 0.5, PASSED),  # what it said before is so long under way
        (0.5, 0.9, FAILED),
    ],
)
def test_what_was_under_way_when_a_speaker_fell_silent_is_let_pass(
    make_context: MakeContext, clock: Clock, way_s: float, stops_s: float, verdict: Verdict
) -> None:
    context, listener, stops = make_context(clock=clock), Listener([]), clock.now + stops_s
    measured = Direction(
        speaker="agent.1", listener="caller.1", towards="caller", delay_ms=1000 * way_s
    )
    found = judged(
        "audio", heard_at("agent.1", "caller.1"), True, expected="", actual="", measured=measured
    )
    context.evidence.raised(found)
    listener.account = lambda since: ListenerReport(0.8, None, (8,) if since < stops else ())  # type: ignore[method-assign,assignment,misc]
    Expect(context, listener).silence_from(speaker(8))  # type: ignore[arg-type]
    assert context.evidence.findings[-1].verdict is verdict


@pytest.mark.parametrize(
    ("direction", "came", "verdict"),
    [("sendonly", 0, PASSED), ("inactive", 2, PASSED), ("sendonly", 40, FAILED)],
)
def test_who_holds_the_call_is_sent_no_rtp(
    make_context: MakeContext, clock: Clock, direction: Any, came: int, verdict: Verdict
) -> None:
    """RFC 3264 section 8.4."""
    told: list[Event] = [
        MediaState(at=1.0, active=True, direction=direction, **TOLD),
        *sounds(clock.now, 9.0),
    ]
    made, counted = leg(*told), iter([100, 100 + came])
    made.statistics = lambda: SimpleNamespace(rx_packets=next(counted))
    context = make_context(clock=clock)
    Expect(context, Call(context, made, "caller")).silence_from(speaker(8))
    assert [finding.verdict for finding in context.evidence.findings] == [verdict]
