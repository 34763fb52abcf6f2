"""What sounds beneath a mark: its tones are taken out of each of its symbols, and what is left of
them is measured.

A symbol has two tones of known frequencies, so least squares take it out at any level, phase and
fraction of a sample. The ends of a symbol, with its ramps, are left out; so are symbols near a jump
of the phase (a jitter buffer that slips) and with a hole in them (a packet that is missing). What
remains is what codecs leave, and any other sound. G.711 leaves little. Codecs of low rate leave
much, and nothing in the payload tells that one is on the way. But most of what they leave is near
the symbol's own tones, where the ear does not notice it. And it changes with the symbol, while a
note, a tone or a word lasts over several; and it does not stop, while speech pauses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from harness.audio.classify import Kind, classify
from harness.audio.detector import Ended, Heard, marks_heard
from harness.audio.marks import (
    HIGH_HZ,
    LOW_HZ,
    MARKS,
    PERIOD,
    PERIOD_SECONDS,
    SAMPLE_RATE,
    SYMBOL_SECONDS,
    SYMBOLS,
    waveform,
)
from harness.audio.mixture import marks_in
from harness.audio.quality import CLIPPED, FRAME_SECONDS
from harness.audio.samples import levels

#: What is quieter, relative to the mark, is not looked at. G.711 leaves -38 to -33 dB
#: (docs/audio.md).
AUDIBLE_DB: Final = -30.0
#: Foreign sound of less time is none: a click, a beep.
LEAST_S: Final = 0.5

_SYMBOL: Final = round(SYMBOL_SECONDS * SAMPLE_RATE)
_EDGE: Final = 48
_INNER: Final = _SYMBOL - 2 * _EDGE
_PARTS: Final = 7  #: of a symbol, in which a hole is looked for
_HOLE_DB: Final = -25.0
#: For so long a louder sound may hide a mark that goes on; then its level hardly changes.
_HIDDEN_S: Final = 3.0
_STEADY_POWER: Final = 4.0
_TOGETHER: Final = 16  #: windows correlated at once: new memory for more costs more than the rest
_TURN: Final = 3  #: samples by which the phase may differ between neighbouring symbols
#: Symbols looked at together, three of each place in the word; the share of them that must be
#: audible.
_BLOCK: Final = 12
_MOSTLY: Final = 0.8
#: A sound that goes on is found in so much without pauses: in two blocks, half over each other,
#: which together are longer than :data:`LEAST_S`.
UNBROKEN_S: Final = 1.5 * _BLOCK * SYMBOL_SECONDS
#: Of a shorter stretch so many are looked at together.
_SHORT_BLOCK: Final = 6
#: A tone that lasts: its level relative to the mark, and above the middle of the spectrum. Beneath
#: codecs of low rate there is never more than -22.7 dB, nor more than 25.2 dB (docs/audio.md): both
#: limits are 3 dB from that in one of the two.
_LASTING: Final = ((-33.0, 28.0), (-20.0, 24.0))
#: Away from a symbol's own tones, these levels relative to the mark, in this share of the symbols,
#: and this distance. Codecs leave -11.3 dB in most and -9.2 dB in half of them at most (docs/audio.md).
_LOUD: Final = ((_MOSTLY, -10.5), (0.5, -4.5))
_AWAY_HZ: Final = 200.0
#: A path that leaves as little as this for a moment has no codec of low rate on it.
_CLEAN_DB: Final = -31.5
_CLEAN_SYMBOLS: Final = 5
#: Symbols in a row with this level away from their tones, on a path of any kind and on a clean one;
#: and the share of a mark's symbols in such runs. With packets lost it is 0.15 and 0.1 at most
#: (docs/audio.md).
_BURST: Final = 3
_BURST_DB, _BURST_CLEAN_DB = -8.0, -16.0
_BURST_SHARE: Final = 0.2
_MOST_CLIPPED: Final = 0.01
_FFT: Final = 256
_BAND: Final = slice(8, 110)  #: 250 to 3400 Hz
_SEARCHED_S: Final = 3.0  #: the search for other marks takes 10 ms of CPU for a second
_SOUND_DBOV: Final = -40.0


@dataclass(frozen=True, slots=True)
class Beneath:
    """A sound beneath a mark, in seconds of the recording. ``relative_db`` is its level relative to
    the mark's.
    """

    kind: Kind
    detail: str
    began: float
    seconds: float
    relative_db: float


@dataclass(frozen=True, slots=True)
class Residue:
    """What is left of a recording without its marks."""

    seconds: float  #: of marks that were taken out
    unbroken_s: float  #: of them without pauses, in which a sound that goes on is found
    floor_db: float  #: the level that a tenth of what is left lies below, relative to the mark's
    clipped: Mapping[int, float]  #: by mark, the share of samples at full scale
    sound: Beneath | None
    marks: tuple[Heard, ...]  #: other marks beneath
    #: Each mark from its first time to its last, with pauses of less than 3 s: mark, began, ended.
    spoken: tuple[tuple[int, float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class _Stretch:
    """One mark without a break; an entry for each symbol that can be judged."""

    mark: int
    at: NDArray[np.intp]  #: its first inner sample in the recording
    place: NDArray[np.intp]  #: in the word
    rest: NDArray[np.float32]  #: what is left of its inner samples
    relative_db: NDArray[np.float32]
    power: NDArray[np.float32]  #: of the mark
    clipped: NDArray[np.float32]  #: share of samples


def residue(audio: NDArray[np.int16]) -> Residue | None:
    """What is left of a recording (8 kHz) without its marks; None if no mark is there. Takes 1 ms
    of CPU for a second.

    Two marks of the same level may hide each other, so sounds without a mark are searched for
    several.
    """
    marks = _marks(audio)
    known = {mark for mark, _, _ in marks}
    unheard = _other_marks(audio, [(*span, set()) for span in _without_a_mark(audio, marks)])
    hidden = [fact for fact in unheard if fact.mark in known]
    going_on = _going_on([*marks, *((fact.mark, fact.began, fact.decided) for fact in hidden)])
    stretches = [found for heard in going_on if (found := _taken_out(audio, heard))]
    audible = [(stretch, block) for stretch in stretches for block in _audible(stretch)]
    bursts = _bursts(stretches)
    beneath = _other_marks(audio, _joined([*audible, *bursts]))
    others = (*beneath, *(fact for fact in unheard if fact.mark not in known))
    if not stretches and not others:
        return None
    sounds = [each for each in audible if _is_foreign(*each) and not _overlaps(others, *each)]
    if not others:
        sounds += bursts
    left = np.zeros(0, np.float32)
    if stretches:
        left = np.concatenate([stretch.relative_db for stretch in stretches])
    in_blocks = sum(_in_blocks(stretch) for stretch in stretches)
    return Residue(
        seconds=len(left) * SYMBOL_SECONDS,
        unbroken_s=in_blocks * SYMBOL_SECONDS,
        floor_db=float(np.percentile(left, 10)) if len(left) else 0.0,
        clipped={stretch.mark: float(stretch.clipped.mean()) for stretch in stretches},
        sound=_sound(audio, sounds),
        marks=others,
        spoken=tuple((spans[0][0], spans[0][1], spans[-1][2]) for spans in going_on),
    )


def _is_foreign(stretch: _Stretch, block: _Block) -> bool:
    """Whether no codec leaves what is audible in this block."""
    if _is_loud(stretch, block) or _lasts(stretch, block):
        return True
    return _comes_and_goes(stretch, block)


#: A mark, and when it began and ended, in seconds.
_MarkSpan = tuple[int, float, float]


def _marks(audio: NDArray[np.int16]) -> list[_MarkSpan]:
    """Each mark that sounds, with its beginning and end in seconds; of two at once the one that is
    heard longer.

    The detector hears the stronger of two. If they are equally strong it goes back and forth
    between them.
    """
    found: list[_MarkSpan] = []
    for span in sorted(_heard_spans(audio), key=lambda span: span[1] - span[2]):
        if not any(_is_mostly_within(span, longer) for longer in found):
            found.append(span)
    return found


def _heard_spans(audio: NDArray[np.int16]) -> list[_MarkSpan]:
    """What the detector says of each mark, its findings joined that overlap."""
    spans: list[_MarkSpan] = []
    present: Heard | None = None
    for fact in [*marks_heard(audio), Ended(-1, len(audio) / SAMPLE_RATE)]:
        if isinstance(fact, Heard):
            present = present or fact
        elif present is not None:
            spans.append(_with_earlier(spans, (present.mark, present.began, fact.at)))
            present = None
    return spans


def _with_earlier(spans: list[_MarkSpan], new: _MarkSpan) -> _MarkSpan:
    """The new span joined with the last of its mark that it overlaps, which is taken out."""
    mark, began, ended = new
    for span in reversed(spans):
        if span[0] == mark and span[2] >= began:
            spans.remove(span)
            return mark, min(began, span[1]), ended
    return new


def _is_mostly_within(span: _MarkSpan, other: _MarkSpan) -> bool:
    _, began, ended = span
    common = min(ended, other[2]) - max(began, other[1])
    return common >= 0.5 * (ended - began)


def _going_on(marks: Sequence[_MarkSpan]) -> list[list[_MarkSpan]]:
    """The spans of a mark, by time, that may have gone on between them, beneath a louder sound."""
    found: list[list[_MarkSpan]] = []
    for span in sorted(marks, key=lambda span: span[1]):
        before = found[-1][-1] if found else None
        if before is not None and before[0] == span[0] and span[1] - before[2] < _HIDDEN_S:
            found[-1].append(span)
        else:
            found.append([span])
    return found


def _taken_out(audio: NDArray[np.int16], heard: Sequence[_MarkSpan]) -> _Stretch | None:
    """The symbols of a mark without its tones, also where it was not heard between two spans; None
    if it is too short.

    Each window of a period is correlated with the mark at all phases, because a jitter buffer may
    slip at any time.
    """
    mark, began, _ = heard[0]
    first, last = round(began * SAMPLE_RATE), min(round(heard[-1][2] * SAMPLE_RATE), len(audio))
    starts = np.arange(first, last - PERIOD + 1, _SYMBOL)
    if len(starts) < _BLOCK:
        return None
    phase = _phases(audio, starts, mark)
    # The second symbol that begins in the window, near its middle.
    begin = -phase % _SYMBOL + _SYMBOL
    at = starts + begin + _EDGE
    inner = sliding_window_view(audio, _INNER)[at].astype(np.float32)
    place = (phase + begin) // _SYMBOL % SYMBOLS
    basis = _bases(mark)[place]
    weights = np.einsum("wnk,wn->wk", basis, inner)
    rest = inner - np.einsum("wnk,wk->wn", basis, weights)
    # The last of the basis is a steady offset, which is no part of the mark.
    power = np.square(weights[:, :-1]).sum(axis=1) / _INNER
    usable = _has_no_hole(inner, power) & _is_steady(phase)
    if not usable.any():
        return None
    change = power / np.median(power[usable])
    keeps_level = (change > 1 / _STEADY_POWER) & (change < _STEADY_POWER)
    usable &= _was_heard(starts / SAMPLE_RATE, heard) | keeps_level
    rest_power = np.square(rest).mean(axis=1)
    relative = 10 * np.log10(np.maximum(rest_power, 1e-3) / np.maximum(power, 1e-3))
    clipped = (np.abs(inner) >= CLIPPED).mean(axis=1)
    return _Stretch(
        mark=mark,
        at=at[usable],
        place=place[usable],
        rest=rest[usable],
        relative_db=relative[usable],
        power=power[usable],
        clipped=clipped[usable],
    )


def _has_no_hole(inner: NDArray[np.float32], power: NDArray[np.float32]) -> NDArray[np.bool_]:
    """For each symbol, whether the mark sounds in all of its parts."""
    parts = np.square(inner.reshape(len(inner), _PARTS, -1)).mean(axis=2)
    usable: NDArray[np.bool_] = (parts.min(axis=1) > 10 ** (_HOLE_DB / 10) * power) & (power > 1.0)
    return usable


def _was_heard(at: NDArray[np.float64], heard: Sequence[_MarkSpan]) -> NDArray[np.bool_]:
    """For each window of a period (seconds), whether the detector heard the mark in it."""
    was_heard = np.zeros(len(at), bool)
    for _, began, ended in heard:
        was_heard |= (at >= began) & (at <= ended - PERIOD_SECONDS)
    return was_heard


def _phases(audio: NDArray[np.int16], starts: NDArray[np.intp], mark: int) -> NDArray[np.intp]:
    """The phase of the mark in each window of a period."""
    windows = sliding_window_view(audio, PERIOD)
    conjugate = _spectrum(mark)
    found = []
    for at in range(0, len(starts), _TOGETHER):
        together = windows[starts[at : at + _TOGETHER]].astype(np.float32)
        spectra = np.fft.rfft(together)
        # Of all turns of the mark by a sample, the phase is that with the largest product.
        products = np.fft.irfft(spectra * conjugate, PERIOD, axis=1)
        turn = np.abs(products).argmax(axis=1)
        found.append(-turn % PERIOD)
    return np.concatenate(found)


def _is_steady(phase: NDArray[np.intp]) -> NDArray[np.bool_]:
    """For each window, whether the four around it have the phase that follows from its own."""
    steady = np.ones(len(phase), bool)
    steady[:2] = steady[-2:] = False
    half = PERIOD // 2
    for apart in (-2, -1, 1, 2):
        turned = np.roll(phase, -apart) - phase - _SYMBOL * apart
        by_the_shorter_way = (turned + half) % PERIOD - half
        steady &= np.abs(by_the_shorter_way) <= _TURN
    return steady


_Block = NDArray[np.intp]


def _audible(stretch: _Stretch) -> Iterator[_Block]:
    """The blocks of symbols beneath which most of the time something is audible. A short call has
    one that is not full.
    """
    if _SHORT_BLOCK <= len(stretch.at) < _BLOCK:
        yield np.arange(len(stretch.at))
    for block in _blocks(stretch):
        if np.mean(stretch.relative_db[block] > AUDIBLE_DB) >= _MOSTLY:
            yield block


def _blocks(stretch: _Stretch) -> Iterator[_Block]:
    """Symbols that can be looked at together, with no long pause between them."""
    whole_block_s = 1.5 * _BLOCK * _SYMBOL
    for first in range(0, len(stretch.at) - _BLOCK + 1, _BLOCK // 2):
        block = np.arange(first, first + _BLOCK)
        if stretch.at[block[-1]] - stretch.at[first] < whole_block_s:
            yield block


def _in_blocks(stretch: _Stretch) -> int:
    return len({int(symbol) for block in _blocks(stretch) for symbol in block})


def _is_loud(stretch: _Stretch, block: _Block) -> bool:
    """Whether enough of the symbols have more away from their tones than any codec leaves.

    A mark that is clipped has harmonics there.
    """
    unclipped = block[stretch.clipped[block] <= _MOST_CLIPPED]
    if len(unclipped) < _MOSTLY * len(block):
        return False
    level = _away_db(stretch, unclipped)
    limits = _LOUD if len(block) == _BLOCK else _LOUD[1:]
    return any(np.percentile(level, 100 * (1 - share)) > least_db for share, least_db in limits)


def _bursts(stretches: Sequence[_Stretch]) -> list[tuple[_Stretch, _Block]]:
    """Runs of symbols beneath each of which is more than the path leaves: words of a voice that
    pauses. Empty where they are too small a share of the mark.

    What a codec leaves, and what a lost packet does, changes with the symbol; a word lasts.
    """
    found: list[tuple[_Stretch, _Block]] = []
    for mark in {stretch.mark for stretch in stretches}:
        of_mark = [stretch for stretch in stretches if stretch.mark == mark]
        left = np.concatenate([stretch.relative_db for stretch in of_mark])
        is_clean = np.percentile(left, 10) < _CLEAN_DB
        least_db = _BURST_CLEAN_DB if is_clean else _BURST_DB
        runs = [(stretch, run) for stretch in of_mark for run in _runs(stretch, least_db)]
        if sum(len(run) for _, run in runs) >= _BURST_SHARE * len(left):
            found += runs
    return found


def _runs(stretch: _Stretch, least_db: float) -> Iterator[_Block]:
    """Symbols in a row with more than that away from their tones."""
    every = np.arange(len(stretch.at))
    is_loud = _away_db(stretch, every) > least_db
    is_unclipped = stretch.clipped <= _MOST_CLIPPED
    numbers = np.flatnonzero(is_loud & is_unclipped)
    # Neither a symbol nor a stretch of time may lie between two of a run.
    skips_symbol = np.diff(numbers) > 1
    skips_time = np.diff(stretch.at[numbers]) > 1.5 * _SYMBOL
    ends = np.flatnonzero(skips_symbol | skips_time)
    for run in np.split(numbers, ends + 1):
        if len(run) >= _BURST:
            yield run


def _away_db(stretch: _Stretch, block: _Block) -> NDArray[np.float64]:
    """The level away from each symbol's tones, relative to the mark."""
    away = _away(stretch.mark)[stretch.place[block]]
    level: NDArray[np.float64] = 10 * np.log10((_left(stretch, block) * away).sum(axis=1) + 1e-12)
    return level


