"""The middle of mark detection: symbols one after another become a mark, are confirmed, go on, and end.

One :class:`Tracker` follows one stream. Its clock is the hop (10 ms); it is told of a hop only when something begins
there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.confirm import PERIOD, confirm
from harness.audio.front_end import HOP, WINDOW, TonePairs
from harness.audio.marks import HIGH_HZ, LEAD_IN_SECONDS, LOW_HZ, MARKS, SAMPLE_RATE

MARK_TONES: Final = TonePairs(
    LOW_HZ,
    HIGH_HZ,
    min_share=0.45,  # speech seldom has it, marks have 0.9
    max_twist_db=18.0,
    min_dbov=-53.0,
    tolerance_hz=(14.0,) * (len(LOW_HZ) + len(HIGH_HZ)),
)

History = Callable[[int, int], NDArray[np.float32]]
"""Gives the stream's samples from one sample number to another (the last 160 ms are asked for at most)."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A mark is there. Said when it is decided, and again every 200 ms while it goes on. Times in stream seconds."""

    mark: int
    began: float  #: its first sample, to some 10 ms
    decided: float  #: the end of the audio that this is said on
    level_dbov: float
    quality: float  #: correlation with the mark's own waveform over the last 160 ms or since it began, 0…1
    phase_seconds: float = 0.0  #: of the mark's period at the stream's first sample; moves when clocks or buffers do


@dataclass(frozen=True, slots=True)
class Ended:
    """A mark is no longer there: not heard since ``at`` (stream seconds, to some 20 ms), or another took its place."""

    mark: int
    at: float


_SYMBOL_HOPS = 4
_SYMBOL_SAMPLES = _SYMBOL_HOPS * HOP
_ANNOUNCE_HOPS = 20
_HOLD_HOPS = 30  # so long a mark may be covered (loss, a cough) before it has ended
_MIN_SHARE = 0.55  # of the energy, on average over the symbols of a sequence
_WIDE, _NARROW = 120, 4  # samples of doubt about the phase: from a symbol's first window; from the last confirmation
_REMEMBERED = 6
_MIN_AGAIN = 0.30  # for a mark that is present already
_LEAD_IN = round(LEAD_IN_SECONDS * SAMPLE_RATE)
_QUIET = 0.1  # of the power that follows
_MIN_SAMPLES = 720  # heard before a mark is believed
_FEWEST_SAMPLES, _NEARLY_ALL = 640, 0.95  # or so many, which have to be nearly the mark's own waveform


@dataclass(slots=True)
class _Run:
    """A symbol heard for one window (then it is weak) or for more."""

    symbol: int
    start: int  # the hop of its first window
    strong: bool
    share: float
    power: float
    # The sequence of runs that ends here and belongs to one mark:
    word: int = -1  # mark × 4 + place of this symbol in it
    strongs: int = 0
    length: int = 1
    gaps: int = 0  # symbols not heard between them, since the last whole period that went straight on
    straight: int = 1  # runs up to here that followed on each other without a gap
    places: int = 0  # which of the word's four symbols were heard, one bit each
    first: int = 0  # the hop of its first run
    shares: float = 0.0


