"""The first stage of tone detection: 20 ms windows every 10 ms, the strongest low and high tone in each.

It works on whole arrays of windows, so that a tick of many legs and an hour of recording run through the same lines; one
leg's frame, too small for numpy to pay, has a twin in C (``front_end.c``).
"""

from __future__ import annotations

import ctypes
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.marks import SAMPLE_RATE

HOP: Final = 80  #: samples from one window to the next (10 ms)
WINDOW: Final = 160  #: samples in a window (20 ms)
CONTEXT: Final = 2  #: hops of the past that an analysis needs before the first hop it reports

_TABLES: Final = struct.Struct("@ii4f3P")  # struct tones
_HOP: Final = struct.Struct("@i?3xff")  # struct hop
_tone_pairs = ctypes.CDLL(str(Path(__file__).with_name("libfront_end.so"))).tone_pairs
_tone_pairs.argtypes = (ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p)
_tone_pairs.restype = None


@dataclass(frozen=True, slots=True)
class Hops:
    """What each window holds; all arrays have the shape (…, hops)."""

    symbol: NDArray[np.intp]  #: low index × number of high tones + high index; -1 when no tone pair stands out
    agrees: NDArray[np.bool_]  #: the window before had the same pair, and both tones ran on in phase
    share: NDArray[np.float32]  #: of the window's energy that the pair holds, 0…1
    power: NDArray[np.float32]  #: mean square of the pair, full scale 32768


class TonePairs:
    """Finds pairs of one of the ``low`` and one of the ``high`` tones (Hz) in 8 kHz samples.

    A pair stands out when it holds ``min_share`` of the window's energy, its tones differ by less than ``max_twist_db`` and
    the level exceeds ``min_dbov``. ``tolerance_hz`` is how far a tone may be off its place, one figure a tone; below 50.
    """

    def __init__(
        self,
        low: tuple[float, ...],
        high: tuple[float, ...],
        *,
        min_share: float,
        max_twist_db: float,
        min_dbov: float,
        tolerance_hz: tuple[float, ...],
    ) -> None:
        self.high_count = len(high)
        self._low_count = len(low)
        self._tones = len(low) + len(high)
        self._min_share = min_share
        self._max_twist = 10 ** (max_twist_db / 10)
        window = np.hanning(WINDOW + 2)[1:-1]
        self._window_energy = float(np.sum(window**2))
        self._min_energy = self._window_energy * (32768.0 * 10 ** (min_dbov / 20)) ** 2
        tones = np.array(low + high)
        angle = 2 * np.pi * np.outer(np.arange(WINDOW), tones) / SAMPLE_RATE
        # Scaled so that a pure pair has as much "power" as the window has energy, which makes their ratio the share.
        scale = np.sqrt(2 * self._window_energy) / np.sum(window)
        self._tone_halves = _halves(window[:, None] * scale * np.hstack([np.cos(angle), -np.sin(angle)]))
        self._energy_halves = _halves(window[:, None] ** 2)
        turn = 2 * np.pi * tones * HOP / SAMPLE_RATE
        self._turn_cos, self._turn_sin = np.cos(turn).astype(np.float32), np.sin(turn).astype(np.float32)
        limit = 2 * np.pi * np.array(tolerance_hz) * HOP / SAMPLE_RATE
        self._min_cos = np.cos(limit).astype(np.float32)
        limits = self._min_share, self._max_twist, self._min_energy, self._window_energy
        turns = (array.ctypes.data for array in (self._turn_cos, self._turn_sin, self._min_cos))
        self._tables = _TABLES.pack(len(low), len(high), *limits, *turns)

    def analyse(self, blocks: NDArray[np.float32]) -> Hops:
        """Look at the windows that begin in each hop of ``blocks`` (…, hops + 2, 80), samples at full scale 32768.

        The first window only serves as the past of the second, so two hops fewer come out than went in.
        """
        tones, low_count = self._tones, self._low_count
        halves = blocks @ self._tone_halves
        spectrum = halves[..., :-1, : 2 * tones] + halves[..., 1:, 2 * tones :]
        power = np.square(spectrum)
        power = power[..., :tones] + power[..., tones:]
        energies = np.square(blocks) @ self._energy_halves
        energy = energies[..., :-1, 0] + energies[..., 1:, 1]

        low, high = power[..., :low_count], power[..., low_count:]
        low_at, high_at = low.argmax(-1), high.argmax(-1)
        low_power, high_power = low.max(-1), high.max(-1)
        pair = low_power + high_power
        valid = (
            (pair > self._min_share * energy)
            & (energy > self._min_energy)
            & (np.maximum(low_power, high_power) < self._max_twist * np.minimum(low_power, high_power))
        )
        symbol = np.where(valid, low_at * self.high_count + high_at, -1)

        agrees = valid[..., 1:] & (symbol[..., 1:] == symbol[..., :-1])
        if agrees.any():
            at = np.nonzero(agrees)
            before, now = spectrum[..., :-1, :][at], spectrum[..., 1:, :][at]
            rows = np.arange(len(now))
            for tone in (low_at[..., 1:][at], high_at[..., 1:][at] + low_count):
                # now × conj(before), turned back by what the tone turns in one hop: its angle is the phase error.
                re_now, im_now = now[rows, tone], now[rows, tone + tones]
                re_before, im_before = before[rows, tone], before[rows, tone + tones]
                along = re_now * re_before + im_now * im_before
                across = im_now * re_before - re_now * im_before
                in_phase = along * self._turn_cos[tone] + across * self._turn_sin[tone]
                agrees[at] &= in_phase > self._min_cos[tone] * np.hypot(along, across)
        return Hops(
            symbol[..., 1:],
            agrees,
            pair[..., 1:] / np.maximum(energy[..., 1:], 1e-6),
            pair[..., 1:] * np.float32(1.0 / self._window_energy),
        )

    def analyse_few(self, blocks: NDArray[np.float32]) -> list[tuple[int, bool, float, float]]:
        """As :meth:`analyse` for one leg's frame (hops + 2, 80), in C: a tuple (symbol, agrees, share, power) for each hop."""
        halves, energies = blocks.dot(self._tone_halves), (blocks * blocks).dot(self._energy_halves)
        hops = ctypes.create_string_buffer(max(0, len(blocks) - CONTEXT) * _HOP.size)
        _tone_pairs(self._tables, halves.ctypes.data, energies.ctypes.data, len(blocks), hops)
        return list(_HOP.iter_unpack(hops.raw))


def _halves(columns: NDArray[np.float64]) -> NDArray[np.float32]:
    """(160, c) as (80, 2c): the part for a window's first hop beside the part for its second."""
    return np.ascontiguousarray(np.hstack([columns[:HOP], columns[HOP:]]), dtype=np.float32)
