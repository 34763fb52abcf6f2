"""How well a direction sounds: levels, clipping, gaps and clock from the samples, MOS from what RTP
and RTCP count.

The E-model is ITU-T G.107 (06/2015) with the parameters of G.113 appendix I: a transmission rating
R from 0 to 100, and the mean opinion score it stands for. It says what packets lost and late do to
a codec; it hears no audio.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.detector import Heard
from harness.audio.marks import PERIOD, PERIOD_SECONDS, SAMPLE_RATE, played
from harness.audio.mixture import tone_basis
from harness.audio.samples import SILENCE_DBOV, levels, mean_level

FRAME_SECONDS: Final = 0.02
CLIPPED: Final = 32_000  #: in µ-law and A-law the largest value is 32124 or 32256
_GAP_DBOV: Final = -60.0
_SHORTEST_GAP_S: Final = 0.04
#: A hole in a voice: so much quieter than the rest, for longer than concealment hides (ITU-T G.711
#: appendix I fades out within 60 ms). What lasts longer than the latter is a pause.
_HOLE_DB: Final = -20.0
_SHORTEST_HOLE_S, _LONGEST_HOLE_S = 0.1, 1.0


@dataclass(frozen=True, slots=True)
class Gap:
    """A time without sound between times with it (seconds of the recording)."""

    began: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What the samples and the marks of one direction tell."""

    level_dbov: float  #: of all of it
    active_dbov: float  #: of the 20 ms frames that are within 15 dB of the loudest
    peak_dbov: float  #: of the largest sample, 0 for full scale
    clipped_share: float  #: of the samples, that stand at full scale
    noise_dbov: float  #: the level that a tenth of the frames lie below
    #: Active level over noise, up to 75; None (unknown) when the sound never pauses.
    snr_db: float | None
    gaps: tuple[Gap, ...]  #: silences of 40 ms or more inside the sound
    repeats: int  #: frames of 20 ms that are the one before again: losses concealed by repetition
    snr_by_mark_db: float | None  #: by the match of its marks; None without any
    #: The sender's clock against the receiver's; None where it cannot be measured.
    clock_drift_ppm: float | None


def figures(audio: NDArray[np.int16], heard: list[Heard]) -> Figures:
    """The figures of one direction at 8 kHz; ``heard`` is what a detector said of it."""
    by_mark = snr_by_mark(audio, heard) if heard else None
    drift = clock_drift_ppm(heard)
    frames = levels(audio)
    if not len(frames):
        return Figures(
            level_dbov=SILENCE_DBOV,
            active_dbov=SILENCE_DBOV,
            peak_dbov=SILENCE_DBOV,
            clipped_share=0.0,
            noise_dbov=SILENCE_DBOV,
            snr_db=None,
            gaps=(),
            repeats=0,
            snr_by_mark_db=by_mark,
            clock_drift_ppm=drift,
        )
    active = _active_level(frames)
    noise = float(np.percentile(frames, 10))
    sizes = np.abs(audio.astype(np.int32))
    return Figures(
        level_dbov=mean_level(audio),
        active_dbov=active,
        peak_dbov=20 * math.log10(max(int(sizes.max()), 1) / 32768),
        clipped_share=float(np.mean(sizes >= CLIPPED)),
        noise_dbov=noise,
        snr_db=min(75.0, active - noise) if active - noise > 6 else None,
        gaps=_gaps(frames),
        repeats=_repeats(audio),
        snr_by_mark_db=by_mark,
        clock_drift_ppm=drift,
    )


def _active_level(frames: NDArray[np.float64]) -> float:
    """The mean level of the frames that are within 15 dB of the loudest."""
    loud = frames[frames > max(float(frames.max()) - 15.0, _GAP_DBOV)]
    if not len(loud):
        return SILENCE_DBOV
    return 10 * math.log10(float(np.mean(10 ** (loud / 10))))


def clipped_share(audio: NDArray[np.int16]) -> float:
    """The share of samples at full scale, in the 20 ms frames within 15 dB of the loudest."""
    frame = round(FRAME_SECONDS * SAMPLE_RATE)
    frames = levels(audio)
    if not len(frames):
        return 0.0
    is_loud = np.repeat(frames > frames.max() - 15.0, frame)[: len(audio)]
    loud = audio[: len(is_loud)][is_loud].astype(np.int32)
    return float(np.mean(np.abs(loud) >= CLIPPED))


def _gaps(frames: NDArray[np.float64]) -> tuple[Gap, ...]:
    return tuple(_silences(frames > _GAP_DBOV, _SHORTEST_GAP_S))


def holes(voice: NDArray[np.int16], least_s: float = _SHORTEST_HOLE_S) -> list[Gap]:
    """The silences of ``least_s`` to 1 s in a voice at 8 kHz."""
    frames = levels(voice)
    audible = frames[frames > _GAP_DBOV]
    if not len(audible):
        return []
    is_loud = frames > np.median(audible) + _HOLE_DB
    return list(_silences(is_loud, least_s, _LONGEST_HOLE_S))