def _lasts(stretch: _Stretch, block: _Block) -> bool:
    """Whether a tone goes on through all four symbols."""
    if len(block) < _BLOCK:
        return False
    place = stretch.place[block]
    if np.bincount(place, minlength=SYMBOLS).min() < 2:
        return False
    spectrum = _left(stretch, block)
    # What changes with the symbol is not in the least of the four.
    of_symbols = [np.median(spectrum[place == one], axis=0) for one in range(SYMBOLS)]
    least = np.min(of_symbols, axis=0)
    peaks = (least[1:-1] + least[:-2] + least[2:])[_BAND] + 1e-12
    highest = 10 * np.log10(peaks.max())
    stands_out = highest - 10 * np.log10(np.median(peaks))
    return any(
        highest > least_db and stands_out > least_above for least_db, least_above in _LASTING
    )


def _left(stretch: _Stretch, block: _Block) -> NDArray[np.float64]:
    """The power spectra of what is left of these symbols, relative to the mark."""
    spectra = np.square(np.abs(np.fft.rfft(stretch.rest[block] * _HANN, _FFT, axis=1)))
    left: NDArray[np.float64] = spectra * _SCALE / stretch.power[block][:, None]
    return left


def _comes_and_goes(stretch: _Stretch, block: _Block) -> bool:
    """Whether the path leaves little before and after, which shows that no codec on the way leaves
    this.
    """
    clean = stretch.relative_db < _CLEAN_DB
    sides = (clean[: block[0]], clean[block[-1] + 1 :])
    return all(np.count_nonzero(side) >= _CLEAN_SYMBOLS for side in sides)


