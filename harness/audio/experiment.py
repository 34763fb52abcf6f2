"""Tests whether a far end reacts to speech: the caller speaks at random times, and a permutation test is applied.

A far end that does not hear the caller behaves independently of the times, so any other set of times would fit its sound as well
as the chosen one (R. A. Fisher, The Design of Experiments, chapter II). The test is exact: it counts the sets that fit at least as
well, and assumes nothing about the sound.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.marks import SAMPLE_RATE

SLOT_S: Final = 0.6
SLOTS: Final = 40
SPOKEN: Final = 6  #: slots in which the caller speaks
#: The least number of slots between two spoken ones, in which an answer can begin: an AI often takes 2 s.
QUIET: Final = 4
#: How long to listen after the last slot, for the answer to it.
AFTER_S: Final = (QUIET + 1) * SLOT_S
SECONDS: Final = SLOTS * SLOT_S + AFTER_S
#: A chance of less than 1 in 1,000 has to be left that such a result comes without hearing.
MOST_CHANCE: Final = 0.001

_STEP_S: Final = 0.1
_STEPS: Final = round(SLOT_S / _STEP_S)  # in a slot
_EDGE: Final = 10  # steps around the time at which a change is expected: the delay of an AI varies
#: Possible delays, in steps, between the caller's speech and the far end's answer or silence.
_LAGS: Final = range(1, (QUIET + 1) * _STEPS + 1)
_AUDIBLE_DBOV: Final = -45.0
_SPEECH_S: Final = 0.55
_ECHO: Final = 0.35  #: received audio that correlates this much with the caller's speech is an echo


@dataclass(frozen=True, slots=True)
class ExperimentResult:
    """The result of an experiment. ``chance``: the share of possible sets that fit at least as well as the chosen one."""

    chance: float
    echo: bool = False  #: the audio received at the spoken times was the caller's speech


def combined(chances: Sequence[float]) -> float:
    """The probability that a far end that hears nothing fits several experiments as well as these.

    R. A. Fisher, Statistical Methods for Research Workers, section 21.1: minus twice the sum of the logarithms is chi-squared with
    two degrees of freedom for each; for an even number of these the tail has a closed form.
    """
    surprise = -sum(math.log(chance) for chance in chances)
    return math.exp(-surprise) * sum(surprise**k / math.factorial(k) for k in range(len(chances)))


@cache
def _sets() -> NDArray[np.intp]:
    """All sets of spoken slots, with ``QUIET`` slots between any two: a column each."""
    free = SLOTS - QUIET * (SPOKEN - 1)
    chosen = np.array(list(combinations(range(free), SPOKEN)), np.intp)
    return np.ascontiguousarray((chosen + QUIET * np.arange(SPOKEN, dtype=np.intp)).T)


@cache
def _halves() -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """The first half of each set and its last: all that there are, a column each, and which of them each set has."""
    halves = np.split(_sets(), 2)
    found = (np.unique(half, axis=1, return_inverse=True) for half in halves)
    return [(every, which.reshape(-1)) for every, which in found]


def draw(dice: random.Random | None = None) -> tuple[int, ...]:
    """The slots in which to speak: each set equally likely."""
    every = _sets()
    return tuple(int(slot) for slot in every[:, (dice or random.SystemRandom()).randrange(every.shape[1])])


def speech(spoken: tuple[int, ...], words: NDArray[np.int16]) -> NDArray[np.int16]:
    """What the caller sends: ``words`` (8 kHz) at the beginning of each spoken slot, silence elsewhere."""
    said = words[: round(_SPEECH_S * SAMPLE_RATE)]
    sent = np.zeros(round(SECONDS * SAMPLE_RATE), np.int16)
    for slot in spoken:
        at = round(slot * SLOT_S * SAMPLE_RATE)
        sent[at : at + len(said)] = said
    return sent


def judge(spoken: tuple[int, ...], sent: NDArray[np.int16], heard: NDArray[np.int16]) -> ExperimentResult:
    """The outcome, by what was ``heard`` (8 kHz) from the moment on at which ``sent`` began; a little earlier or later does."""
    every = _sets()
    sounds = _changes(_activity(heard))
    if not np.ptp(sounds):  # it never began, and never stopped
        return ExperimentResult(1.0)
    fits, own = np.zeros(every.shape[1]), 0.0
    for lag in _LAGS:
        changes = sounds[lag : lag + SLOTS * _STEPS : _STEPS]  # how the sound changed so long after each slot began
        changes = changes - changes.mean()
        first, last = (changes[half].sum(axis=0)[which] for half, which in _halves())
        np.maximum(fits, np.abs(first + last), out=fits)
        own = max(own, abs(float(changes[list(spoken)].sum())))
    return ExperimentResult(float(np.mean(fits >= own - 1e-9)), _is_echo(sent, heard))


def _activity(heard: NDArray[np.int16]) -> NDArray[np.float64]:
    """The share of each step in which there is sound; what was not heard is silence."""
    size = round(_STEP_S * SAMPLE_RATE)
    count = SLOTS * _STEPS + _LAGS[-1] + _EDGE + 1
    padded = np.zeros(count * size)
    padded[: min(len(heard), len(padded))] = heard[: len(padded)]
    power = np.square(padded.reshape(count, 5, -1) / 32768.0).mean(axis=2)
    return np.asarray((10 * np.log10(power + 1e-12) > _AUDIBLE_DBOV).mean(axis=1), np.float64)


def _changes(active: NDArray[np.float64]) -> NDArray[np.float64]:
    """After each step less before it: 1 where sound begins, -1 where it ends."""
    total = np.concatenate([np.zeros(_EDGE), np.cumsum(np.concatenate([[0.0], active]))])
    at = np.arange(_EDGE, len(total) - _EDGE)
    changes: NDArray[np.float64] = (total[at + _EDGE] - 2 * total[at] + total[at - _EDGE]) / _EDGE
    return changes


def _is_echo(sent: NDArray[np.int16], heard: NDArray[np.int16]) -> bool:
    """Whether what was heard has what was sent in it, up to a second later."""
    size = 1 << (max(len(sent), len(heard)) + SAMPLE_RATE).bit_length()  # nothing wraps around into that second
    one, other = sent.astype(np.float64), heard.astype(np.float64)
    scale = float(np.linalg.norm(one) * np.linalg.norm(other))
    if not scale:
        return False
    cross = np.fft.irfft(np.fft.rfft(other, size) * np.conj(np.fft.rfft(one, size)), size)
    near = np.concatenate([cross[:SAMPLE_RATE], cross[-SAMPLE_RATE // 4 :]])
    return bool(np.abs(near).max() / scale > _ECHO)
