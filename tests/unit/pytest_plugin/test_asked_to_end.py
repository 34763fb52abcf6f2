"""A run that is asked to end twice, as when its process group gets the signal as well."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from harness.run.plugin.interruption import ENDED, Interruption

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    before = [(each, signal.signal(each, signal.default_int_handler)) for each in SIGNALS]
    yield
    for each, handler in before:
        signal.signal(each, handler)


class AtOnceError(Exception):
    """In the place of the process's end."""


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is written before the process ends at once."""
    lines: list[str] = []

    def exits(code: int) -> None:
        assert code == 130
        raise AtOnceError

    monkeypatch.setattr(os, "_exit", exits)
    monkeypatch.setattr(os, "write", lambda file, octets: lines.append(octets.decode()))
    return lines


@pytest.mark.parametrize("first", [*SIGNALS, None])
@pytest.mark.parametrize("second", SIGNALS)
def test_only_a_second_ctrl_c_cuts_the_end_short(
    first: signal.Signals | None, second: signal.Signals, written: list[str]
) -> None:
    interruption = Interruption()
    if first is None:
        interruption.is_ending = True  # by itself: reports are being made
    else:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(first)
    if second == signal.SIGINT:
        with pytest.raises(AtOnceError):
            signal.raise_signal(second)
    else:
        signal.raise_signal(second)
    assert written == [f"{ENDED}\n"] * (second == signal.SIGINT)


def test_run_that_cannot_be_recorded_ends_all_the_same(written: list[str]) -> None:
    interruption = Interruption()
    interruption.is_ending = True

    def fails() -> str:
        raise OSError("the disk is full")

    interruption.keep = fails
    with pytest.raises(AtOnceError):
        signal.raise_signal(signal.SIGINT)
    assert written == [f"{ENDED}\n"]


@pytest.mark.parametrize("ignored", [signal.SIGINT, signal.SIGHUP])
def test_ignored_signal_ends_nothing(ignored: signal.Signals) -> None:
    """As in the background of a shell without job control, or under nohup."""
    signal.signal(ignored, signal.SIG_IGN)
    Interruption()
    signal.raise_signal(ignored)
