"""Marks and pulses of a leg's audio, and their times."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.audio.marks import waveform
from harness.audio.wav import to_int16
from harness.case.events import Event, Listened, MarkEnded, MarkHeard
from harness.phone.child.hearing import Hearing
from harness.phone.child.native import RATE

FRAME = RATE // 50


def hear(samples: np.ndarray, *, late: float = 0.0) -> list[Event]:
    """All events of a stream whose first sample is due at ``begin``; every third frame comes
    ``late`` seconds late.
    """
    events: list[Event] = []
    hearing = Hearing("alice", "alice.1", events.extend)
    for number in range(len(samples) // FRAME):
        at = 100.0 + (number + 1) * 0.02 + (late if number % 3 else 0.0)
        hearing.feed(at, samples[number * FRAME : (number + 1) * FRAME].tobytes())
    return events


def mark(number: int, seconds: float) -> np.ndarray:
    return to_int16(np.tile(waveform(number, RATE), round(seconds / 0.16)))


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.int16)


@pytest.mark.parametrize("late", [0.0, 0.015])
def test_a_mark_is_heard_where_it_began_and_ended(late: float) -> None:
    events = hear(np.concatenate([silence(0.5), mark(7, 0.8), silence(0.8)]), late=late)
    heard = [e for e in events if isinstance(e, MarkHeard)]
    assert {e.mark for e in heard} == {7}
    assert heard[0].began == pytest.approx(100.5, abs=0.03)
    assert heard[0].at - heard[0].began <= 0.16
    again = [later.at - sooner.at for sooner, later in pairwise(heard)]
    assert again == pytest.approx([0.2] * (len(heard) - 1), abs=0.03)
    ended = [e for e in events if isinstance(e, MarkEnded)]
    assert [e.mark for e in ended] == [7]
    assert ended[0].at == pytest.approx(101.3, abs=0.05)


@given(st.integers(-32768, 32767))
def test_a_dc_offset_counts_as_silence(offset: int) -> None:
    """Zero octets of PCMU are one of -32124."""
    pulses = [e for e in hear(np.full(RATE, offset, np.int16)) if isinstance(e, Listened)]
    assert len(pulses) == 5
    assert all(p.level_dbov < -80 for p in pulses)


def frames(hearing: Hearing, audio: np.ndarray, numbers: range, at: float) -> None:
    for number in numbers:
        hearing.feed(
            at + (number + 1) * 0.02, audio[number * FRAME : (number + 1) * FRAME].tobytes()
        )


@pytest.mark.parametrize(("seconds", "often_s"), [(0.2, 0.2), (5.0, 1.0)])
def test_a_mark_that_is_awaited_is_read_often_but_not_for_long(
    seconds: float, often_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    hearing = Hearing("alice", "alice.1", lambda events: None)
    audio = mark(7, 1.6)
    for number in range(75):
        frame = audio[number * FRAME : (number + 1) * FRAME]
        hearing.feed(now + (number + 1) * 0.02, frame.tobytes())
    calm = hearing.pause
    hearing.await_mark(seconds)
    now += often_s - 0.01
    assert hearing.pause < calm / 2
    now += 0.02
    assert hearing.pause == calm


def test_a_mark_that_has_come_is_not_awaited_any_more() -> None:
    hearing = Hearing("alice", "alice.1", lambda events: None)
    audio, at = mark(7, 1.6), time.monotonic()
    hearing.feed(at + 1.6, audio.tobytes())
    calm = hearing.pause
    hearing.await_mark(1.0)
    assert hearing.pause < calm
    hearing.await_mark(0.0)
    assert hearing.pause == calm
