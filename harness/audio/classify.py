"""What a recording holds, span by span: marks, digits, the network's tones, speech, music, noise,
silence.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from harness.audio.detector import Heard, marks_heard
from harness.audio.dtmf import Digit, digits_in
from harness.audio.marks import SAMPLE_RATE
from harness.audio.samples import levels, resample
from harness.audio.speech import STEP, events

Kind = Literal[
    "mark",
    "speech",
    "silence",
    "dtmf",
    "ringback",
    "busy",
    "sit",
    "fax",
    "dial",
    "tone",
    "music",
    "noise",
]

SILENT_DBOV: Final = -50.0  #: what is quieter is silence
_STEP: Final = 160
_PIECE: Final = 3000  #: windows whose spectra are in memory at once: a minute
_WINDOW: Final = 512
#: This much speech is speech; less may be music (docs/audio.md).
SURE_S: Final = 3.0
#: A shorter sound is too short to be classified; and a pause behind a sentence.
_WORD_S: Final = 0.4
_PAUSE_S: Final = 0.5
_BEEP_S: Final = 0.28
_BEEP_HZ: Final = 700.0
_STEP_SECONDS: Final = _STEP / SAMPLE_RATE
#: What interrupts a tone is shorter than any pause of a cadence (0.2 s).
_HOLE_S: Final = 0.121
_SAME_HZ: Final = 25.0
#: A voice may hold its fundamental, and the octave, for 0.9 s; networks signal with nothing as low.
_LOWEST_HZ: Final = 300.0
#: The shortest tone of a rhythm, and one alone. No country's is shorter than 0.2 s or, in a ringing
#: tone, 0.4 s (tools/accuracy/tones.py); vowels are as pure for 0.24 s, and once for 0.36 s.
_LEAST_ON_S: Final = 0.17
_ALONE_S: Final = 0.37
#: Speech and music are looked for in the mean of the library's figures over 0.5 s.
_EVENT_S: Final = STEP / SAMPLE_RATE
_MEAN_FRAMES: Final = 50
_LIKELY: Final = 0.5
_PERHAPS: Final = 0.3  #: of music: no voice resembles it, but codecs hide it
#: So much likelier than music speech is: G.729 makes music resemble speech.
_MARGIN: Final = 0.5
#: A pause in speech or music; and what is too short to be speech beside music, or music beside
#: speech.
_PAUSE_FRAMES: Final = 40
_LEAST_FRAMES: Final = 100
_CLICK_FRAMES: Final = 20
_LOUD_KINDS: Final[tuple[Kind, ...]] = ("noise", "music", "speech")
_NOISE, _MUSIC, _SPEECH = range(3)


@dataclass(frozen=True, slots=True)
class Span:
    """A time of one kind of sound (seconds of the recording); ``detail`` says which mark, digit or
    tone.

    ``network`` where it is a tone that networks signal with, be its rhythm known or not.
    """

    kind: Kind
    began: float
    ended: float
    detail: str = ""
    network: bool = False

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.ended - self.began

    @property
    def is_voice(self) -> bool:
        """Whether somebody is heard: in words, or by a mark."""
        return self.kind in ("speech", "mark")

    @property
    def mark(self) -> int | None:
        """Which mark it is; None for any other kind."""
        return int(self.detail.removeprefix("mark ")) if self.kind == "mark" else None


def classify(samples: NDArray[np.int16], rate: int = SAMPLE_RATE) -> list[Span]:
    """Divide a recording into spans, in order of time and without gaps, none shorter than 40 ms or
    so.
    """
    audio = resample(samples, rate, SAMPLE_RATE)
    total = len(audio) / SAMPLE_RATE
    spans = _marks(audio, total)
    taken = _Cover(spans)
    spans += taken.add(map(_digit, digits_in(audio)))
    spans += taken.add(_network_tones(tones_in(audio)))
    spans += _rest(audio, taken, total)
    return _joined(sorted(spans, key=lambda span: span.began))


def _digit(digit: Digit) -> Span:
    return Span("dtmf", digit.began, digit.began + digit.duration, digit.digit)


class _Cover:
    """The times that are spoken for."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = list(spans)

    def add(self, spans: Iterable[Span]) -> list[Span]:
        """Those of the spans that do not lie mostly in time already taken; they are taken then."""
        new = [span for span in spans if self._overlap(span) < 0.5 * span.seconds]
        self._spans += new
        return new

    def free(self, total: float) -> list[tuple[float, float]]:
        """What is left of 0…total."""
        gaps, at = [], 0.0
        for span in sorted(self._spans, key=lambda span: span.began):
            if span.began - at > 0.02:
                gaps.append((at, span.began))
            at = max(at, span.ended)
        if total - at > 0.02:
            gaps.append((at, total))
        return gaps

    def _overlap(self, span: Span) -> float:
        """For how many seconds other spans cover it."""
        overlap = 0.0
        for other in self._spans:
            common = min(span.ended, other.ended) - max(span.began, other.began)
            overlap += max(0.0, common)
        return overlap