#: A part of the recording, in samples, and the marks that were taken out there.
_Span = tuple[int, int, set[int]]


def _without_a_mark(audio: NDArray[np.int16], marks: Sequence[_MarkSpan]) -> list[tuple[int, int]]:
    """Where something sounds that is no mark, in samples, the longest first."""
    sounds = levels(audio) > _SOUND_DBOV
    for _, began, ended in marks:
        first = int(began / FRAME_SECONDS)
        last = math.ceil(ended / FRAME_SECONDS)
        sounds[first:last] = False
    # Sound begins and ends in turn.
    changes = np.flatnonzero(np.diff(sounds, prepend=False, append=False))
    edges = changes * round(FRAME_SECONDS * SAMPLE_RATE)
    lasting: list[tuple[int, int]] = []
    for begin, end in edges.reshape(-1, 2).tolist():
        if end - begin >= LEAST_S * SAMPLE_RATE:
            lasting.append((begin, end))
    return sorted(lasting, key=lambda run: run[0] - run[1])


def _other_marks(audio: NDArray[np.int16], spans: Sequence[_Span]) -> tuple[Heard, ...]:
    """The marks beneath the strongest, each at least :data:`LEAST_S` long in all."""
    found: list[Heard] = []
    searched = 0.0
    for begin, end, known in spans:
        if searched >= _SEARCHED_S:
            break
        stop = min(end, begin + round((_SEARCHED_S - searched) * SAMPLE_RATE))
        searched += (stop - begin) / SAMPLE_RATE
        for fact in marks_in(audio[begin:stop]):
            if fact.mark not in known:
                found.append(_in_recording(fact, begin, stop, end))
    lasting: dict[int, float] = {}
    for fact in found:
        lasting[fact.mark] = lasting.get(fact.mark, 0.0) + fact.decided - fact.began
    return tuple(fact for fact in found if lasting[fact.mark] >= LEAST_S)


