"""The deep search for marks that sound at once: crossed audio, an echo under another's mark.

The stream detector hears the strongest mark. This one, too dear to run always, folds four periods
of the stream onto one, correlates that with all marks at all phases, takes the best out and looks
again. What it finds has to be there in two windows running.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.audio.marks import (
    HIGH_HZ,
    LOW_HZ,
    MARKS,
    PERIOD,
    SAMPLE_RATE,
    SYMBOLS,
    symbol_waveform,
)
from harness.audio.tracker import Heard

_FOLDED: Final = 2  #: periods in a window (320 ms)
_STEP: Final = PERIOD  #: from one window to the next
_MOST: Final = 3  #: marks at once
_MIN_LEVEL_DBOV = -60.0
_MIN_RELATIVE_DB = -26.0  # below the strongest: weaker ones are what codecs leave of the strongest
_MIN_CORRELATION = 0.40  # of what is left once stronger marks are taken out
_SINGULAR: Final = 1e-5  #: two marks may have a symbol in common
_AT_ONCE: Final = 4  #: phases tried together
_SAME_PHASE = 24  # samples by which the phase may differ between two windows of one mark


@dataclass(frozen=True, slots=True)
class _Found:
    mark: int
    phase: float
    level_dbov: float
    correlation: float


def marks_in(samples: NDArray[np.int16]) -> list[Heard]:
    """Every mark (at 8 kHz) that sounds in two windows running (320 ms each, 160 ms apart), in the
    order in which they begin.

    Here ``began`` and ``decided`` bound the whole time in which a mark was found, to some 160 ms,
    and ``quality`` is the best correlation once stronger marks were taken out. Up to three marks at
    once, down to 26 dB below the strongest. Costs some 10 ms of CPU for a second of audio.
    """
    heard: list[Heard] = []
    going_on: list[list[_Found]] = []  # each mark's findings in windows running, up to the last
    # After the last window nothing is found, which ends all that is going on.
    for number, here in enumerate([*_windows(samples), []]):
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


def _windows(samples: NDArray[np.int16]) -> list[list[_Found]]:
    """What is found in each window, its periods folded onto one."""
    audio = samples.astype(np.float32)
    length = _FOLDED * PERIOD
    found = []
    for at in range(0, len(audio) - length + 1, _STEP):
        periods = audio[at : at + length].reshape(_FOLDED, PERIOD)
        found.append(_search(periods.mean(axis=0)))
    return found


def _heard(run: list[_Found], last_window: int) -> Heard:
    """A run of windows with one mark, whose last window is given by its number."""
    first_window = last_window - len(run) + 1
    end = last_window * _STEP + _FOLDED * PERIOD
    return Heard(
        mark=run[0].mark,
        began=first_window * _STEP / SAMPLE_RATE,
        decided=end / SAMPLE_RATE,
        level_dbov=sum(found.level_dbov for found in run) / len(run),
        quality=max(found.correlation for found in run),
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
        likest = _likest(left, _MIN_CORRELATION * math.sqrt(energy))
        if likest is None or any(likest.mark == known.mark for known in found):
            break
        basis = np.roll(tone_basis(likest.mark), likest.phase, axis=0)
        powers = np.sort(_symbol_powers(basis, left))
        level = _dbov(float(powers.sum()))
        # A steady sound resembles a mark in two of its symbols at most; the fourth may have gone
        # out with a stronger mark.
        if powers[1] < 0.1 * powers.mean():
            break
        if found and level < found[0].level_dbov + _MIN_RELATIVE_DB:
            break
        correlation = likest.product / math.sqrt(energy)
        found.append(_Found(likest.mark, float(likest.phase), level, correlation))
        least = max(least, found[0].level_dbov + _MIN_RELATIVE_DB)
        bases.append(basis)
        left = _without(period, bases)
    return found


def _symbol_powers(basis: NDArray[np.float32], left: NDArray[np.float32]) -> NDArray[np.float32]:
    """The power of each symbol of a mark, four columns of its basis."""
    powers: NDArray[np.float32] = np.square(basis.T @ left).reshape(4, 4).sum(axis=1)
    return powers


def _without(period: NDArray[np.float32], bases: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The period without all the marks found so far. They are taken out together, because they are
    not orthogonal to each other. Each is in itself.
    """
    together = np.concatenate(bases, axis=1)
    along = together.T @ period
    if len(bases) > 1:
        along = np.linalg.lstsq(together.T @ together, along, rcond=_SINGULAR)[0]
    left: NDArray[np.float32] = period - together @ along
    return left


