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
_PART_S: Final = (
    0.5  #: of a part: at 200 ppm a clock drifts by 0.1 ms meanwhile, a third of a period of 3 kHz
)
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
    left_out: tuple[
        tuple[float, float], ...
    ] = ()  #: from when to when the recording was not looked at

    @property
    def is_found(self) -> bool:
        """Whether the recording has the voice."""
        return (
            self.spans_s >= _PART_S  # two parts that have nothing in common
            and self.has(self.covered)
            and self.match >= LEAST_MATCH
        )

    @property
    def covered(self) -> list[Part]:
        """The parts that could be there, if what agrees says where they are: a recording may begin
        late, or end early.
        """
        first, last = -_SAME_PLACE_S, self.recorded_s - _PART_S + _SAME_PLACE_S
        found = []
        for part in self.parts:
            at = part.began + self.lag
            outside = (min(at + _PART_S, end) - max(at, begin) for begin, end in self.left_out)
            if first <= at <= last and max(outside, default=0.0) < _PART_S / 2:
                found.append(part)
        return found

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
    size = 1 << (len(there) + length - 1).bit_length()
    spectrum = np.fft.rfft(there, size)
    energy = np.concatenate([[0.0], np.cumsum(np.square(there, dtype=np.float64))])
    around = energy[np.minimum(np.arange(len(there)) + length, len(there))] - energy[:-1]
    floor = 0.05 * length * float(np.mean(np.square(there[there != 0]))) if there.any() else 1.0

    def best(
        at: int, sound: NDArray[np.float32], products: NDArray[np.floating[Any]], begin: int = 0
    ) -> Part:
        """The part at the largest of its products with the recording from sample ``begin`` on, each
        divided by both norms.
        """
        norm = float(np.sqrt(np.sum(np.square(sound, dtype=np.float64))))
        likely = products / (
            norm * np.sqrt(np.maximum(around[begin : begin + len(products)], floor))
        )
        place = int(likely.argmax())
        return Part(at / SAMPLE_RATE, (begin + place - at) / SAMPLE_RATE, float(likely[place]))

    parts = []
    for at in _loudest(loud, length):
        sound = heard[at : at + length]
        products = np.fft.irfft(spectrum * np.conj(np.fft.rfft(sound, size)), size)[: len(there)]
        parts.append(best(at, sound, products))

    def near(part: Part, lag: float, slack: float) -> Part:
        """The part at its best place within ``slack`` seconds of the lag."""
        at = round(part.began * SAMPLE_RATE)
        begin = max(0, at + round((lag - slack) * SAMPLE_RATE))
        end = min(len(there) - length, at + round((lag + slack) * SAMPLE_RATE)) + 1
        if begin >= end:
            return replace(part, match=0.0)
        sound = heard[at : at + length]
        return best(at, sound, np.correlate(there[begin : end + length - 1], sound, "valid"), begin)

    return Likeness(tuple(parts), _agreeing(parts, near), len(there) / SAMPLE_RATE, tuple(left_out))


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
        if not any(
            part in group for group in groups
        ):  # one that agrees with an earlier one makes the same group
            groups.append(tuple(with_(part)))
    return max(groups, key=lambda them: sum(part.match for part in them), default=())


def _loudest(loud: NDArray[np.bool_], length: int) -> list[int]:
    """Where parts begin of which most is loud, half a part from each other at least, spread over
    the whole.
    """
    share = np.concatenate([[0], np.cumsum(loud)])
    begins = [
        at
        for at in range(0, len(loud) - length + 1, length // 8)
        if share[at + length] - share[at] > 0.6 * length
    ]
    apart: list[int] = []
    for at in begins:
        if not apart or at - apart[-1] >= length // 2:
            apart.append(at)
    if len(apart) <= _MOST_PARTS:
        return apart
    return [apart[round(i)] for i in np.linspace(0, len(apart) - 1, _MOST_PARTS)]


def _whitened(samples: NDArray[np.int16]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The sound with every partial of each frame at about one level, and which samples were loud."""
    padded = np.concatenate([np.zeros(_WINDOW // 2), samples, np.zeros(_WINDOW)]).astype(np.float32)
    window = np.sqrt(np.hanning(_WINDOW + 1)[:-1]).astype(np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP] * window
    spectra = np.fft.rfft(frames, axis=1)
    band = spectra[:, _BAND]
    power = np.sum(np.square(np.abs(band)), axis=1) / (_WINDOW * np.sum(window**2) / 2 * 32768.0**2)
    audible = 10 * np.log10(np.maximum(power, 1e-12)) > _FLOOR_DBOV
    white = np.zeros_like(spectra)
    size = np.abs(band)
    white[:, _BAND] = (
        band
        / np.maximum(size, 1e-9) ** 0.7
        / np.maximum(np.sqrt(np.mean(size**0.6, axis=1, keepdims=True)), 1e-9)
    )
    white[~audible] = 0
    parts = np.fft.irfft(white, _WINDOW, axis=1).astype(np.float32) * window
    out = np.zeros(len(padded) + _WINDOW, np.float32)
    for k in range(_WINDOW // _HOP):
        rows = parts[k :: _WINDOW // _HOP]
        flat = rows.reshape(-1)
        out[k * _HOP : k * _HOP + len(flat)] += flat
    loud = np.zeros(len(padded) + _WINDOW, bool)
    for number in np.nonzero(audible)[0]:
        loud[number * _HOP + _WINDOW // 4 : number * _HOP + 3 * _WINDOW // 4] = True
    begin = _WINDOW // 2
    return out[begin : begin + len(samples)], loud[begin : begin + len(samples)]