def _in_recording(fact: Heard, begin: int, stop: int, end: int) -> Heard:
    """A mark found between two samples of the recording, in its time. One that sounds where the
    search stops is taken to go on to the ``end``.
    """
    at = begin / SAMPLE_RATE
    goes_on = (stop - begin) / SAMPLE_RATE - fact.decided < 2 * PERIOD_SECONDS
    decided = end / SAMPLE_RATE if goes_on else at + fact.decided
    return replace(fact, began=at + fact.began, decided=decided)


def _joined(blocks: Sequence[tuple[_Stretch, _Block]]) -> list[_Span]:
    """The parts of the recording that blocks cover."""
    spans: list[_Span] = []
    for stretch, block in sorted(blocks, key=_first_sample):
        begin = int(stretch.at[block[0]]) - _EDGE
        end = int(stretch.at[block[-1]]) + _INNER + _EDGE
        if spans and begin <= spans[-1][1]:
            before, until, marks = spans[-1]
            spans[-1] = (before, max(end, until), marks | {stretch.mark})
        else:
            spans.append((begin, end, {stretch.mark}))
    return spans


def _first_sample(each: tuple[_Stretch, _Block]) -> int:
    stretch, block = each
    return int(stretch.at[block[0]])


def _overlaps(others: Sequence[Heard], stretch: _Stretch, block: _Block) -> bool:
    begin = stretch.at[block[0]] / SAMPLE_RATE
    end = stretch.at[block[-1]] / SAMPLE_RATE
    return any(fact.began < end and begin < fact.decided for fact in others)


