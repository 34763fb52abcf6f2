"""Who listens for a heartbeat counts what he was awake for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.heartbeat import PERIOD_S, Heartbeat, Listener


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that the test sets."""
    now = [100.0]
    monkeypatch.setattr("harness.heartbeat.time.monotonic", lambda: now[0])
    return now


def test_silence_grows_from_look_to_look_and_ends_with_a_beat(tmp_path: Path, clock: list[float]) -> None:
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
