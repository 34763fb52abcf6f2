"""Somebody speaks, or nobody: activity by level over a noise floor that is followed, for far ends that send no marks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.marks import SAMPLE_RATE

_FRAME: Final = 160
_FRAME_SECONDS: Final = _FRAME / SAMPLE_RATE
SILENCE_DBOV: Final = -96.0  #: the level that stands for digital silence

_LEAST_DBOV = -52.0  # quieter than this is nobody speaking, whatever the floor
_OVER_FLOOR_DB = 9.0
_FLOOR_RISE_DB = 0.08  # a frame (4 dB a second): slower than words, faster than a call
_ONSET_FRAMES = 3  # so many of the last five frames have to be loud: a click is not a word
_HANGOVER_FRAMES = 15  # words pause for less than 300 ms


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which somebody spoke (stream seconds)."""

    began: float
    ended: float


class SpeechDetector:
    """Follows one 8 kHz stream. ``speaking`` is the moment the present stretch began, or None."""

    def __init__(self) -> None:
        self.speaking: float | None = None
        self._rest = np.zeros(0, np.int16)
        self._frame = 0
        self._floor = _LEAST_DBOV
        self._loud = [False] * 5
        self._last_loud = 0

    def feed(self, samples: NDArray[np.int16]) -> list[Stretch]:
        """Hear some more samples; stretches come when they have ended (300 ms of quiet)."""
        audio = np.concatenate([self._rest, samples]) if len(self._rest) else samples
        whole = len(audio) // _FRAME * _FRAME
        self._rest = audio[whole:]
        ended: list[Stretch] = []
        for level in levels(audio[:whole]).tolist():
            self._take(level, ended)
        return ended

    def finish(self) -> list[Stretch]:
        """The stretch that the stream's end cut off, if any."""
        if self.speaking is None:
            return []
        stretch = Stretch(self.speaking, (self._last_loud + 1) * _FRAME_SECONDS)
        self.speaking = None
        return [stretch]

    def _take(self, level: float, ended: list[Stretch]) -> None:
        loud = level > max(_LEAST_DBOV, self._floor + _OVER_FLOOR_DB)
        self._floor = min(self._floor + _FLOOR_RISE_DB, max(level, -80.0))
        self._loud = [*self._loud[1:], loud]
        if loud:
            self._last_loud = self._frame
            if self.speaking is None and sum(self._loud) >= _ONSET_FRAMES:
                first = self._frame - 4 + self._loud.index(True)
                self.speaking = max(0, first) * _FRAME_SECONDS
        elif self.speaking is not None and self._frame - self._last_loud >= _HANGOVER_FRAMES:
            ended += self.finish()
        self._frame += 1


def levels(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """The level of each whole 20 ms of 8 kHz samples in dBov, :data:`SILENCE_DBOV` for digital silence."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    power = np.mean(np.square(frames, dtype=np.float64), axis=1) / 32768.0**2
    dbov: NDArray[np.float64] = 10 * np.log10(np.maximum(power, 10 ** (SILENCE_DBOV / 10)))
    return dbov


def speech_in(samples: NDArray[np.int16]) -> list[Stretch]:
    """The stretches of a whole recording at 8 kHz."""
    detector = SpeechDetector()
    return detector.feed(samples) + detector.finish()


def reaction_ms(prompt_ended: float, stretches: list[Stretch]) -> float | None:
    """How long after a prompt's end (same clock as the stretches) the other side began to speak; None if it never did.

    Negative when it began while the prompt still ran and was not done when that ended.
    """
    answers = [stretch for stretch in stretches if stretch.ended > prompt_ended]
    return 1000 * (answers[0].began - prompt_ended) if answers else None


def barge_in_ms(interrupted: float, stretches: list[Stretch]) -> float | None:
    """How long the other side went on speaking after we began to at ``interrupted``; None if it was not speaking then."""
    running = [stretch for stretch in stretches if stretch.began <= interrupted < stretch.ended]
    return 1000 * (running[0].ended - interrupted) if running else None


def mean_level(samples: NDArray[np.int16]) -> float:
    """The level of all samples together in dBov."""
    if not len(samples):
        return SILENCE_DBOV
    power = float(np.mean(np.square(samples, dtype=np.float64))) / 32768.0**2
    return max(SILENCE_DBOV, 10 * math.log10(power)) if power > 0 else SILENCE_DBOV