def _sound(audio: NDArray[np.int16], blocks: Sequence[tuple[_Stretch, _Block]]) -> Beneath | None:
    """The foreign sound in these blocks, named by what is left without the mark."""
    spans = _joined(blocks)
    seconds = sum(end - begin for begin, end, _ in spans) / SAMPLE_RATE
    if seconds < LEAST_S:
        return None
    alone = _without_tones(audio, blocks)
    kinds = [span for span in classify(alone) if span.kind != "silence"]
    longest = max(kinds, key=lambda span: span.seconds, default=None)
    relative = np.concatenate([stretch.relative_db[block] for stretch, block in blocks])
    return Beneath(
        kind=longest.kind if longest is not None else "noise",
        detail=longest.detail if longest is not None else "",
        began=spans[0][0] / SAMPLE_RATE,
        seconds=seconds,
        relative_db=float(np.median(relative)),
    )


def _without_tones(
    audio: NDArray[np.int16], blocks: Sequence[tuple[_Stretch, _Block]]
) -> NDArray[np.int16]:
    """What is left of the symbols in these blocks, and between them, at its place; all else is
    silent.
    """
    alone = np.zeros(len(audio), np.int16)
    for stretch, block in _whole(blocks):
        for number in block:
            begin = int(stretch.at[number]) - _EDGE
            symbol = audio[begin : begin + _SYMBOL].astype(np.float32)
            tones = _tones(stretch.mark)[stretch.place[number]]
            weights = np.linalg.lstsq(tones[_EDGE:-_EDGE], symbol[_EDGE:-_EDGE], rcond=None)[0]
            weights[-1] = 0.0  # the steady offset stays
            rest = np.rint(symbol - _ENVELOPE * (tones @ weights))
            alone[begin : begin + _SYMBOL] = np.clip(rest, -32768, 32767)
    return alone