def _silences(sounds: NDArray[np.bool_], least_s: float, most_s: float = math.inf) -> Iterator[Gap]:
    """Those between two of the frames that have sound."""
    sounding = np.flatnonzero(sounds)
    seconds = (np.diff(sounding) - 1) * FRAME_SECONDS
    for at in np.flatnonzero((seconds >= least_s) & (seconds <= most_s)).tolist():
        yield Gap((int(sounding[at]) + 1) * FRAME_SECONDS, float(seconds[at]))


def _repeats(audio: NDArray[np.int16]) -> int:
    """Concealment repeats the last 20 ms, as it was or fainter; nothing that is alive does so to
    the sample.
    """
    frame = round(FRAME_SECONDS * SAMPLE_RATE)
    whole = len(audio) // frame * frame
    frames = audio[:whole].reshape(-1, frame).astype(np.float32)
    energy = np.einsum("ij,ij->i", frames, frames)
    products = np.einsum("ij,ij->i", frames[1:], frames[:-1])
    norms = np.sqrt(energy[1:] * energy[:-1])
    loud = norms > frame * 100.0**2
    is_repeated = products[loud] > 0.9995 * norms[loud]
    return int(np.sum(is_repeated))


def snr_by_mark(samples: NDArray[np.int16], heard: list[Heard]) -> float | None:
    """The level of a mark over all else while it was heard, in dB (the median of its periods); None
    if too short.

    ``samples`` are at 8 kHz, ``heard`` what a detector said of them; the first mark in it is taken.
    """
    facts = [fact for fact in heard if fact.mark == heard[0].mark]
    ratios = []
    for fact in facts[1:]:  # each speaks for the period before it
        begin = round(fact.decided * SAMPLE_RATE) - PERIOD
        period = samples[begin : begin + PERIOD].astype(np.float32)
        if begin < 0 or len(period) < PERIOD:
            continue
        turn = -round(begin + fact.phase_seconds * SAMPLE_RATE) % PERIOD
        basis = np.roll(tone_basis(fact.mark), turn, axis=0)
        power = float(np.square(basis.T @ period).sum())
        rest = float(period.dot(period)) - power
        ratios.append(10 * math.log10(power / rest) if rest > 0 < power else 75.0)
    return float(np.median(ratios)) if ratios else None


#: From one announcement of a mark to the next (0.2 s) a clock that is off by 1000 ppm moves the
#: phase by as much.
_STEP_S: Final = 0.0002


def clock_drift_ppm(heard: list[Heard]) -> float | None:
    """How much faster the sender's clock runs than the receiver's, from a mark's phase over time;
    None if too short.

    Needs the announcements of one mark over 2 s or more: each tells the phase of the mark's period
    to a fraction of a sample. A jitter buffer that grows, shrinks or conceals, and a second voice,
    move it by more than any clock does in so short a time: only what was heard between two such
    steps is compared.
    """
    slopes: list[float] = []
    for stretch in _unmoved(heard):
        first, last = stretch[0], stretch[-1]
        if len(stretch) >= 5 and last.decided - first.decided >= 2.0:
            slopes += _slopes(stretch)
    return 1e6 * float(np.median(slopes)) if slopes else None


def _unmoved(heard: Sequence[Heard]) -> list[list[Heard]]:
    """The announcements of the first mark, those together between which its phase makes no step."""
    stretches: list[list[Heard]] = []
    for fact in heard:
        if fact.mark != heard[0].mark:
            continue
        before = stretches[-1][-1] if stretches else None
        if before is None or abs(_turned(before, fact)) > _STEP_S:
            stretches.append([])
        stretches[-1].append(fact)
    return stretches


def _slopes(stretch: Sequence[Heard]) -> Iterator[float]:
    """How fast the phase moves, by each two announcements that are a second apart or more."""
    for fact, later in itertools.combinations(stretch, 2):
        seconds = later.decided - fact.decided
        if seconds >= 1.0:
            yield _turned(fact, later) / seconds


def _turned(before: Heard, after: Heard) -> float:
    """From one phase to another by the shorter way, in seconds."""
    turned = after.phase_seconds - before.phase_seconds
    return (turned + PERIOD_SECONDS / 2) % PERIOD_SECONDS - PERIOD_SECONDS / 2


def best_snr(figures: Mapping[str, Any]) -> float | None:
    """Of :class:`Figures` in plain form: by the mark's own match where one was heard, else active
    parts over pauses.
    """
    by_mark: float | None = figures["snr_by_mark_db"]
    return figures["snr_db"] if by_mark is None else by_mark


@dataclass(frozen=True, slots=True)
class CodecImpairment:
    """A codec's part in the E-model (G.113): ``ie`` what it takes without loss, ``bpl`` how well it
    bears loss.
    """

    ie: float
    bpl: float
    algorithmic_ms: float  #: its own delay: frame and look-ahead


