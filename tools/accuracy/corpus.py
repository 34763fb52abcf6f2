"""The sounds without marks that the detector must not hear one in: made, not collected, and the
same each time.

An item is a minute of one kind of sound, drawn by its seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from harness.audio.dtmf import DIGITS, dtmf
from harness.audio.wav import to_int16
from tools.accuracy.channels import filled
from tools.accuracy.music import hold_music, music
from tools.accuracy.speech import RATE, monologue, recorded_speech
from tools.accuracy.tones import PLANS, SIT, Progress, call_progress, fax, sit

ITEM_SECONDS: Final = 60

_SAMPLES: Final = ITEM_SECONDS * RATE

Samples = NDArray[np.int16]
Draw = np.random.Generator


@dataclass(frozen=True, slots=True)
class Item:
    """One minute of the corpus."""

    kind: str
    seed: int

    def samples(self) -> Samples:
        """The minute: int16 at 8 kHz."""
        draw = np.random.default_rng([self.seed, *self.kind.encode()])
        return _MAKERS[self.kind](draw, self.seed)


#: Minutes of each kind in the full corpus: 14 hours. (Recorded speech is heard in recordings
#: alone.)
MINUTES: Final[dict[str, int]] = {
    "speech": 300,
    "music": 180,
    "hold music": 60,
    "beeps": 60,
    "call progress": 120,
    "dtmf": 30,
    "white noise": 15,
    "pink noise": 15,
    "babble": 45,
    "line noise": 15,
}


def _beeps(draw: Draw, seed: int) -> Samples:
    """The nearest thing to a mark that is none: pairs of tones in the marks' bands, 30-60 ms each,
    one after another.
    """
    out = np.zeros(_SAMPLES)
    at = 0
    while at < _SAMPLES:
        length = int(draw.choice([240, 320, 320, 320, 400, 480]))
        time = np.arange(length) / RATE
        low, high = draw.uniform(450, 1400), draw.uniform(1500, 2500)
        tone = np.sin(2 * np.pi * low * time + draw.uniform(0, 6.3)) + np.sin(
            2 * np.pi * high * time + draw.uniform(0, 6.3)
        )
        tone[:16] *= np.linspace(0, 1, 16)
        tone[-16:] *= np.linspace(1, 0, 16)
        part = out[at : at + length]
        part += tone[: len(part)]
        at += length if draw.random() < 0.95 else length + int(draw.integers(0, 4000))
    return to_int16(out * 10 ** (draw.uniform(-30, -9) / 20))


#: Kinds of call progress, with how long each lasts, in seconds.
_HEARD_S: Final[Sequence[tuple[Progress, float, float]]] = (
    ("ringback", 3, 12),
    ("ringback", 3, 12),
    ("ringback", 3, 12),
    ("busy", 2, 6),
    ("congestion", 2, 6),
    ("dial", 1, 4),
)


def _call_progress(draw: Draw, seed: int) -> Samples:
    turn = count(seed, 2)

    def part() -> NDArray[np.float32]:
        level = float(draw.uniform(-35, -8))
        country = list(PLANS)[next(turn) % len(PLANS)]
        which = int(draw.integers(0, 8))
        if which < len(_HEARD_S):
            kind, least, most = _HEARD_S[which]
            tone = call_progress(country, kind, draw.uniform(least, most), level_dbov=level)
        elif which == 6:
            tone = sit(str(draw.choice(list(SIT))), level_dbov=level)
        else:
            end: Literal["cng", "ced"] = "cng" if draw.random() < 0.5 else "ced"
            tone = fax(end, draw.uniform(1, 5), level_dbov=level)
        return np.concatenate([tone, np.zeros(int(draw.integers(0, RATE)), np.float32)])

    whole = filled(_SAMPLES, part)
    return to_int16(whole + draw.normal(0, 10 ** (draw.uniform(-75, -45) / 20), _SAMPLES))


def _dtmf(draw: Draw, seed: int) -> Samples:
    def part() -> NDArray[np.float32]:
        digits = "".join(draw.choice(list(DIGITS), int(draw.integers(1, 16))))
        tone, pause = float(draw.uniform(0.03, 0.25)), float(draw.uniform(0.0, 0.25))
        return dtmf(digits, tone=tone, pause=pause, level_dbov=float(draw.uniform(-35, -6)))

    return to_int16(filled(_SAMPLES, part))


def _pink(draw: Draw) -> NDArray[np.float64]:
    """Noise of equal power in each octave, RMS 1."""
    spectrum = np.fft.rfft(draw.normal(0, 1, _SAMPLES))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[: _SAMPLES * 50 // RATE] = 0  # nothing below 50 Hz passes a telephone line
    noise = np.fft.irfft(spectrum, _SAMPLES)
    scaled: NDArray[np.float64] = noise / np.sqrt(np.mean(noise**2))
    return scaled


def _white_noise(draw: Draw, seed: int) -> Samples:
    return to_int16(draw.normal(0, 10 ** (draw.uniform(-45, -12) / 20), _SAMPLES))


def _pink_noise(draw: Draw, seed: int) -> Samples:
    return to_int16(_pink(draw) * 10 ** (draw.uniform(-45, -12) / 20))


def _babble(draw: Draw, seed: int) -> Samples:
    voices = [monologue(10_000 + 7 * seed + k, ITEM_SECONDS).astype(np.float64) for k in range(6)]
    whole = sum(voice / max(1.0, float(voice.std())) for voice in voices)
    return to_int16(np.asarray(whole) / np.sqrt(6) * 10 ** (draw.uniform(-40, -18) / 20))


def _line_noise(draw: Draw, seed: int) -> Samples:
    """Mains hum with its harmonics, hiss, and the clicks of bad contacts."""
    time = np.arange(_SAMPLES) / RATE
    mains = float(draw.choice([50.0, 60.0])) * (1 + draw.normal(0, 2e-4))
    hum = sum(
        np.sin(2 * np.pi * mains * k * time + draw.uniform(0, 6.3)) * draw.uniform(0.1, 1) / k
        for k in range(1, 30)
    )
    clicks = np.zeros(_SAMPLES)
    clicks[draw.integers(0, _SAMPLES, 300)] = draw.uniform(-1, 1, 300)
    clicks = np.convolve(
        clicks, np.exp(-np.arange(60) / 12) * np.cos(np.arange(60) * draw.uniform(0.3, 2)), "same"
    )
    whole = np.asarray(hum) * 10 ** (draw.uniform(-50, -25) / 20)
    whole += clicks * 10 ** (draw.uniform(-30, -6) / 20) + draw.normal(
        0, 10 ** (draw.uniform(-65, -40) / 20), _SAMPLES
    )
    return to_int16(whole)


_MAKERS: Final[dict[str, Callable[[Draw, int], Samples]]] = {
    "speech": lambda draw, seed: monologue(seed, ITEM_SECONDS),
    "recorded speech": lambda draw, seed: recorded_speech(seed, ITEM_SECONDS),
    "music": lambda draw, seed: music(draw, ITEM_SECONDS),
    "hold music": lambda draw, seed: hold_music(draw, ITEM_SECONDS),
    "beeps": _beeps,
    "call progress": _call_progress,
    "dtmf": _dtmf,
    "white noise": _white_noise,
    "pink noise": _pink_noise,
    "babble": _babble,
    "line noise": _line_noise,
}