class _Likest(NamedTuple):
    mark: int
    phase: int
    product: float


def _likest(period: NDArray[np.float32], least: float) -> _Likest | None:
    """The mark and phase of the largest scalar product with a period; None if that is below
    ``least``.

    All marks are made of 16 symbols, so their products are sums of those of four symbols, a quarter
    of a period apart. No mark can reach more than the largest four together: phases are tried in
    that order, until none of the rest can be the one. That is a dozen of 1280 where a mark sounds,
    and none in what a codec leaves.
    """
    symbols = _symbols()
    products = np.fft.irfft(np.fft.rfft(period) * symbols.spectra, PERIOD, axis=1).reshape(
        len(symbols.spectra), SYMBOLS, -1
    )
    most = np.abs(products).max(axis=0).sum(axis=0) / symbols.norms.min()
    best = _Likest(-1, 0, 0.0)
    order = np.argsort(-most)
    for first in range(0, len(order), _AT_ONCE):
        tried = order[first : first + _AT_ONCE]
        if most[tried[0]] < max(least, best.product):
            break
        # (marks, turns of a quarter, phases)
        sums = products[:, :, tried][symbols.words[:, None, :], _TURNS].sum(axis=2)
        sizes = np.abs(sums) / symbols.norms[:, None, None]
        mark, turn, phase = (int(at) for at in np.unravel_index(int(sizes.argmax()), sizes.shape))
        if sizes[mark, turn, phase] > best.product:
            at = turn * PERIOD // SYMBOLS + int(tried[phase])
            best = _Likest(mark, at, float(sizes[mark, turn, phase]))
    return best if best.product >= least else None


#: Which quarter each symbol of a mark stands in, for each turn by a quarter.
_TURNS: Final = (np.arange(SYMBOLS)[:, None] + np.arange(SYMBOLS)) % SYMBOLS


def _dbov(energy: float) -> float:
    return 10 * math.log10(max(energy, 1e-9) / (PERIOD * 32768.0**2))


@dataclass(frozen=True, slots=True)
class _Symbols:
    """What all marks are made of."""

    spectra: NDArray[np.complex64]  #: (symbols, bins): conjugate
    words: NDArray[np.intp]  #: (marks, 4): which symbols
    norms: NDArray[np.float32]  #: by mark


@cache
def _symbols() -> _Symbols:
    """Made once: the symbols that occur in marks, and which mark has which."""
    used = sorted({symbol for word in MARKS for symbol in word})
    numbers = {symbol: number for number, symbol in enumerate(used)}
    words = np.array([[numbers[symbol] for symbol in word] for word in MARKS])
    waves = np.stack([symbol_waveform(low, high) for low, high in used])
    energies = np.square(waves).sum(axis=1)
    spectra = np.fft.rfft(waves, PERIOD, axis=1)
    return _Symbols(
        spectra=np.conj(spectra).astype(np.complex64),
        words=words,
        norms=np.sqrt(energies[words].sum(axis=1)),
    )


@lru_cache(maxsize=32)  # 80 kB each: all 512 would be 40 MB in every worker
def tone_basis(mark: int) -> NDArray[np.float32]:
    """(1280, 16): an orthonormal basis of the cosine and sine of each tone of each symbol, four
    columns a symbol.

    A channel that filters, or a phase between two samples, gives each tone its own level and phase;
    this spans them all.
    """
    length = PERIOD // SYMBOLS
    time = np.arange(length) / SAMPLE_RATE
    envelope = np.ones(length)
    ramp = np.sin(0.5 * np.pi * (np.arange(16) + 0.5) / 16) ** 2
    envelope[:16], envelope[-16:] = ramp, ramp[::-1]
    columns = np.zeros((PERIOD, 16))
    for place, (low, high) in enumerate(MARKS[mark]):
        part = slice(place * length, (place + 1) * length)
        for tone, hertz in enumerate((LOW_HZ[low], HIGH_HZ[high])):
            angle = 2 * np.pi * (hertz * time)
            column = 4 * place + 2 * tone
            columns[part, column] = envelope * np.cos(angle)
            columns[part, column + 1] = envelope * np.sin(angle)
    basis: NDArray[np.float32] = np.linalg.qr(columns)[0].astype(np.float32)
    return basis