def _marks(audio: NDArray[np.int16], total: float) -> list[Span]:
    """The marks. What the detector does not end lasts to the end of the recording."""
    spans: list[Span] = []
    present: Heard | None = None
    for fact in marks_heard(audio):
        if isinstance(fact, Heard):
            if present is None:
                present = fact
        elif present is not None:
            spans.append(Span("mark", present.began, fact.at, f"mark {fact.mark}"))
            present = None
    if present is not None:
        spans.append(Span("mark", present.began, total, f"mark {present.mark}"))
    return spans


@dataclass(frozen=True, slots=True)
class Tone:
    """Nearly nothing but one steady frequency (or two close together, then their middle) for a
    while.
    """

    hz: float
    second_hz: float  # 0.0 when there is none
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.ended - self.began


def tones_in(audio: NDArray[np.int16]) -> list[Tone]:
    """All tones of 8 kHz audio, also those too short to be distinguished from what a voice may hold for a
    moment.
    """
    if len(audio) < _WINDOW:
        return []
    windows = np.lib.stride_tricks.sliding_window_view(audio, _WINDOW)[::_STEP]
    # Piece by piece: the spectra of a whole recording take 60 times its own memory.
    pieces = [_peaks(windows[at : at + _PIECE]) for at in range(0, len(windows), _PIECE)]
    pure, first, second = map(np.concatenate, zip(*pieces, strict=True))
    low, high = np.minimum(first, second), np.maximum(first, second)
    # Of one frequency alone, the second is 0 and so the lower.
    low, high = np.where(low > 0, low, high), np.where(low > 0, high, 0.0)
    joined: list[tuple[int, Tone]] = []
    for run in _pure_runs(pure, low, high):
        tone = _tone(run, low, high)
        if joined and _goes_on(joined[-1][1], tone):
            count, before_it = joined.pop()
            joined.append((count + len(run), replace(before_it, ended=tone.ended)))
        else:
            joined.append((len(run), tone))
    return [tone for count, tone in joined if count >= 4]


def _pure_runs(
    pure: NDArray[np.bool_], low: NDArray[np.float64], high: NDArray[np.float64]
) -> list[NDArray[np.intp]]:
    """The numbers of two or more pure windows in a row whose frequencies stay the same."""
    steps = np.flatnonzero(pure)
    before, after = steps[:-1], steps[1:]
    is_apart = after - before > 1
    low_moves = np.abs(low[after] - low[before]) >= _SAME_HZ
    high_moves = np.abs(high[after] - high[before]) >= _SAME_HZ
    breaks = np.flatnonzero(is_apart | low_moves | high_moves)
    return [run for run in np.split(steps, breaks + 1) if len(run) >= 2]


