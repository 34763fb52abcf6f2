"""Whether one recording holds the voice of another, and when: the AI's own recording of a call
against what a caller received.

Both went through codecs, gain and clocks of their own, and one of them may be a mix with a second
voice. So each is whitened in time and frequency (what remains is when which partial begins, at one
level), the loudest parts of what was received are each looked for in the whole of the recording,
and the places where they are found have to agree. A voice that says the same again is found at
several places almost equally well; the place where most parts agree is taken.

Measured with speech of several languages, 1.2 to 20 s, G.711 both ways, ±12 dB, ±200 ppm and noise
at −62 dBov, up to 60 ms of it lost, and as the recording a mix with the caller's mark and words as
MP3 (16 kHz, 24 kbit/s) or Opus. The right recording: a match of 0.51 to 0.98. Another voice, or
hold music: 0.08 to 0.32. A decoder of MP3 leaves some 69 ms of the encoder's delay in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.marks import SAMPLE_RATE

_WINDOW, _HOP = 512, 128
_BAND: Final = slice(round(300 * _WINDOW / SAMPLE_RATE), round(3000 * _WINDOW / SAMPLE_RATE))
_FLOOR_DBOV: Final = -50.0  #: quieter frames count for nothing
#: Of a part: at 200 ppm a clock drifts by 0.1 ms meanwhile, a third of a period of 3 kHz.
_PART_S: Final = 0.5
_MOST_PARTS: Final = 12
_SAME_PLACE_S: Final = 0.085  #: a jitter buffer slips by four frames
_MOST_DRIFT: Final = 300e-6
#: A caller may hear other things as well: an announcement, a ringing tone, a person after the AI.
_LEAST_SHARE: Final = 0.4
LEAST_MATCH: Final = 0.4  #: of a part that is there
_AS_GOOD: Final = 0.85  #: of a part's best match: another place where the same was said


@dataclass(frozen=True, slots=True)
class Part:
    """A part of what was received, and where the recording is most like it."""

    began: float  #: seconds of what was received
    lag: float  #: where it is in the recording, less ``began``
    match: float  #: correlation of the whitened sounds, 0…1


@dataclass(frozen=True, slots=True)
class Likeness:
    """The parts that were looked for, and the most of them that agree on the lag."""

    parts: tuple[Part, ...]
    agreeing: tuple[Part, ...]
    recorded_s: float = math.inf  #: the recording's length
    #: From when to when the recording was not looked at.
    left_out: tuple[tuple[float, float], ...] = ()

    @property
    def is_found(self) -> bool:
        """Whether the recording has the voice."""
        if self.spans_s < _PART_S:  # two parts that have nothing in common
            return False
        return self.has(self.covered) and self.match >= LEAST_MATCH

    @property
    def covered(self) -> list[Part]:
        """The parts that could be there, if what agrees says where they are: a recording may begin
        late, or end early.
        """
        first, last = -_SAME_PLACE_S, self.recorded_s - _PART_S + _SAME_PLACE_S
        found = []
        for part in self.parts:
            at = part.began + self.lag
            if first <= at <= last and self._left_out_s(at) < _PART_S / 2:
                found.append(part)
        return found

    def _left_out_s(self, at: float) -> float:
        """How much of a part there was not looked at."""
        outside = [min(at + _PART_S, end) - max(at, begin) for begin, end in self.left_out]
        return max(outside, default=0.0)

    def has(self, parts: Collection[Part]) -> bool:
        """Whether enough of these parts agree."""
        began = {part.began for part in self.agreeing}
        return sum(part.began in began for part in parts) >= _LEAST_SHARE * len(parts)

    @property
    def spans_s(self) -> float:
        """From the first part that agrees to the last."""
        begins = [part.began for part in self.agreeing]
        return max(begins) - min(begins) if begins else 0.0

    @property
    def match(self) -> float:
        """The median over the agreeing parts."""
        return float(np.median([part.match for part in self.agreeing])) if self.agreeing else 0.0

    @property
    def weight(self) -> float:
        """How much agrees: to choose among channels."""
        return sum(part.match for part in self.agreeing)

    @property
    def lag(self) -> float:
        """Where the voice is in the recording, less when it was received, in seconds."""
        return float(np.median([part.lag for part in self.agreeing])) if self.agreeing else 0.0


def likeness(
    received: NDArray[np.int16],
    recording: NDArray[np.int16],
    left_out: Sequence[tuple[float, float]] = (),
) -> Likeness:
    """Look for the loudest parts of ``received`` in ``recording``, both at 8 kHz. ``left_out``: from
    when to when the recording is blank because another's voice was taken out.
    """
    heard, loud = _whitened(received)
    there, _ = _whitened(recording)
    length = round(_PART_S * SAMPLE_RATE)
    if len(there) < length:
        return Likeness((), ())
    search = _Search(heard, there, length)
    parts = [search.anywhere(at) for at in _loudest(loud, length)]
    agreeing = _agreeing(parts, search.near)
    return Likeness(tuple(parts), agreeing, len(there) / SAMPLE_RATE, tuple(left_out))


class _Search:
    """Looks for parts of what was received in the recording, both whitened."""

    def __init__(self, heard: NDArray[np.float32], there: NDArray[np.float32], length: int) -> None:
        self._heard = heard
        self._there = there
        self._length = length
        self._size = 1 << (len(there) + length - 1).bit_length()
        self._spectrum = np.fft.rfft(there, self._size)
        energy = np.concatenate([[0.0], np.cumsum(np.square(there, dtype=np.float64))])
        ends = np.minimum(np.arange(len(there)) + length, len(there))
        self._around = energy[ends] - energy[:-1]  # from each sample on, over a part's length
        # Where the recording is all but silent, everything would resemble it.
        self._floor = 1.0
        if there.any():
            self._floor = 0.05 * length * float(np.mean(np.square(there[there != 0])))

    def anywhere(self, at: int) -> Part:
        """The part that begins at this sample, where the whole of the recording is most like it."""
        sound = self._heard[at : at + self._length]
        spectrum = self._spectrum * np.conj(np.fft.rfft(sound, self._size))
        products = np.fft.irfft(spectrum, self._size)[: len(self._there)]
        return self._best(at, sound, products)

    def near(self, part: Part, lag: float, slack: float) -> Part:
        """The part at its best place within ``slack`` seconds of the lag."""
        at = round(part.began * SAMPLE_RATE)
        first = at + round((lag - slack) * SAMPLE_RATE)
        last = at + round((lag + slack) * SAMPLE_RATE)
        begin, end = max(0, first), min(len(self._there) - self._length, last) + 1
        if begin >= end:
            return replace(part, match=0.0)
        sound = self._heard[at : at + self._length]
        reached = self._there[begin : end + self._length - 1]
        return self._best(at, sound, np.correlate(reached, sound, "valid"), begin)

    def _best(
        self,
        at: int,
        sound: NDArray[np.float32],
        products: NDArray[np.floating[Any]],
        begin: int = 0,
    ) -> Part:
        """The part at the largest of its products with the recording from sample ``begin`` on, each
        divided by both norms.
        """
        norm = float(np.sqrt(np.sum(np.square(sound, dtype=np.float64))))
        around = self._around[begin : begin + len(products)]
        likely = products / (norm * np.sqrt(np.maximum(around, self._floor)))
        place = int(likely.argmax())
        return Part(at / SAMPLE_RATE, (begin + place - at) / SAMPLE_RATE, float(likely[place]))


def _agreeing(
    parts: Sequence[Part], near: Callable[[Part, float, float], Part]
) -> tuple[Part, ...]:
    """The most parts that have one lag, each at its best place or at one that fits it almost as
    well.
    """

    def with_(one: Part) -> Iterator[Part]:
        for part in parts:
            slack = _SAME_PLACE_S + _MOST_DRIFT * abs(part.began - one.began)
            found = part if abs(part.lag - one.lag) <= slack else near(part, one.lag, slack)
            if found.match >= _AS_GOOD * part.match:
                yield found

    groups: list[tuple[Part, ...]] = []
    for part in parts:
        # One that agrees with an earlier one makes the same group.
        if not any(part in group for group in groups):
            groups.append(tuple(with_(part)))
    return max(groups, key=lambda them: sum(part.match for part in them), default=())


def _loudest(loud: NDArray[np.bool_], length: int) -> list[int]:
    """Where parts begin of which most is loud, half a part from each other at least, spread over
    the whole.
    """
    share = np.concatenate([[0], np.cumsum(loud)])
    apart: list[int] = []
    for at in range(0, len(loud) - length + 1, length // 8):
        if share[at + length] - share[at] <= 0.6 * length:
            continue
        if not apart or at - apart[-1] >= length // 2:
            apart.append(at)
    if len(apart) <= _MOST_PARTS:
        return apart
    return [apart[round(i)] for i in np.linspace(0, len(apart) - 1, _MOST_PARTS)]


def _whitened(samples: NDArray[np.int16]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The sound with every partial of each frame at about one level, and which samples were loud."""
    half = np.zeros(_WINDOW // 2)
    padded = np.concatenate([half, samples, np.zeros(_WINDOW)]).astype(np.float32)
    # The square root, because each frame is weighted before it is whitened and once more after.
    window = np.sqrt(np.hanning(_WINDOW + 1)[:-1]).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    spectra = np.fft.rfft(frames * window, axis=1)
    band = spectra[:, _BAND]
    size = np.abs(band)
    full_scale = _WINDOW * np.sum(window**2) / 2 * 32768.0**2
    power = np.sum(np.square(size), axis=1) / full_scale
    audible = 10 * np.log10(np.maximum(power, 1e-12)) > _FLOOR_DBOV
    level = np.sqrt(np.mean(size**0.6, axis=1, keepdims=True))
    white = np.zeros_like(spectra)
    white[:, _BAND] = band / np.maximum(size, 1e-9) ** 0.7 / np.maximum(level, 1e-9)
    white[~audible] = 0
    parts = np.fft.irfft(white, _WINDOW, axis=1).astype(np.float32) * window
    length = len(padded) + _WINDOW
    of_samples = slice(len(half), len(half) + len(samples))
    return _overlapped(parts, length)[of_samples], _loud(audible, length)[of_samples]


def _overlapped(parts: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """The frames added up again, each a hop after the one before."""
    out = np.zeros(length, np.float32)
    turns = _WINDOW // _HOP
    for turn in range(turns):  # frames of one turn do not overlap
        flat = parts[turn::turns].reshape(-1)
        out[turn * _HOP : turn * _HOP + len(flat)] += flat
    return out


def _loud(audible: NDArray[np.bool_], length: int) -> NDArray[np.bool_]:
    """Which samples are in the middle of an audible frame."""
    loud = np.zeros(length, bool)
    quarter = _WINDOW // 4
    for number in np.nonzero(audible)[0]:
        begin = number * _HOP + quarter
        loud[begin : begin + 2 * quarter] = True
    return loud
