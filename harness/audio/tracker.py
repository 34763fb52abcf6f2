"""The later stages of mark detection: symbols one after another become a mark, are confirmed, go
on, and end.

One :class:`Tracker` follows one stream. Its clock is the hop (10 ms). Machine code (``tracker.c``,
whose layout this has) goes through the hops, and stops where a sequence is worth asking the
waveform, or where the present mark has ended.

The tones of a mark keep fixed phases, so the whole waveform can be asked for, over all its symbols
at once (:func:`confirm`). What looks like a mark to the first stage but is none (music, two marks
mixed) has the tones without their phases.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.front_end import HOP, HOP_OCTETS, WINDOW, Hops, TonePairs
from harness.audio.marks import (
    HIGH_HZ,
    LEAD_IN_SECONDS,
    LOW_HZ,
    MARKS,
    PERIOD,
    SAMPLE_RATE,
    SYMBOL_SECONDS,
    SYMBOLS,
    waveform,
)

MARK_TONES: Final = TonePairs(
    LOW_HZ,
    HIGH_HZ,
    min_share=0.45,  # speech seldom has it, marks have 0.9
    max_twist_db=18.0,
    min_dbov=-53.0,
    tolerance_hz=(14.0,) * (len(LOW_HZ) + len(HIGH_HZ)),
)

History = Callable[[int, int], NDArray[np.float32]]
"""Gives the stream's samples from one sample number to another (the last 160 ms are asked for at
most).
"""


@dataclass(frozen=True, slots=True)
class Heard:
    """A mark is there. Said when it is decided, and again every 200 ms while it goes on. Times in
    stream seconds.
    """

    mark: int
    began: float  #: its first sample, to some 10 ms
    decided: float  #: the end of the audio that this is said on
    level_dbov: float
    quality: float  #: correlation with the mark's own waveform over the last 160 ms or since it began, 0…1
    #: Of the mark's period at the stream's first sample; moves when clocks or buffers do.
    phase_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Ended:
    """A mark is no longer there: not heard since ``at`` (stream seconds, to some 20 ms), or another
    took its place.
    """

    mark: int
    at: float


_SYMBOL_SAMPLES: Final = round(SYMBOL_SECONDS * SAMPLE_RATE)
#: Samples of doubt about the phase: from a symbol's first window; from the last confirmation.
_WIDE, _NARROW = 120, 4
_LEAD_IN: Final = round(LEAD_IN_SECONDS * SAMPLE_RATE)
_QUIET: Final = 0.1  # of the power that follows
_BLOCK: Final = 20  # samples, a part of a hop, whose power a symbol's fading hardly changes
_SYMBOLS: Final = len(LOW_HZ) * len(HIGH_HZ)
_WORDS: Final = np.array(
    [[low * len(HIGH_HZ) + high for low, high in word] for word in MARKS], np.int16
)
_REMEMBERED: Final = 6
_NONE: Final = -1  # where there is no mark
_ALL, _DUE = range(2)  # what the search stopped at, or else the present mark has ended


class _Run(ctypes.Structure):
    """A symbol, and the sequence of them that it ends."""

    _fields_ = (
        ("start", ctypes.c_int64),
        ("symbol", ctypes.c_int32),
        ("strong", ctypes.c_int32),
        ("share", ctypes.c_double),
        ("power", ctypes.c_double),
        ("first", ctypes.c_int64),
        ("word", ctypes.c_int32),
        ("strongs", ctypes.c_int32),
        ("length", ctypes.c_int32),
        ("gaps", ctypes.c_int32),
        ("straight", ctypes.c_int32),
        ("places", ctypes.c_int32),
        ("shares", ctypes.c_double),
    )


class _Tables(ctypes.Structure):
    """``struct words``."""

    _fields_ = (("symbols", ctypes.c_int64), ("words", ctypes.c_void_p), ("marks", ctypes.c_void_p))


class _State(ctypes.Structure):
    """``struct tracker``."""

    _fields_ = (
        ("hop", ctypes.c_int64),
        ("seen", ctypes.c_int64),
        ("announced", ctypes.c_int64),
        ("present", ctypes.c_int32),
        ("last_symbol", ctypes.c_int32),
        ("last_agrees", ctypes.c_int32),
        ("found", ctypes.c_int32),
        ("wanted", ctypes.c_double),
        ("loudest", ctypes.c_double),
        ("count", ctypes.c_int64),
        ("runs", _Run * _REMEMBERED),
    )


def _pairs() -> NDArray[np.int16]:
    """For two symbols 1, 2 or 3 places apart (4, symbols, symbols): mark × 4 + the place of the
    second, or -1.

    No two marks share such a pair.
    """
    pairs = np.full((SYMBOLS, _SYMBOLS, _SYMBOLS), _NONE, np.int16)
    for mark, symbols in enumerate(_WORDS):
        for place, second in enumerate(symbols):
            for apart in range(1, SYMBOLS):
                pairs[apart, symbols[place - apart], second] = mark * SYMBOLS + place
    return pairs


_PAIRS: Final = _pairs()
_TABLES: Final = _Tables(_SYMBOLS, _PAIRS.ctypes.data, _WORDS.ctypes.data)
_TABLES_AT: Final = ctypes.addressof(_TABLES)

_library = ctypes.CDLL(str(Path(__file__).with_name("libtracker.so")))
_track = _library.track
_track.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_track.restype = ctypes.c_size_t
_likeness = _library.likeness
_SAMPLES: Final = ctypes.POINTER(ctypes.c_float)
_likeness.argtypes = (
    *(_SAMPLES, _SAMPLES, _SAMPLES),
    *(ctypes.c_size_t, ctypes.c_size_t, ctypes.c_size_t),
    ctypes.POINTER(ctypes.c_double),
)
_likeness.restype = ctypes.c_double
_silence = _library.silence_before
_silence.argtypes = (_SAMPLES, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_double)
_silence.restype = ctypes.c_size_t


class Tracker:
    """Follows the marks of one stream. The first hop that it is given is number -1, whose window
    has one hop of the past.
    """

    __slots__ = ("_at", "_began", "_phase", "_state", "present")

    def __init__(self) -> None:
        self.present: int | None = None
        self._state = _State(hop=-1, present=_NONE, last_symbol=-1)
        self._at = ctypes.addressof(self._state)
        self._phase = 0.0  # of sample 0 of the stream in the present mark's period
        self._began = 0.0

    def follow(
        self, hops: Hops, history: History, begin: int = 0, end: int | None = None
    ) -> list[Heard | Ended]:
        """Go on by ``hops``, from ``begin`` to ``end``."""
        said: list[Heard | Ended] = []
        at = ctypes.addressof(hops) + begin * HOP_OCTETS
        left = (len(hops) // HOP_OCTETS if end is None else end) - begin
        while True:
            done = _track(self._at, _TABLES_AT, at, left)
            found = self._state.found
            if found == _ALL:
                return said
            at, left = at + done * HOP_OCTETS, left - done
            if found == _DUE:
                self._confirm(history, said)
            else:
                self._end(said)

    def _confirm(self, history: History, said: list[Heard | Ended]) -> None:
        """Ask the waveform for the newest sequence."""
        state = self._state
        run = state.runs[state.count - 1]
        mark, place = divmod(run.word, SYMBOLS)
        first, wanted = run.first * HOP, state.wanted
        again = mark == self.present
        hop = state.hop - 1
        end = hop * HOP + WINDOW
        begin = max(first, end - PERIOD, 0)
        received = history(begin, end)
        quality, phase = 0.0, 0.0
        parts: NDArray[np.float32] | None = None
        if again:
            quality, phase = confirm(received, mark, begin + self._phase, _NARROW)
        if quality < wanted:
            if run.gaps and run.strongs >= 3:
                parts = self._heard_parts(run, begin, end)
            expected = place * _SYMBOL_SAMPLES + begin - run.start * HOP
            quality, phase = confirm(received, mark, expected, _WIDE, parts)
        if quality < wanted:
            return
        self._phase = (phase - begin) % PERIOD
        if not again:
            if self.present is not None:
                self._end(said)
            self.present = state.present = mark
            self._began = self._first_sample(first, received, begin) / SAMPLE_RATE
            silent = _silence_before(received)
            if silent and parts is None:
                # Silence before the first packet is no sign of a mark that is received badly.
                clearer, _ = confirm(received[silent:], mark, begin + silent + self._phase, _NARROW)
                quality = max(quality, clearer)
        state.announced = state.seen = hop
        level = 10 * math.log10(state.loudest / 32768.0**2)
        said.append(
            Heard(mark, self._began, end / SAMPLE_RATE, level, quality, self._phase / SAMPLE_RATE)
        )

    def _heard_parts(self, run: _Run, begin: int, end: int) -> NDArray[np.float32]:
        """1 where a symbol of the run's sequence was heard, 0 between: what was lost there says
        nothing of the mark.
        """
        symbols = _WORDS[run.word // SYMBOLS]
        runs = self._state.runs[: self._state.count]
        parts = np.zeros(end - begin, np.float32)
        for number, other in enumerate(runs):
            place = (run.word - round((run.start - other.start) * HOP / _SYMBOL_SAMPLES)) % SYMBOLS
            if other.start < run.first or other.symbol != symbols[place]:
                continue
            until = end
            if number + 1 < len(runs):
                until = min(
                    other.start * HOP + _SYMBOL_SAMPLES + HOP, runs[number + 1].start * HOP + HOP
                )
            parts[max(0, other.start * HOP - begin) : max(0, until - begin)] = 1.0
        return parts

    def _first_sample(self, window: int, received: NDArray[np.float32], begin: int) -> float:
        """The sample at which the sequence began: the start of its first symbol, unless reception
        began within that symbol.

        ``window`` is the first sample of its first window, ``received`` the audio from ``begin``
        on. If that is quiet before the point at which marks start, the sequence began there.
        """
        first = max(0.0, window + self._to_symbol(window))
        # In the period; just before its end is just before its beginning.
        place = (first + self._phase + HOP) % PERIOD - HOP
        played = first + _LEAD_IN - place
        quiet = round(played) - begin
        if played <= first or begin > window or quiet <= 0:
            return first
        before, then = received[:quiet], received[quiet : quiet + _LEAD_IN]
        return played if _power(before) < _QUIET * _power(then) else first

    def _to_symbol(self, window: int) -> float:
        """From a sequence's first window to the symbol that begins there: the next one, if most of
        the symbol before it is over.
        """
        into = (window + self._phase) % _SYMBOL_SAMPLES
        if into > _SYMBOL_SAMPLES / 2:
            return _SYMBOL_SAMPLES - into
        return -into if into < HOP else 0.0

    def _end(self, said: list[Heard | Ended]) -> None:
        """The present mark is not there any more."""
        assert self.present is not None
        said.append(Ended(self.present, (self._state.seen * HOP + WINDOW) / SAMPLE_RATE))
        self.present = None
        self._state.present = _NONE


def _silence_before(received: NDArray[np.float32]) -> int:
    """Samples before the first sound, to 2.5 ms. A mark has no pauses: its symbols only fade."""
    samples = ctypes.c_float.from_buffer(received.data)
    return int(_silence(samples, len(received), _BLOCK, _QUIET))


def _power(samples: NDArray[np.float32]) -> float:
    return float(samples.dot(samples)) / max(1, len(samples))


def confirm(
    received: NDArray[np.float32],
    mark: int,
    phase: float,
    slack: int,
    heard: NDArray[np.float32] | None = None,
) -> tuple[float, float]:
    """How well ``received`` (8 kHz, 160 ms or less) is ``mark``, and at which phase.

    ``phase`` is where in the mark's period the first sample is expected, in samples; ``slack`` is
    how far off it may be. ``heard`` is 1 where the samples count and 0 elsewhere. Returns the
    normalised correlation at its peak, -1…1, and the phase of the peak (0 ≤ phase < 1280, to half a
    sample).
    """
    parts = None
    if heard is not None:
        received, parts = received * heard, ctypes.c_float.from_buffer(heard.data)
    begin = math.floor(phase) - slack
    place = ctypes.c_double(phase)
    quality: float = _likeness(
        ctypes.c_float.from_buffer(_references(mark).data),
        ctypes.c_float.from_buffer(received.data),
        parts,
        len(received),
        begin % PERIOD,
        2 * slack + 1,
        place,
    )
    return quality, place.value % PERIOD


@lru_cache(maxsize=256)  # 31 kB each; a hundred calls of one process have two hundred marks
def _references(mark: int) -> NDArray[np.float32]:
    """Three periods of the mark on the sample grid, and the same half a sample later."""
    fine = np.tile(waveform(mark, 2 * SAMPLE_RATE), 3)
    return np.ascontiguousarray(fine.reshape(-1, 2).T)
