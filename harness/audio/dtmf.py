"""DTMF digits: made, and found in a stream (ITU-T Q.23 for the tones, Q.24 for what a receiver
accepts).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.front_end import CONTEXT, HOP, TonePairs, unpacked
from harness.audio.marks import SAMPLE_RATE

DIGITS: Final = "123A456B789C*0#D"
LOW_HZ: Final = (697.0, 770.0, 852.0, 941.0)
HIGH_HZ: Final = (1209.0, 1336.0, 1477.0, 1633.0)

# Q.24 accepts at least ±1.5 % and refuses ±3.5 %; ±2.5 % lies between.
_PAIRS = TonePairs(
    LOW_HZ,
    HIGH_HZ,
    min_share=0.80,
    max_twist_db=10.0,
    min_dbov=-45.0,
    tolerance_hz=tuple(0.025 * tone for tone in LOW_HZ + HIGH_HZ),
)
_MIN_AGREEMENTS = 2  # of neighbouring windows: 40 ms of tone always have them, 23 ms never
_GAP_HOPS = 2  # so long a digit may be covered before it has ended


@dataclass(frozen=True, slots=True)
class Digit:
    """A digit that has ended; times in stream seconds, to some 10 ms."""

    digit: str
    began: float
    duration: float


class DtmfDetector:
    """Finds DTMF digits in an 8 kHz stream; a digit is reported when it has ended."""

    def __init__(self) -> None:
        self._samples = np.zeros(CONTEXT * HOP, np.float32)
        self._hop = -1  # of the next window
        self._symbol = -1
        self._first = self._last = 0
        self._agreements = 0

    def feed(self, samples: NDArray[np.int16]) -> list[Digit]:
        """Hear some more samples, any number of them."""
        self._samples = np.concatenate([self._samples, samples], dtype=np.float32)
        count = len(self._samples) // HOP - CONTEXT
        if count < 1:
            return []
        blocks = self._samples[: (count + CONTEXT) * HOP].reshape(-1, HOP)
        self._samples = self._samples[count * HOP :]
        digits: list[Digit] = []
        for symbol, agrees, _, _ in unpacked(_PAIRS.analyse(blocks)):
            self._hop += 1
            if symbol >= 0 or self._symbol >= 0:
                self._take(symbol, agrees, digits)
        return digits

    def _take(self, symbol: int, agrees: bool, digits: list[Digit]) -> None:
        """Take up what one window shows: a digit goes on, or it ends and perhaps another begins."""
        if agrees and symbol == self._symbol:
            self._agreements += 1
            self._last = self._hop
            return
        is_covered = symbol < 0 and self._hop - self._last <= _GAP_HOPS
        if symbol == self._symbol or is_covered:
            return
        if self._symbol >= 0 and self._agreements >= _MIN_AGREEMENTS:
            begin, end = self._first * HOP, (self._last + 2) * HOP
            seconds = (end - begin) / SAMPLE_RATE
            digits.append(Digit(DIGITS[self._symbol], begin / SAMPLE_RATE, seconds))
        self._symbol = symbol
        self._first = self._last = self._hop
        self._agreements = 0


def digits_in(samples: NDArray[np.int16]) -> list[Digit]:
    """The DTMF digits in a whole recording at 8 kHz."""
    silence = np.zeros((CONTEXT + _GAP_HOPS + 2) * HOP, np.int16)  # ends the last digit
    return DtmfDetector().feed(np.concatenate([samples, silence]))


def dtmf(
    digits: str,
    *,
    tone: float = 0.1,
    pause: float = 0.1,
    rate: int = SAMPLE_RATE,
    level_dbov: float = -13.0,
) -> NDArray[np.float32]:
    """Digits as float32 samples, each followed by its pause. Raises ``ValueError`` for what is no
    digit.
    """
    time = np.arange(round(tone * rate)) / rate
    silence = np.zeros(round(pause * rate), np.float32)
    # Two tones of equal level, an amplitude of `gain` each, have this RMS.
    gain = 10 ** (level_dbov / 20)
    parts: list[NDArray[np.float32]] = []
    for digit in digits:
        at = DIGITS.find(digit)
        if at < 0:
            raise ValueError(f"{digit!r} is no DTMF digit: {DIGITS}")
        low, high = LOW_HZ[at // 4], HIGH_HZ[at % 4]
        tones = gain * (np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time))
        parts += [tones.astype(np.float32), silence]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)
