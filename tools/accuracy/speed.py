"""How much the detector costs, on one core, by CPU time; the best of several runs, for this machine
has other work.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.detector import MarkDetector, marks_heard
from harness.audio.marks import MARKS, waveform
from harness.audio.wav import to_int16
from tools.accuracy.corpus import MINUTES, Item

_ROUNDS: Final = 7
_LEGS: Final = 20


def batch_x_realtime() -> float:
    """Recordings of all kinds and of calls: how many seconds of them one second of CPU looks
    through.
    """
    recordings = [Item(kind, 0).samples() for kind in MINUTES]
    recordings += [_leg(mark, 60) for mark in (3, 141, 240, 400)]
    seconds = sum(len(recording) for recording in recordings) / 8000
    return seconds / _best(lambda: [marks_heard(recording) for recording in recordings])


def leg_cpu_percent() -> float:
    """A live leg that hears a mark all the time, fed in frames of 20 ms, among other legs: per cent
    of a core.
    """
    seconds = 10
    legs = [
        _leg(int(mark), seconds).reshape(-1, 160) for mark in np.linspace(0, len(MARKS) - 1, _LEGS)
    ]

    def listen() -> None:
        detectors = [MarkDetector() for _ in legs]
        for frames in zip(*legs, strict=True):
            for detector, frame in zip(detectors, frames, strict=True):
                detector.feed(frame)

    return 100 * _best(listen) / (seconds * _LEGS)


def _leg(mark: int, seconds: int) -> NDArray[np.int16]:
    noise = np.random.default_rng(mark).normal(0, 0.003, seconds * 8000)
    period = waveform(mark)
    return to_int16(np.resize(period, seconds * 8000) + noise)


def _best(work: Callable[[], object]) -> float:
    """The least CPU seconds of several runs; the first only warms caches."""
    work()
    least = float("inf")
    for _ in range(_ROUNDS):
        begun = time.process_time()
        work()
        least = min(least, time.process_time() - begun)
    return least