def _peaks(
    windows: NDArray[np.int16],
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """For each window: whether it is nearly nothing but its two strongest peaks, and their
    frequencies; the second is 0 when it is weak.
    """
    power = np.square(np.abs(np.fft.rfft(windows * _HANN, axis=1)))
    power[:, :12] = 0.0  # below 190 Hz a telephone line carries hum
    total = np.maximum(power.sum(axis=1), 1e-3)
    first, first_power = _strongest(power)
    second, second_power = _strongest(power)
    quiet = 10 * np.log10(total / _WINDOW_POWER) < SILENT_DBOV
    pure = ((first_power + second_power) / total > 0.85) & ~quiet
    return pure, first, np.where(second_power > 0.08 * total, second, 0.0)


def _tone(run: NDArray[np.intp], low: NDArray[np.float64], high: NDArray[np.float64]) -> Tone:
    middle = run[1 : max(2, len(run) - 1)]
    # Windows half full of the tone are counted at either end: together one window's length.
    began, ended = (float(run[at]) * _STEP_SECONDS + _WINDOW / SAMPLE_RATE / 2 for at in (0, -1))
    return Tone(float(np.median(low[middle])), float(np.median(high[middle])), began, ended)


def _goes_on(tone: Tone, after: Tone) -> bool:
    """Whether it is one tone that late, lost or concealed packets interrupt."""
    if after.began - tone.ended > _HOLE_S:
        return False
    is_same_low = abs(tone.hz - after.hz) < _SAME_HZ
    return is_same_low and abs(tone.second_hz - after.second_hz) < _SAME_HZ


def _strongest(power: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Each window's strongest peak: its centre (Hz) and power; it is taken out of ``power``."""
    rows = np.arange(len(power))[:, None]
    # Two tones 50 Hz apart, or a modulated one, are one peak.
    near = power.argmax(axis=1)[:, None] + np.arange(-4, 5)
    near = np.clip(near, 0, power.shape[1] - 1)
    values = power[rows, near]
    sums = values.sum(axis=1)
    centre = (values * near).sum(axis=1) / np.maximum(sums, 1e-9) * SAMPLE_RATE / _WINDOW
    power[rows, near] = 0.0
    return centre, sums


def _network_tones(tones: list[Tone]) -> list[Span]:
    """What networks signal with, found from the first tone on; what belongs to it is passed over."""
    spans: list[Span] = []
    at = 0
    while at < len(tones):
        found, used = _special(tones[at:])
        if found is None:
            found, used = _cadenced(tones[at:])
        if found is not None:
            spans.append(found)
        at += used
    return spans


def _special(tones: Sequence[Tone]) -> tuple[Span | None, int]:
    """Special information tones, fax tones, or a plain long tone at the beginning of ``tones``."""
    first = tones[0]
    if len(tones) >= 3 and _are_information_tones(tones[:3]):
        three = tones[:3]
        heard = ", ".join(f"{tone.hz:.0f} Hz {tone.seconds * 1000:.0f} ms" for tone in three)
        return Span("sit", first.began, three[-1].ended, heard, network=True), 3
    fax = _fax_tone(first)
    if fax is not None:
        return Span("fax", first.began, first.ended, fax, network=True), 1
    network = _call_progress(first)
    is_no_voice = first.seconds > 0.5 and first.hz > _LOWEST_HZ and not network
    if first.seconds > 2.6 or is_no_voice or _is_beep(first):
        kind: Kind = "dial" if network else "tone"
        return Span(kind, first.began, first.ended, _frequencies(first), network), 1
    return None, 1


def _are_information_tones(three: Sequence[Tone]) -> bool:
    """Whether they are the special information tone: about 950, 1400 and 1800 Hz, a third of a
    second each (ITU-T E.180).
    """
    for earlier, later in itertools.pairwise(three):
        if later.began - earlier.ended >= 0.12:
            return False
    places = (860 < three[0].hz < 1040, 1310 < three[1].hz < 1490, 1700 < three[2].hz < 1880)
    return all(places) and all(0.2 < tone.seconds < 0.5 for tone in three)


def _fax_tone(tone: Tone) -> str | None:
    """Which of a fax machine's tones it is (ITU-T T.30)."""
    if tone.second_hz:
        return None
    if abs(tone.hz - 1100) < 38 and 0.4 < tone.seconds < 0.62:
        return "calling tone (CNG)"
    if abs(tone.hz - 2100) < 20 and tone.seconds > 0.8:
        return "answer tone (CED)"
    return None


def _is_beep(tone: Tone) -> bool:
    """What a machine asks for a message with may be short; a voice holds no single frequency that
    high, and that long.
    """
    return tone.seconds > _BEEP_S and tone.hz > _BEEP_HZ and not tone.second_hz


def _call_progress(tone: Tone) -> bool:
    return 340 < tone.hz < 500 and (not tone.second_hz or 400 < tone.second_hz < 650)


def _cadenced(tones: Sequence[Tone]) -> tuple[Span | None, int]:
    """Ringing or busy tone at the beginning of ``tones``: the same tone again and again in a
    rhythm.
    """
    first = tones[0]
    if not _call_progress(first):
        return None, 1
    run = _rhythm(tones)
    pauses = _pauses(run)
    on = [tone.seconds for tone in run]
    if np.median(on) < _LEAST_ON_S:
        return None, 1
    if any(pause > 1.5 for pause in pauses) or (len(run) <= 2 and max(on) > 0.7):
        kind: Kind = "ringback"
    elif len(run) >= 2 and max(on) < 1.0:
        kind = "busy"
    elif len(run) == 1 and first.seconds < _ALONE_S:
        return None, 1
    else:
        kind = "tone"
    rhythm = f"{_frequencies(first)}, {np.median(on):.2f} s on"
    if pauses:
        rhythm += f", {max(pauses):.2f} s off"
    return Span(kind, first.began, run[-1].ended, rhythm, network=True), len(run)


def _rhythm(tones: Sequence[Tone]) -> list[Tone]:
    """The tones at the beginning of ``tones`` that are like the first."""
    first = tones[0]
    run = [first]
    for tone in tones[1:]:
        alike = abs(tone.hz - first.hz) < 20 and abs(tone.second_hz - first.second_hz) < 20
        pause = tone.began - run[-1].ended
        if not alike or pause > 6.5 or tone.seconds > 2.6:
            break
        is_busy = len(run) >= 3 and all(before < 1.2 for before in _pauses(run))
        if is_busy and pause > 1.5:
            break  # busy tone, and later something else
        run.append(tone)
    return run


def _pauses(run: Sequence[Tone]) -> list[float]:
    return [later.began - earlier.ended for earlier, later in itertools.pairwise(run)]


def _frequencies(tone: Tone) -> str:
    return f"{tone.hz:.0f}+{tone.second_hz:.0f} Hz" if tone.second_hz else f"{tone.hz:.0f} Hz"


def _rest(audio: NDArray[np.int16], taken: _Cover, total: float) -> list[Span]:
    """Speech, music, noise or silence where nothing more exact is known."""
    spans: list[Span] = []
    level = levels(audio)
    for begin, end in taken.free(total):
        first, last = round(begin / _STEP_SECONDS), round(end / _STEP_SECONDS)
        loud = level[first:last] > SILENT_DBOV
        for from_, to, active in _stretches(loud):
            began = begin + from_ * _STEP_SECONDS
            ended = min(end, begin + to * _STEP_SECONDS)
            if active and int(loud[from_:to].sum()) >= min(5, len(loud)):
                spans += _kinds(audio, began, ended)
            else:
                spans.append(Span("silence", began, ended))
    return spans


def _kinds(audio: NDArray[np.int16], began: float, ended: float) -> Iterator[Span]:
    """Speech, music and noise between two moments without silence."""
    first = round(began * SAMPLE_RATE)
    likely = events(audio[first : max(first + STEP, round(ended * SAMPLE_RATE))])
    if not len(likely):
        return
    speech, _, music = map(_smoothed, likely.T)
    kinds = np.where(music > _PERHAPS, _MUSIC, _NOISE)
    kinds[(speech > _LIKELY) & (speech >= music + _MARGIN)] = _SPEECH
    for run in _without_blips(kinds):
        until = ended if run.end == len(kinds) else began + run.end * _EVENT_S
        yield Span(_LOUD_KINDS[run.kind], began + run.begin * _EVENT_S, until)


def _smoothed(figures: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Each figure as the mean of those around it; at either end there are fewer."""
    window = np.ones(min(_MEAN_FRAMES, len(figures)))
    counts = np.convolve(np.ones(len(figures)), window, "same")
    smoothed: NDArray[np.floating[Any]] = np.convolve(figures, window, "same") / counts
    return smoothed


@dataclass(slots=True)
class _Run:
    """Frames of one kind."""

    kind: int
    begin: int
    end: int

    @property
    def frames(self) -> int:
        return self.end - self.begin

    def is_blip_beside(self, others: Sequence[_Run]) -> bool:
        is_beside_noise = all(other.kind == _NOISE for other in others)
        if self.kind == _NOISE:
            return self.frames < _PAUSE_FRAMES
        return self.frames < (_CLICK_FRAMES if is_beside_noise else _LEAST_FRAMES)


def _without_blips(kinds: NDArray[np.intp]) -> list[_Run]:
    """Runs of one kind; those too short to count, the shortest first, belong to the longer of their
    neighbours.
    """
    edges = [0, *(np.flatnonzero(np.diff(kinds)) + 1).tolist(), len(kinds)]
    runs = [_Run(int(kinds[begin]), begin, end) for begin, end in itertools.pairwise(edges)]
    while len(runs) > 1:
        beside = [runs[max(0, at - 1) : at] + runs[at + 1 : at + 2] for at in range(len(runs))]
        blips = [at for at, run in enumerate(runs) if run.is_blip_beside(beside[at])]
        if not blips:
            break
        at = min(blips, key=lambda at: runs[at].frames)
        runs[at].kind = max(beside[at], key=lambda run: run.frames).kind
        runs = _merged(runs)
    return runs


def _merged(runs: Sequence[_Run]) -> list[_Run]:
    """The runs, neighbours of one kind as one."""
    merged: list[_Run] = []
    for run in runs:
        if merged and merged[-1].kind == run.kind:
            merged[-1].end = run.end
        else:
            merged.append(run)
    return merged


def _stretches(loud: NDArray[np.bool_]) -> list[tuple[int, int, bool]]:
    """Runs of loud and quiet frames; pauses under 400 ms belong to what surrounds them, clicks
    under 40 ms to silence.
    """
    runs = _runs(loud.copy())
    smooth = loud.copy()
    for begin, end, active in runs:
        if not active and end - begin < 20 and begin > 0 and end < len(loud):
            smooth[begin:end] = True
    for begin, end, active in _runs(smooth):
        if active and end - begin < 2:
            smooth[begin:end] = False
    return _runs(smooth)


def _runs(values: NDArray[np.bool_]) -> list[tuple[int, int, bool]]:
    edges = [0, *(np.flatnonzero(values[1:] != values[:-1]) + 1).tolist(), len(values)]
    runs = []
    for begin, end in itertools.pairwise(edges):
        if end > begin:
            runs.append((begin, end, bool(values[begin])))
    return runs


def spoken_s(spans: Iterable[Span]) -> float:
    """Seconds of speech or marks, without sounds that are too short to be classified."""
    spoken = [span.seconds for span in spans if span.is_voice]
    return sum(seconds for seconds in spoken if seconds >= _WORD_S)


def is_sure(spans: Sequence[Span]) -> bool:
    """Whether there is enough speech to be sure of it, or a sentence with a pause behind it, which
    music lacks.
    """
    if spoken_s(spans) >= SURE_S:
        return True
    for before, after in itertools.pairwise(spans):
        is_sentence = before.is_voice and before.seconds >= _WORD_S
        is_pause = after.kind in ("silence", "noise") and after.seconds >= _PAUSE_S
        if is_sentence and is_pause:
            return True
    return False


def _joined(spans: list[Span]) -> list[Span]:
    """Neighbours of one kind as one, so far as they say no different thing."""
    joined: list[Span] = []
    for span in spans:
        if joined and _says_the_same(joined[-1], span) and span.began - joined[-1].ended < 0.1:
            joined[-1] = replace(joined[-1], ended=span.ended)
        elif span.seconds > 0.03:
            joined.append(span)
    return joined


def _says_the_same(one: Span, other: Span) -> bool:
    return (one.kind, one.detail) == (other.kind, other.detail)


_HANN: Final = np.hanning(_WINDOW + 2)[1:-1]
#: The power of a full-scale square wave, as the windows above measure it.
_WINDOW_POWER: Final = 32768.0**2 * _WINDOW / 2 * float(np.sum(_HANN**2))
