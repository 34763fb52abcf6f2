"""What a leg of a harness phone hears, and what the far end's RTCP reports count of its stream."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.audio import g711
from harness.audio.detector import Heard, marks_heard
from harness.calls.events import FarEndReport, MarkHeard
from harness.calls.verdict import Verdict
from harness.scenario.call import Call
from harness.scenario.conclusion import conclude
from harness.scenario.expect import Expect
from tests.unit.audio.sounds import mark as tone
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import TOLD, heard, leg, message, sounds, states

quickly = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(238, 243)), max_size=8, unique_by=lambda pair: pair[0]),
    st.sets(st.integers(238, 243), min_size=1, max_size=2),
    st.integers(0, 20),
)
@quickly
def test_only_the_speakers_own_marks_are_the_speaker(
    make_context: MakeContext, told: list[tuple[int, int]], voices: set[int], since: int
) -> None:
    call = Call(make_context(), leg(*(heard(float(at), mark) for at, mark in told)), "caller")
    assert call.marks_heard(float(since)) == [mark for at, mark in sorted(told) if at >= since]
    speaker: Any = SimpleNamespace(voices_for=lambda peer: voices, label="the AI")
    sound = call.hears(speaker, float(since), time.monotonic())
    expected = min(((at, mark) for at, mark in told if at >= since and mark in voices), default=None)
    assert (None if sound is None else (sound.at, sound.mark)) == expected


def listening(sound: NDArray[np.int16], number: int, mark: int = 9, codec: str = "PCMA") -> Any:
    """A leg that has been hearing this, until now."""
    origin = time.monotonic() - len(sound) / 8000
    facts = [fact for fact in marks_heard(sound) if isinstance(fact, Heard)]
    marks = [
        MarkHeard(
            at=origin + fact.decided,
            began=origin + fact.began,
            mark=fact.mark,
            level_dbov=fact.level_dbov,
            quality=fact.quality,
            **TOLD,
        )
        for fact in facts
    ]
    made = leg(*states("confirmed", began=origin), *marks, *sounds(origin, len(sound) / 8000))
    made.id, made.mark, made.codec = f"leg.{number}", mark, codec
    made.received_since = lambda since: sound[max(0, round((since - origin) * 8000)) :]
    return made


@pytest.mark.parametrize("level_dbov", [-17.0, -19.0, -21.0, -26.0])
@pytest.mark.parametrize("codec", ["PCMA", "PCMU"])
def test_a_voice_that_is_read_by_the_other_law_is_not_heard(
    make_context: MakeContext, level_dbov: float, codec: str
) -> None:
    """People hear noise; a mark is heard at these levels all the same."""
    context = make_context("TD-INBOUND", "stand-in")
    sent = tone(7, 3.0, level_dbov=level_dbov)
    heard_wrongly = {
        "PCMA": g711.decode_alaw(g711.encode_ulaw(sent)),
        "PCMU": g711.decode_ulaw(g711.encode_alaw(sent)),
    }
    ends = [
        context.calls.add(Call(context, listening(heard_wrongly[codec], 9, 9, codec), "caller")),
        context.calls.add(Call(context, listening(tone(9, 3.0, level_dbov=level_dbov), 7, 7, codec), "agent")),
    ]
    assert 7 in ends[0].marks_heard()
    Expect(context, ends[0]).two_way_audio_with(ends[1])
    found = {finding.subject: finding for finding in context.evidence.findings if finding.check == "audio"}
    assert found["leg.9 → leg.7"].verdict is Verdict.PASSED
    assert found["leg.7 → leg.9"].verdict is Verdict.FAILED
    assert "law that was read as" in found["leg.7 → leg.9"].actual
    assert (found["leg.7 → leg.9"].facts["kind"], found["leg.7 → leg.9"].facts["instead"]) == ("other", "other law")


@given(tags=st.lists(st.sampled_from("xyz"), min_size=1, max_size=3), repeats=st.integers(0, 4))
@quickly
def test_at_its_end_a_case_looks_at_how_each_call_of_ours_was_answered(
    make_context: MakeContext, tags: list[str], repeats: int
) -> None:
    messages = [message(1.0, "sent", "INVITE sip:b@example.com SIP/2.0", "")]
    messages += [message(2.0, "received", "SIP/2.0 200 OK", tag) for tag in tags]
    messages.append(message(2.1, "sent", "ACK sip:b@example.com SIP/2.0", tags[0], "ACK"))
    messages += [message(3.0 + number, "received", "SIP/2.0 200 OK", tags[0]) for number in range(repeats)]
    context = make_context()
    call = Call(context, leg(*messages), "caller")
    context.calls.add(call)
    conclude(context, probe=False)
    found = {finding.check: finding.verdict for finding in context.evidence.findings}
    assert found["answered.once"] is (Verdict.PASSED if len(set(tags)) == 1 else Verdict.FAILED)
    assert found["answered.acknowledged"] is (Verdict.PASSED if repeats <= 1 else Verdict.FAILED)


# -- What the far end's RTCP reports say of our stream: only a far end that has named it can say that nothing came


def report(at: float, sent: int, received: int, names_us: bool = True, reporter: int = 1) -> FarEndReport:
    return FarEndReport(
        at=at,
        phone="caller",
        leg="caller.1",
        sent=sent,
        received=received,
        lost=0,
        fraction_lost=0.0,
        jitter_ms=0.0,
        names_us=names_us,
        reporter=reporter,
    )


def call(*reports: FarEndReport) -> tuple[Call, list[FarEndReport | None]]:
    """A call with these reports, and what waits for one have found."""
    found: list[FarEndReport | None] = []

    def wait(goal: str, predicate: Callable[[Any], bool], within: float, since: float) -> Any:
        found.append(next((e for e in reported.events if e.at >= since and predicate(e)), None))

    reported: Any = SimpleNamespace(events=list(reports), id="caller.1", successor=None, wait=wait)
    return Call(SimpleNamespace(), reported, "caller"), found  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reports", "counted"),
    [
        ([], None),
        ([report(2.0, 100, 98)], (100, 98)),
        ([report(0.5, 40, 40), report(2.0, 100, 98)], (60, 58)),
        ([report(0.5, 40, 38), report(2.0, 100, 100)], (60, 60)),  # two were on their way
        ([report(0.5, 40, 40)], None),  # nothing was said since
        ([report(2.0, 100, 0, names_us=False)], None),  # it may name no stream at all
        ([report(0.5, 40, 40), report(2.0, 100, 40, names_us=False)], (60, 0)),  # it could, and nothing came
        # Another of its sources, which reports on nothing (RFC 8861), or an earlier party's.
        ([report(0.5, 40, 40), report(2.0, 165, 40, names_us=False, reporter=2)], None),
        ([report(0.5, 40, 40), report(2.0, 165, 40, False, 2), report(3.0, 200, 196)], (160, 156)),
        ([report(0.2, 40, 40), report(0.5, 90, 90, True, 2), report(2.0, 165, 90, names_us=False)], None),
    ],
)
def test_what_is_counted_since_a_moment(reports: list[FarEndReport], counted: tuple[int, int] | None) -> None:
    mine, awaited = call(*reports)
    assert mine.counted_by_far_end(1.0) == counted
    mine.wait_for_far_end_report(1.0, 5.0)
    assert (awaited != [None]) is (counted is not None), "what is waited for is what counts"