#: By the encoding name of SDP. From G.113 appendix I are those of G.711 (with the concealment of
#: G.711 appendix I), G.729A, AMR at 12.2 kbit/s (as GSM EFR) and the Ie of GSM FR and G.726; the
#: others are this project's estimates, for want of a figure there, and so marked.
CODECS: Final[dict[str, CodecImpairment]] = {
    "PCMU": CodecImpairment(0, 25.1, 0),
    "PCMA": CodecImpairment(0, 25.1, 0),
    "G722": CodecImpairment(0, 25.1, 1.4),  # estimate: heard over a telephone band here, as G.711
    "opus": CodecImpairment(5, 25.0, 26.5),  # estimate
    "G729": CodecImpairment(11, 19.0, 15),
    "GSM": CodecImpairment(20, 10.0, 20),  # Bpl: estimate, as EFR
    "iLBC": CodecImpairment(11, 32.0, 40),  # estimate
    "AMR": CodecImpairment(5, 10.0, 25),
    "G726-32": CodecImpairment(7, 10.0, 0),  # Bpl: estimate
}


def rate(
    codec: str,
    *,
    loss_percent: float = 0.0,
    burst_ratio: float = 1.0,
    delay_ms: float = 0.0,
    jitter_ms: float = 0.0,
) -> float:
    """R of the E-model (G.107) for one direction, all else at its defaults: 0…100; below 60 hardly
    anybody is satisfied (G.109).

    ``loss_percent`` counts packets lost, and too late to be played where that is known;
    ``burst_ratio`` is G.107's BurstR (1: losses are independent); ``delay_ms`` is one way, mouth to
    ear; ``jitter_ms`` is RFC 3550's, and adds twice itself as the delay of a jitter buffer that
    holds most of it. ``KeyError`` for an unknown codec.
    """
    impairment = CODECS[codec]
    delay = delay_ms + impairment.algorithmic_ms + 2 * jitter_ms
    effective = impairment.ie
    if loss_percent > 0:
        # G.107 (7-29).
        independent = loss_percent / max(burst_ratio, 1e-3)
        effective += (95 - impairment.ie) * loss_percent / (independent + impairment.bpl)
    return max(0.0, min(100.0, 93.2 - _delay_impairment(delay) - effective))


def _delay_impairment(one_way_ms: float) -> float:
    """Idd of G.107 (7-27, 7-28) with the default sensitivity; echo is judged apart, by marks."""
    if one_way_ms <= 100:
        return 0.0
    x = math.log(one_way_ms / 100) / math.log(2)
    return 25.0 * float((1 + x**6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2)


def mos_of(r: float) -> float:
    """MOS-CQE, 1…4.5, of a transmission rating R (G.107 annex B)."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


# -- words: a mark has no pauses, so that nothing shows whether a path cuts off the beginning of what is said after one

WORD_SECONDS: Final = 2 * PERIOD_SECONDS
_WORDS: Final = 2
#: Longer than a voice detector needs to take a pause for one.
_PAUSE_SECONDS: Final = 0.35
_WORD_APART: Final = WORD_SECONDS + _PAUSE_SECONDS
_APART_SECONDS: Final = 0.2  #: a shorter hole is in a word
_OUT_OF_TIME: Final = 0.1  #: more than a jitter buffer's slips


def spoken_words(mark: int) -> NDArray[np.float32]:
    """The mark as two words (8 kHz), a pause before and after each."""
    pause = np.zeros(round(_PAUSE_SECONDS * SAMPLE_RATE), np.float32)
    word = np.tile(played(mark), round(WORD_SECONDS / PERIOD_SECONDS))
    return np.concatenate([pause, *[word, pause] * _WORDS])


def heard_words(audio: NDArray[np.int16]) -> list[float] | None:
    """How many seconds of each word are in a recording of :func:`spoken_words`, with the mark
    before and behind them.

    None where the pauses cannot be measured: another sound is in them, or the mark behind them is not
    there. A path may cut the beginning of a word; its end comes in time, else the sound is another.
    """
    frames = levels(audio)
    runs = _sounding(frames)
    if not 2 <= len(runs) <= _WORDS + 2:
        return None
    before, *words, behind = runs
    if (len(frames) - behind[-1]) * FRAME_SECONDS > _APART_SECONDS:
        return None
    began = before[-1] + 1
    due = [_WORD_APART * turn for turn in range(1, _WORDS + 1)]
    goes_on = (behind[0] - began) * FRAME_SECONDS
    if goes_on < due[-1] + _PAUSE_SECONDS - _OUT_OF_TIME:
        return None
    heard = []
    for word in words:
        seconds = int(word[-1] + 1 - word[0]) * FRAME_SECONDS
        end = (word[-1] + 1 - began) * FRAME_SECONDS
        late = min(abs(end - at) for at in due)
        if seconds > WORD_SECONDS + _OUT_OF_TIME or late > _OUT_OF_TIME:
            return None
        heard.append(seconds)
    return heard + [0.0] * (_WORDS - len(heard))


def _sounding(frames: NDArray[np.float64]) -> list[NDArray[np.intp]]:
    """The numbers of the frames that have sound, those together without a pause between them."""
    loudest = float(frames.max(initial=SILENCE_DBOV))
    sounding = np.flatnonzero(frames > max(loudest - 20.0, _GAP_DBOV))
    pauses = np.flatnonzero(np.diff(sounding) * FRAME_SECONDS > _APART_SECONDS)
    return np.split(sounding, pauses + 1)