class Tracker:
    """Follows the marks of one stream."""

    __slots__ = ("_announced", "_began", "_phase", "_runs", "_seen", "present")

    def __init__(self) -> None:
        self.present: int | None = None
        self._runs: list[_Run] = []
        self._phase = 0.0  # of sample 0 of the stream in the present mark's period
        self._began = 0.0
        self._announced = 0
        self._seen = 0

    def changed(
        self, hop: int, symbol: int, agrees: bool, share: float, power: float, history: History
    ) -> list[Heard | Ended]:
        """A symbol begins in the window of this hop, or has now been heard in two windows running (``agrees``)."""
        runs = self._runs
        start = hop - 1 if agrees else hop
        if agrees and runs and runs[-1].start == start and runs[-1].symbol == symbol:
            run = runs[-1]
            run.strong = True
            run.strongs += 1
            # The second window lies wholly inside the symbol, the first perhaps not.
            run.power = power
            run.shares += share - run.share
            run.share = share
        else:
            run = _Run(symbol, start, agrees, share, power, strongs=int(agrees), first=start, shares=share)
            for before in reversed(runs):
                distance = start - before.start
                # A sequence of a whole period that goes straight on needs no other explanation.
                if distance > 14 or (run.length > 4 and not run.gaps):
                    break
                if distance >= 2:
                    _link(run, before, distance)
            runs.append(run)
            if len(runs) > _REMEMBERED:
                del runs[0]
        if run.word < 0:
            return []
        if run.word >> 2 == self.present and self._goes_on(hop, run):
            return []
        return self._decide(hop, run, history)

    def tick(self, hop: int) -> list[Heard | Ended]:
        """Time has come to this hop; a mark not heard for too long has ended."""
        if self.present is None or hop - self._seen <= _HOLD_HOPS:
            return []
        return [self._end()]

    def _goes_on(self, hop: int, run: _Run) -> bool:
        """Take note of the present mark; False when it is time to confirm it again."""
        if run.strong:
            self._seen = hop
        return not run.strong or hop - self._announced < _ANNOUNCE_HOPS

    def _decide(self, hop: int, run: _Run, history: History) -> list[Heard | Ended]:
        mark, place = divmod(run.word, 4)
        again = mark == self.present
        wanted = _MIN_AGAIN if again else _wanted_quality(run)
        end = hop * HOP + WINDOW
        samples = end - run.first * HOP
        if not again and (wanted > 1.0 or samples < _FEWEST_SAMPLES or self._is_a_seam(run)):
            return []
        if not again and samples < _MIN_SAMPLES:
            wanted = max(wanted, _NEARLY_ALL)
        begin = max(run.first * HOP, end - PERIOD, 0)
        received = history(begin, end)
        heard = self._heard_parts(run, begin, end) if run.gaps and run.strongs >= 3 else None
        quality, phase = 0.0, 0.0
        if again:
            quality, phase = confirm(received, mark, begin + self._phase, _NARROW)
        if quality < wanted:
            expected = place * _SYMBOL_SAMPLES + begin - run.start * HOP
            quality, phase = confirm(received, mark, expected, _WIDE, heard)
        if quality < wanted:
            return []
        said: list[Heard | Ended] = []
        self._phase = (phase - begin) % PERIOD
        if not again:
            if self.present is not None:
                said.append(self._end())
            self.present = mark
            self._began = self._first_sample(run, received, begin) / SAMPLE_RATE
        self._announced = self._seen = hop
        # The loudest symbol's: the newest may only have begun.
        power = max(other.power for other in self._runs if other.start >= run.first)
        level = 10 * math.log10(power / 32768.0**2)
        said.append(Heard(mark, self._began, end / SAMPLE_RATE, level, quality, self._phase / SAMPLE_RATE))
        return said

    def _is_a_seam(self, run: _Run) -> bool:
        """Whether a symbol of another mark lies where the sequence has a gap.

        Loss leaves a gap empty or repeats what was before it. Where one mark follows another, symbols of both can stand as
        far apart as those of a third mark do, with the rest of their own between them.
        """
        if not run.gaps:
            return False
        own = {low * len(HIGH_HZ) + high for low, high in MARKS[run.word >> 2]}
        return any(other.strong and other.start > run.first and other.symbol not in own for other in self._runs)

    def _heard_parts(self, run: _Run, begin: int, end: int) -> NDArray[np.float32]:
        """1 where a symbol of the run's sequence was heard, 0 between: what was lost there says nothing of the mark."""
        word = MARKS[run.word >> 2]
        parts = np.zeros(end - begin, np.float32)
        for number, other in enumerate(self._runs):
            place = (run.word - round((run.start - other.start) / _SYMBOL_HOPS)) & 3
            low, high = word[place]
            if other.start < run.first or other.symbol != low * len(HIGH_HZ) + high:
                continue
            until = end
            if number + 1 < len(self._runs):
                until = min(other.start * HOP + _SYMBOL_SAMPLES + HOP, self._runs[number + 1].start * HOP + HOP)
            parts[max(0, other.start * HOP - begin) : max(0, until - begin)] = 1.0
        return parts

    def _first_sample(self, run: _Run, received: NDArray[np.float32], begin: int) -> float:
        """Where the sequence began: at its first symbol's beginning, unless it was joined in the middle of that.

        ``received`` is what came from ``begin`` on: where it is quiet before the place at which marks are begun, it was there.
        """
        window = run.first * HOP
        into = (window + self._phase) % _SYMBOL_SAMPLES
        first = max(
            0.0, window + (_SYMBOL_SAMPLES - into if into > _SYMBOL_SAMPLES / 2 else -into if into < HOP else 0)
        )
        # In the period; just before its end is just before its beginning.
        place = (first + self._phase + HOP) % PERIOD - HOP
        played = first + _LEAD_IN - place
        quiet = round(played) - begin
        if played <= first or begin > window or quiet <= 0:
            return first
        before, then = np.square(received[:quiet]).mean(), np.square(received[quiet : quiet + _LEAD_IN]).mean()
        return played if before < _QUIET * then else first

    def _end(self) -> Ended:
        assert self.present is not None
        ended = Ended(self.present, (self._seen * HOP + WINDOW) / SAMPLE_RATE)
        self.present = None
        return ended