def _whole(blocks: Sequence[tuple[_Stretch, _Block]]) -> Iterator[tuple[_Stretch, _Block]]:
    """Each stretch from its first block to its last: the pauses between words help to name them."""
    for stretch in {id(each): each for each, _ in blocks}.values():
        numbers = np.concatenate([block for one, block in blocks if one is stretch])
        yield stretch, np.arange(numbers.min(), numbers.max() + 1)


@lru_cache(maxsize=64)
def _spectrum(mark: int) -> NDArray[np.complex64]:
    return np.conj(np.fft.rfft(waveform(mark))).astype(np.complex64)


@lru_cache(maxsize=64)
def _tones(mark: int) -> NDArray[np.float32]:
    """(symbols, samples, 5): cosine and sine of each symbol's two tones without their ramps, and a
    steady offset.
    """
    time = np.arange(_SYMBOL) / SAMPLE_RATE
    offset = np.ones(_SYMBOL)
    symbols = []
    for low, high in MARKS[mark]:
        low_angle = 2 * np.pi * LOW_HZ[low] * time
        high_angle = 2 * np.pi * HIGH_HZ[high] * time
        columns = [
            np.cos(low_angle),
            np.sin(low_angle),
            np.cos(high_angle),
            np.sin(high_angle),
            offset,
        ]
        symbols.append(np.stack(columns, axis=1))
    return np.array(symbols, np.float32)


