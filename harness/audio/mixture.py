"""The deep search for marks that sound at once: crossed audio, an echo under another's mark.

The stream detector hears the strongest mark. This one, too dear to run always, folds four periods of the stream onto one,
correlates that with all marks at all phases, takes the best out and looks again. What it finds has to be there in two
windows running.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.marks import HIGH_HZ, LOW_HZ, MARKS, PERIOD, SAMPLE_RATE, waveform
from harness.audio.tracker import Heard

_FOLDED: Final = 2  #: periods in a window (320 ms)
_STEP: Final = PERIOD  #: from one window to the next
_MOST: Final = 3  #: marks at once
_MIN_LEVEL_DBOV = -60.0
_MIN_RELATIVE_DB = -26.0  # below the strongest: weaker ones are what codecs leave of the strongest
_MIN_CORRELATION = 0.40  # of what is left once stronger marks are taken out
_SAME_PHASE = 24  # samples by which the phase may differ between two windows of one mark


@dataclass(frozen=True, slots=True)
class _Found:
    mark: int
    phase: float
    level_dbov: float
    correlation: float


def marks_in(samples: NDArray[np.int16]) -> list[Heard]:
    """Every mark (at 8 kHz) that sounds in two windows running (320 ms each, 160 ms apart), in the order in which they begin.

    Here ``began`` and ``decided`` bound the whole time in which a mark was found, to some 160 ms, and ``quality`` is the
    best correlation once stronger marks were taken out. Up to three marks at once, down to 26 dB below the strongest.
    Costs some 20 ms of CPU for a second of audio.
    """
    audio = samples.astype(np.float32)
    windows = [
        _search(audio[at : at + _FOLDED * PERIOD].reshape(_FOLDED, PERIOD).mean(axis=0))
        for at in range(0, len(audio) - _FOLDED * PERIOD + 1, _STEP)
    ]
    heard: list[Heard] = []
    going_on: list[list[_Found]] = []  # each mark's findings in windows running, up to the last
    for number in range(len(windows) + 1):
        here = windows[number] if number < len(windows) else []
        goes_on, new = [], list(here)
        for run in going_on:
            again = next((found for found in new if _same(found, run[-1])), None)
            if again is not None:
                new.remove(again)
                goes_on.append([*run, again])
            elif len(run) >= 2:
                heard.append(_heard(run, number - 1))
        going_on = goes_on + [[found] for found in new]
    return sorted(heard, key=lambda mark: (mark.began, -mark.level_dbov))


def _heard(run: list[_Found], last_window: int) -> Heard:
    first = (last_window - len(run) + 1) * _STEP
    return Heard(
        run[0].mark,
        first / SAMPLE_RATE,
        (last_window * _STEP + _FOLDED * PERIOD) / SAMPLE_RATE,
        sum(found.level_dbov for found in run) / len(run),
        max(found.correlation for found in run),
    )


def _same(one: _Found, other: _Found) -> bool:
    turned = (one.phase - other.phase + PERIOD / 2) % PERIOD - PERIOD / 2
    return one.mark == other.mark and abs(turned) <= _SAME_PHASE


def _search(period: NDArray[np.float32]) -> list[_Found]:
    """The marks in one period of audio (1280 samples at full scale 32768), strongest first."""
    found: list[_Found] = []
    bases: list[NDArray[np.float32]] = []
    left, least = period, _MIN_LEVEL_DBOV
    while len(found) < _MOST:
        energy = float(left.dot(left))
        if _dbov(energy) < least:  # a mark in it is no louder than the whole
            break
        products = np.fft.irfft(np.fft.rfft(left) * _spectra(), PERIOD, axis=1)
        mark, phase = (int(at) for at in np.unravel_index(int(np.abs(products).argmax()), products.shape))
        correlation = abs(float(products[mark, phase])) / math.sqrt(energy)
        if correlation < _MIN_CORRELATION or any(mark == known.mark for known in found):
            break
        basis = np.roll(tone_basis(mark), phase, axis=0)
        weights = basis.T @ left
        powers = np.sort(np.square(weights).reshape(4, 4).sum(axis=1))
        level = _dbov(float(powers.sum()))
        # A steady sound resembles a mark in two of its symbols at most; the fourth may have gone out with a stronger mark.
        if powers[1] < 0.1 * powers.mean() or (found and level < found[0].level_dbov + _MIN_RELATIVE_DB):
            break
        found.append(_Found(mark, float(phase), level, correlation))
        least = max(least, found[0].level_dbov + _MIN_RELATIVE_DB)
        bases.append(basis)
        # All the marks found so far are taken out together: they are not orthogonal.
        together = np.concatenate(bases, axis=1)
        left = period - together @ np.linalg.lstsq(together, period, rcond=None)[0]
    return found


def _dbov(energy: float) -> float:
    return 10 * math.log10(max(energy, 1e-9) / (PERIOD * 32768.0**2))


@cache
def _spectra() -> NDArray[np.complex64]:
    """(marks, bins): the conjugate spectra of all marks' periods, each of norm 1."""
    periods = np.stack([waveform(mark) for mark in range(len(MARKS))])
    periods /= np.linalg.norm(periods, axis=1, keepdims=True)
    return np.conj(np.fft.rfft(periods, axis=1)).astype(np.complex64)


@lru_cache(maxsize=32)  # 80 kB each: all 512 would be 40 MB in every worker
def tone_basis(mark: int) -> NDArray[np.float32]:
    """(1280, 16): an orthonormal basis of the cosine and sine of each tone of each symbol, four columns a symbol.

    A channel that filters, or a phase between two samples, gives each tone its own level and phase; this spans them all.
    """
    length = PERIOD // 4
    time = np.arange(length) / SAMPLE_RATE
    envelope = np.ones(length)
    ramp = np.sin(0.5 * np.pi * (np.arange(16) + 0.5) / 16) ** 2
    envelope[:16], envelope[-16:] = ramp, ramp[::-1]
    columns = np.zeros((PERIOD, 16))
    for place, (low, high) in enumerate(MARKS[mark]):
        for k, angle in enumerate((LOW_HZ[low] * time, HIGH_HZ[high] * time)):
            part = slice(place * length, (place + 1) * length)
            columns[part, 4 * place + 2 * k] = envelope * np.cos(2 * np.pi * angle)
            columns[part, 4 * place + 2 * k + 1] = envelope * np.sin(2 * np.pi * angle)
    basis: NDArray[np.float32] = np.linalg.qr(columns)[0].astype(np.float32)
    return basis
