"""Marks sent through conditions: is each heard, as itself, and how soon?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.detector import Heard, marks_heard
from harness.audio.marks import MARKS, PERIOD, waveform
from harness.audio.wav import to_int16
from tools import read_toml
from tools.accuracy import codecs
from tools.accuracy.channels import burst_loss, conceal, lossy, slips, with_noise

Samples = NDArray[np.int16]
Draw = np.random.Generator
#: Of a draw, samples, and the mark's level.
Channel = Callable[[Draw, Samples, float], Samples]

_FINE: Final = 8  #: the mark is made at 64 kHz, to begin between two samples and to run off by parts in a million
_LENGTH: Final = 7200  #: samples of mark in a trial (900 ms)
_LEAD: Final = 1600  #: samples before the mark, at most
_FRAME: Final = 160


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one trial came to."""

    wrong: int  #: marks reported that were not sent
    delay_ms: float  #: from the mark's first sample to the end of the 20 ms frame it was decided in; inf if never


@dataclass(frozen=True, slots=True)
class Bar:
    """What has to be reached: the shares of marks heard within 200 ms and 600 ms, and the delay that
    95 % of all keep to.
    """

    words: str
    at_200: float = 0.0
    at_600: float = 0.0
    p95_ms: float = math.inf


@dataclass(frozen=True, slots=True)
class Condition:
    """The path of a mark from sender to detector."""

    name: str
    channel: Channel
    level_dbov: tuple[float, float] = (-30.0, 0.0)
    ppm: tuple[float, float] = (0.0, 0.0)
    bar: Bar | None = None


def trial(condition: Condition, seed: int) -> Outcome:
    """Send one mark, begun at any phase of it after up to 200 ms of what was there before, and
    listen.
    """
    draw = np.random.default_rng([seed, *condition.name.encode()])
    mark = int(draw.integers(len(MARKS)))
    level = float(draw.uniform(*condition.level_dbov))
    lead = int(draw.integers(0, _LEAD))
    sent = np.concatenate(
        [
            np.zeros(lead, np.int16),
            mark_samples(draw, mark, level, float(draw.uniform(*condition.ppm)), _LENGTH),
        ]
    )
    received = condition.channel(draw, sent, level)
    heard = [fact for fact in marks_heard(received) if isinstance(fact, Heard)]
    wrong = sum(fact.mark != mark for fact in heard)
    decided = next((fact.decided for fact in heard if fact.mark == mark), None)
    if decided is None:
        return Outcome(wrong, float("inf"))
    frame_end = -(-round(decided * 8000) // _FRAME) * _FRAME
    return Outcome(wrong, (frame_end - lead) / 8)


def mark_samples(draw: Draw, mark: int, level: float, ppm: float, count: int) -> Samples:
    """So many samples of a mark, from any phase of it, also between two samples, at a clock that
    runs off by ``ppm``.
    """
    fine = _fine(mark)
    positions = (draw.uniform(0, PERIOD) + np.arange(count) * (1 + ppm * 1e-6)) * _FINE
    whole = positions.astype(np.int64)
    part = (positions - whole).astype(np.float32)
    whole %= PERIOD * _FINE
    audio = fine[whole] * (1 - part) + fine[whole + 1] * part
    return to_int16(audio * 10 ** (level / 20))


@lru_cache(maxsize=len(MARKS))
def _fine(mark: int) -> NDArray[np.float32]:
    """A period at 64 kHz and 0 dBov, unclipped, and its first sample once more."""
    period = waveform(mark, 8000 * _FINE, -30.0) * np.float32(10 ** (30 / 20))
    return np.append(period, period[0])


def _noise(draw: Draw, samples: Samples, level: float) -> Samples:
    return with_noise(draw, samples, 15.0, level)


def _bursts(draw: Draw, samples: Samples) -> Samples:
    return conceal(samples, burst_loss(draw, len(samples) // _FRAME + 1, 0.03, 2.0))


#: Besides the codecs.
_CHANNELS: Final[Mapping[str, Channel]] = {
    "noise": lambda draw, samples, level: codecs.ulaw(_noise(draw, samples, level)),
    "gsm, noise": lambda draw, samples, level: codecs.gsm(_noise(draw, samples, level)),
    "loss": lambda draw, samples, level: lossy(draw, codecs.ulaw(samples), 0.05),
    "bursts": lambda draw, samples, level: _bursts(draw, codecs.ulaw(samples)),
    "slips": lambda draw, samples, level: slips(draw, codecs.ulaw(samples)),
}
_TABLES: Final = read_toml(Path(__file__).with_name("conditions.toml"))
_BARS: Final = {name: Bar(**bar) for name, bar in _TABLES["bars"].items()}


def _condition(name: str, channel: str, bar: str = "", **more: Any) -> Condition:
    through = _CHANNELS.get(channel) or (
        lambda draw, samples, level: codecs.CODECS[channel](samples)
    )
    return Condition(name, through, bar=_BARS.get(bar), **more)


CONDITIONS: Final = tuple(_condition(name, **row) for name, row in _TABLES["conditions"].items())


def _mixed(draw: Draw, samples: Samples, level: float) -> Samples:
    """One of the conditions that cost little, or two of them one after another."""
    if draw.random() < 0.5:
        samples = with_noise(draw, samples, float(draw.uniform(15, 40)), level)
    samples = (codecs.ulaw, codecs.alaw, codecs.tandem)[int(draw.integers(3))](samples)
    match int(draw.integers(8)):
        case 0 | 1:
            return lossy(draw, samples, draw.uniform(0, 0.05))
        case 2:
            return _bursts(draw, samples)
        case 3:
            return slips(draw, samples)
        case 4:
            return codecs.gsm(samples) if level < -6 else samples
        case _:
            return samples


MIXED: Final = Condition("mixed", _mixed, ppm=(-100.0, 100.0))
