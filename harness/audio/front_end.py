"""The first stage of mark detection: 20 ms windows every 10 ms, the strongest low and high tone in each.

It works on whole arrays of windows, so that a tick of many legs and an hour of recording run through the same lines;
one leg's frame, too small for numpy to pay, has a twin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.marks import HIGH_HZ, LOW_HZ, SAMPLE_RATE

HOP: Final = 80  #: samples from one window to the next (10 ms)
WINDOW: Final = 160  #: samples in a window (20 ms, half a symbol)
CONTEXT: Final = 2  #: hops of the past that :func:`analyse` needs before the first hop it reports
HIGH_COUNT: Final = len(HIGH_HZ)

_LOW_COUNT = len(LOW_HZ)
_TONES = _LOW_COUNT + HIGH_COUNT
_MIN_SHARE = 0.45  # of the window's energy in its two strongest tones; speech seldom has it, marks have 0.9
_MAX_TWIST = 10 ** (18 / 10)  # between the two tones, as a power ratio
_MIN_PHASE_COS = math.cos(0.9)  # a phase error of 0.9 rad in 10 ms: the tone is within 14 Hz of its place
_MIN_LEVEL_DBOV = -53.0


@dataclass(frozen=True, slots=True)
class Hops:
    """What each window holds; all arrays have the shape (…, hops)."""

    symbol: NDArray[np.intp]  #: low index × 9 + high index, or -1 when no tone pair stands out
    agrees: NDArray[np.bool_]  #: the window before had the same pair, and both tones ran on in phase
    share: NDArray[np.float32]  #: of the window's energy that the pair holds, 0…1
    power: NDArray[np.float32]  #: mean square of the pair, full scale 32768


def analyse(blocks: NDArray[np.float32]) -> Hops:
    """Look at the windows that begin in each hop of ``blocks`` (…, hops + 2, 80), samples at full scale 32768.

    The first of the input's windows only serves as the past of the second, so two hops fewer come out than went in.
    """
    halves = blocks @ _TONE_HALVES
    spectrum = halves[..., :-1, : 2 * _TONES] + halves[..., 1:, 2 * _TONES :]
    power = np.square(spectrum)
    power = power[..., :_TONES] + power[..., _TONES:]
    energies = np.square(blocks) @ _ENERGY_HALVES
    energy = energies[..., :-1, 0] + energies[..., 1:, 1]

    low, high = power[..., :_LOW_COUNT], power[..., _LOW_COUNT:]
    low_at, high_at = low.argmax(-1), high.argmax(-1)
    low_power, high_power = low.max(-1), high.max(-1)
    pair = low_power + high_power
    valid = (
        (pair > _MIN_SHARE * energy)
        & (energy > _MIN_ENERGY)
        & (np.maximum(low_power, high_power) < _MAX_TWIST * np.minimum(low_power, high_power))
    )
    symbol = np.where(valid, low_at * HIGH_COUNT + high_at, -1)

    agrees = valid[..., 1:] & (symbol[..., 1:] == symbol[..., :-1])
    if agrees.any():
        at = np.nonzero(agrees)
        before, now = spectrum[..., :-1, :][at], spectrum[..., 1:, :][at]
        rows = np.arange(len(now))
        for tone in (low_at[..., 1:][at], high_at[..., 1:][at] + _LOW_COUNT):
            # now × conj(before), turned back by what the tone turns in one hop: its angle is the phase error.
            re_now, im_now = now[rows, tone], now[rows, tone + _TONES]
            re_before, im_before = before[rows, tone], before[rows, tone + _TONES]
            along = re_now * re_before + im_now * im_before
            across = im_now * re_before - re_now * im_before
            in_phase = along * _HOP_COS[tone] + across * _HOP_SIN[tone]
            agrees[at] &= in_phase > _MIN_PHASE_COS * np.hypot(along, across)
    return Hops(
        symbol[..., 1:],
        agrees,
        pair[..., 1:] / np.maximum(energy[..., 1:], 1e-6),
        pair[..., 1:] * np.float32(1.0 / _WINDOW_ENERGY),
    )


def analyse_few(blocks: NDArray[np.float32]) -> list[tuple[int, bool, float, float]]:
    """As :func:`analyse` for one leg's frame (hops + 2, 80): a tuple (symbol, agrees, share, power) for each hop.

    Numpy's cost for each call would be three times that of plain floats at this size; a test holds the two equal.
    """
    halves = blocks.dot(_TONE_HALVES)
    spectrum = halves[:-1, : 2 * _TONES] + halves[1:, 2 * _TONES :]
    squares = spectrum * spectrum
    powers = (squares[:, :_TONES] + squares[:, _TONES:]).tolist()
    energies = (blocks * blocks).dot(_ENERGY_HALVES).tolist()
    rows: list[list[float]] | None = None
    out = []
    last = -1
    for k, tones in enumerate(powers):
        energy = energies[k][0] + energies[k + 1][1]
        low, high = tones[:_LOW_COUNT], tones[_LOW_COUNT:]
        low_power, high_power = max(low), max(high)
        pair = low_power + high_power
        symbol, agrees = -1, False
        if (
            pair > _MIN_SHARE * energy
            and energy > _MIN_ENERGY
            and low_power < _MAX_TWIST * high_power
            and high_power < _MAX_TWIST * low_power
        ):
            low_at, high_at = low.index(low_power), high.index(high_power)
            symbol = low_at * HIGH_COUNT + high_at
            if symbol == last:
                rows = rows or spectrum.tolist()
                agrees = all(_in_phase(rows[k - 1], rows[k], tone) for tone in (low_at, high_at + _LOW_COUNT))
        if k:
            out.append((symbol, agrees, pair / max(energy, 1e-6), pair / _WINDOW_ENERGY))
        last = symbol
    return out


def _in_phase(before: list[float], now: list[float], tone: int) -> bool:
    along = now[tone] * before[tone] + now[tone + _TONES] * before[tone + _TONES]
    across = now[tone + _TONES] * before[tone] - now[tone] * before[tone + _TONES]
    in_phase: float = along * _HOP_TURN[tone][0] + across * _HOP_TURN[tone][1]
    return bool(in_phase > _MIN_PHASE_COS * math.hypot(along, across))


def _halves(columns: NDArray[np.float64]) -> NDArray[np.float32]:
    """(160, c) as (80, 2c): the part for a window's first hop beside the part for its second."""
    return np.ascontiguousarray(np.hstack([columns[:HOP], columns[HOP:]]), dtype=np.float32)


def _build() -> tuple[Any, ...]:
    tones = np.array(LOW_HZ + HIGH_HZ)
    window = np.hanning(WINDOW + 2)[1:-1]
    energy = float(np.sum(window**2))
    angle = 2 * np.pi * np.outer(np.arange(WINDOW), tones) / SAMPLE_RATE
    # Scaled so that a pure pair has as much "power" as the window has energy, which makes their ratio the share.
    scale = np.sqrt(2 * energy) / np.sum(window)
    bank = window[:, None] * scale * np.hstack([np.cos(angle), -np.sin(angle)])
    turn = 2 * np.pi * tones * HOP / SAMPLE_RATE
    return (
        _halves(bank),
        _halves(window[:, None] ** 2),
        energy,
        np.cos(turn).astype(np.float32),
        np.sin(turn).astype(np.float32),
    )


_TONE_HALVES, _ENERGY_HALVES, _WINDOW_ENERGY, _HOP_COS, _HOP_SIN = _build()
_MIN_ENERGY = _WINDOW_ENERGY * (32768.0 * 10 ** (_MIN_LEVEL_DBOV / 20)) ** 2
_HOP_TURN = list(zip(_HOP_COS.tolist(), _HOP_SIN.tolist(), strict=True))
