"""The first stage of tone detection: 20 ms windows every 10 ms, the strongest low and high tone in
each.

A leg's frame, a tick of many legs and an hour of recording run through the same lines, in machine
code (``front_end.c``, whose layout this has).
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.marks import SAMPLE_RATE

HOP: Final = 80  #: samples from one window to the next (10 ms)
WINDOW: Final = 160  #: samples in a window (20 ms)
CONTEXT: Final = 2  #: hops of the past that an analysis needs before the first hop it reports

HOP_OCTETS: Final = 16  #: of a hop in :data:`Hops`

_TABLES: Final = struct.Struct("@ii4f5Pq")  # struct tones
_COLUMNS: Final = 36  # of a part
_HOP: Final = struct.Struct("@i?3xff")  # struct hop
_tone_pairs = ctypes.CDLL(str(Path(__file__).with_name("libfront_end.so"))).tone_pairs
_tone_pairs.argtypes = (
    ctypes.c_char_p,
    ctypes.POINTER(ctypes.c_float),
    ctypes.c_size_t,
    ctypes.c_size_t,
    ctypes.c_char_p,
)
_tone_pairs.restype = None

Hops = ctypes.Array[ctypes.c_char]
"""What windows hold, as machine code has it (``hop.h``); :func:`unpacked` says it in Python."""


def unpacked(hops: Hops) -> Iterator[tuple[int, bool, float, float]]:
    """Of each window: the symbol, low index × number of high tones + high index, or -1 when no tone
    pair stands out; whether the window before had the same pair, and both tones ran on in phase;
    the pair's share of the window's energy (0…1) and its mean square (full scale 32768).
    """
    return _HOP.iter_unpack(hops.raw)


class TonePairs:
    """Finds pairs of one of the ``low`` and one of the ``high`` tones (Hz) in 8 kHz samples.

    A pair stands out when it holds ``min_share`` of the window's energy, its tones differ by less
    than ``max_twist_db`` and the level exceeds ``min_dbov``. ``tolerance_hz`` is how far a tone may
    be off its place, one figure a tone; below 50.
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
        window = np.hanning(WINDOW + 2)[1:-1]
        energy = float(np.sum(window**2))
        tones = np.array(low + high)
        angle = 2 * np.pi * np.outer(np.arange(WINDOW), tones) / SAMPLE_RATE
        # Scaled so that a pure pair has as much "power" as the window has energy, which makes their
        # ratio the share.
        scale = np.sqrt(2 * energy) / np.sum(window)
        halves = _parts(window[:, None] * scale * np.hstack([np.cos(angle), -np.sin(angle)]))
        turn = 2 * np.pi * tones * HOP / SAMPLE_RATE
        limit = 2 * np.pi * np.array(tolerance_hz) * HOP / SAMPLE_RATE
        tables = (np.cos(turn), np.sin(turn), np.cos(limit), halves, window**2)
        self._arrays = [
            np.ascontiguousarray(table, np.float32) for table in tables
        ]  # machine code knows where they are
        self._tables = _TABLES.pack(
            len(low),
            len(high),
            min_share,
            10 ** (max_twist_db / 10),
            energy * (32768.0 * 10 ** (min_dbov / 20)) ** 2,
            energy,
            *(array.ctypes.data for array in self._arrays),
            len(halves),
        )

    def analyse(self, blocks: NDArray[np.float32]) -> Hops:
        """Look at the windows that begin in each hop of ``blocks``, float32 (…, hops + 2, 80) at
        full scale 32768.

        The first window only serves as the past of the second, so of each stream two hops fewer
        come out than went in, of one stream after another.
        """
        blocks = np.ascontiguousarray(blocks, np.float32)
        count = blocks.shape[-2]
        streams = blocks.size // (count * HOP)
        hops: Hops = (ctypes.c_char * (max(0, count - CONTEXT) * streams * HOP_OCTETS))()
        if streams:
            _tone_pairs(self._tables, ctypes.c_float.from_buffer(blocks.data), streams, count, hops)
        return hops


def _parts(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """(160, c) as (parts, 80, 36): columns of a window's first half, then those of its second, then
    zeros.
    """
    halves = np.hstack([columns[:HOP], columns[HOP:]])
    padded = np.pad(halves, ((0, 0), (0, -halves.shape[1] % _COLUMNS)))
    return padded.reshape(HOP, -1, _COLUMNS).swapaxes(0, 1)