@lru_cache(maxsize=64)
def _away(mark: int) -> NDArray[np.float64]:
    """For each symbol, a weight for each bin: those near its tones count for nothing, so that the
    others stand for the whole band.
    """
    hertz = np.arange(_FFT // 2 + 1) * SAMPLE_RATE / _FFT
    band = np.zeros(len(hertz))
    band[_BAND] = 1.0
    found = []
    for low, high in MARKS[mark]:
        from_low = np.abs(hertz - LOW_HZ[low])
        from_high = np.abs(hertz - HIGH_HZ[high])
        is_near = np.minimum(from_low, from_high) < _AWAY_HZ
        away = band * ~is_near
        found.append(away * band.sum() / away.sum())
    return np.array(found)


@lru_cache(maxsize=64)
def _bases(mark: int) -> NDArray[np.float32]:
    """The tones over the inner samples of each symbol, orthonormal."""
    return np.linalg.qr(_tones(mark)[:, _EDGE:-_EDGE])[0]


_RAMP: Final = np.sin(0.5 * np.pi * (np.arange(16) + 0.5) / 16) ** 2
_ENVELOPE: Final = np.concatenate([_RAMP, np.ones(_SYMBOL - 32), _RAMP[::-1]])
_HANN: Final = np.hanning(_INNER + 2)[1:-1]
_SCALE: Final = 2 / (_INNER * float(np.sum(_HANN**2)))
