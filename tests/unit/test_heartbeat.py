"""Who listens for a heartbeat counts what he was awake for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.support.heartbeat import PERIOD_S, Heartbeat, Listener
from harness.support.stalls import Stall


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test sets."""
    now = [100.0]
    monkeypatch.setattr("harness.support.heartbeat.time.monotonic", lambda: now[0])
    return now


def test_silence_grows_from_look_to_look_and_ends_with_a_beat(
    tmp_path: Path, clock: list[float]
) -> None:
    heart, listener = Heartbeat(tmp_path / "beat"), Listener(tmp_path / "beat")
    for expected in (0.0, 1.0, 2.0, 3.0):
        clock[0] += PERIOD_S
        beat = listener.look()
        assert beat is not None
        assert (beat.at, beat.pid) == (100.0, os.getpid())
        assert listener.silent_s == pytest.approx(expected * PERIOD_S)
    heart.beat()
    listener.look()
    assert listener.silent_s == 0.0


def test_what_the_listener_slept_through_is_no_silence(tmp_path: Path, clock: list[float]) -> None:
    Heartbeat(tmp_path / "beat")
    listener = Listener(tmp_path / "beat")
    listener.look()
    clock[0] += 3600
    listener.look()
    assert listener.silent_s == 2 * PERIOD_S


@pytest.mark.parametrize("content", [None, b"", b"half"])
def test_where_nothing_was_ever_heard_nobody_is_missed(
    tmp_path: Path, clock: list[float], content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "beat").write_bytes(content)
    listener = Listener(tmp_path / "beat")
    for _ in range(100):
        clock[0] += PERIOD_S
        assert listener.look() is None
    assert listener.silent_s == 0.0


def seconds(stalls: list[Stall]) -> list[float]:
    return [round(stall.seconds, 3) for stall in stalls]


def test_when_its_audio_stood_still_between_two_moments(tmp_path: Path, clock: list[float]) -> None:
    heart, listener = Heartbeat(tmp_path / "beat"), Listener(tmp_path / "beat")
    for at, stood_still_s in [(100.25, 0.0), (100.9, 0.4), (101.15, 0.4), (101.75, 0.75)]:
        listener.look()
        clock[0] = at
        heart.beat(stood_still_s)
    assert seconds(listener.stalls(100.0, 102.0)) == [0.4, 0.35]  # also what no look has seen
    listener.look()
    assert seconds(listener.stalls(100.0, 102.0)) == [0.4, 0.35]
    assert seconds(listener.stalls(101.0, 102.0)) == [0.35]
    assert listener.stalls(100.6, 100.8) == [Stall(100.6, 100.8)]
    assert listener.stalls(100.9, 101.15) == listener.stalls(90.0, 100.0) == []


def test_beat_that_comes_late_is_a_stall(tmp_path: Path, clock: list[float]) -> None:
    heart, listener = Heartbeat(tmp_path / "beat"), Listener(tmp_path / "beat")
    listener.look()
    clock[0] += PERIOD_S + 0.5
    assert seconds(listener.stalls(0.0, 200.0)) == [0.5], "while it lasts"
    assert not listener.has_beaten(clock[0])
    heart.beat()
    assert listener.has_beaten(clock[0])
    listener.look()
    clock[0] += PERIOD_S
    heart.beat()
    assert seconds(listener.stalls(0.0, 200.0)) == [0.5]


def test_one_that_begins_anew_has_not_stood_still(tmp_path: Path, clock: list[float]) -> None:
    heart, listener = Heartbeat(tmp_path / "beat"), Listener(tmp_path / "beat")
    heart.beat(3.0)
    listener.look()
    clock[0] += PERIOD_S
    heart.beat(0.0)
    listener.look()
    assert listener.stalls(0.0, 200.0) == []


def test_an_error_counts_against_what_was_under_way(tmp_path: Path, clock: list[float]) -> None:
    heart, listener = Heartbeat(tmp_path / "beat"), Listener(tmp_path / "beat")
    listener.look()
    assert not listener.has_erred(0.0)
    clock[0] = 110.0
    heart.beat(errors=1)
    assert listener.has_erred(109.0), "also before the next look"
    listener.look()
    assert listener.has_erred(110.0)
    assert not listener.has_erred(110.1)
    heart.beat(errors=2)
    assert listener.has_erred(110.1)