def _wanted_quality(run: _Run) -> float:
    """How well a sequence has to correlate to be believed: the less of it was heard, the better. Above 1: not yet.

    Low-rate codecs keep tones but not their phases, so a whole period of symbols in order needs little more. Two symbols
    and the beginning of a third are believed only when what was received is nearly the mark's own waveform. Two symbols
    again and again, without a third, are what a broken channel makes of another mark.

    Chance leaves gaps: of pairs of tones in the marks' bands, 30 to 60 ms each, some three stand as far apart as a mark's do,
    with another between them, and came up to 0.79 of its likeness in 15 hours of nothing but such pairs. Three that followed
    each other at once were not among them, and it is those that loss and codecs of low rate spoil.
    """
    if run.shares < _MIN_SHARE * run.length or run.places.bit_count() < 3:
        return 2.0
    if run.strongs >= 4 and run.gaps <= 1:
        return 0.30
    if (run.strongs >= 3 and run.gaps <= 2) or run.strongs >= 4:
        return 0.82 if run.gaps else 0.70
    if run.strongs >= 2 and run.gaps <= 1:
        return 0.88 if run.gaps else 0.80
    return 2.0


def _link(run: _Run, before: _Run, distance: int) -> None:
    """Let ``run`` continue the sequence of ``before`` if both can stand so far apart in one mark."""
    for apart in _APART[distance]:
        word = _WORD_OF[apart][before.symbol * _SYMBOLS + run.symbol]
        if word < 0:
            continue
        place_before = (word - apart) & 3
        if before.word == (word & ~3) | place_before:
            strongs, length, gaps, places = before.strongs, before.length, before.gaps, before.places
            first, shares, straight = before.first, before.shares, before.straight
        else:
            strongs, length, gaps, places = int(before.strong), 1, 0, 1 << place_before
            first, shares, straight = before.start, before.share, 1
        strongs += run.strong
        straight = straight + 1 if apart == 1 else 1
        gaps = 0 if straight >= 4 else gaps + apart - 1
        if (strongs, length + 1, -gaps) > (run.strongs, run.length, -run.gaps):
            run.word, run.strongs, run.length, run.gaps, run.straight = word, strongs, length + 1, gaps, straight
            run.places, run.first, run.shares = places | 1 << (word & 3), first, shares + run.share


_SYMBOLS: Final = len(LOW_HZ) * len(HIGH_HZ)
# How many symbols apart two runs may be whose first windows lie so many hops apart: a slip moves them by two.
_APART: Final = tuple(
    tuple(apart for apart in (1, 2, 3) if abs(hops - _SYMBOL_HOPS * apart) <= 2) for hops in range(15)
)


def _words_of() -> tuple[list[int], ...]:
    """For two symbols 1, 2 or 3 places apart: mark × 4 + the place of the second, or -1.

    No two marks share such a pair.
    """
    tables = tuple([-1] * _SYMBOLS**2 for _ in range(4))
    for mark, word in enumerate(MARKS):
        symbols = [low * len(HIGH_HZ) + high for low, high in word]
        for place, second in enumerate(symbols):
            for apart in (1, 2, 3):
                tables[apart][symbols[place - apart] * _SYMBOLS + second] = mark * 4 + place
    return tables


_WORD_OF: Final = _words_of()
