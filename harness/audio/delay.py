"""One-way delay where both ends are ours: pulses of different frequencies, each paired with its own
sending.

The probe is a circle of twelve chirps, one each 200 ms, no two alike. Each one heard says which it
is, so its delay is known without ambiguity up to the whole circle (2.4 s), and a jitter buffer that
slips shows as a step between two pulses.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.marks import SAMPLE_RATE
from harness.audio.samples import resample

PULSES: Final = 12
STEP_SECONDS: Final = 0.2
PERIOD_SECONDS: Final = PULSES * STEP_SECONDS
_PULSE_SECONDS: Final = 0.08
_LOWEST_HZ, _SPACING_HZ, _SWEEP_HZ = 450.0, 160.0, 320.0
_MIN_QUALITY: Final = 0.6
_FINER: Final = 16  #: steps between two samples when a peak is looked for
#: Samples to either side of a peak in which a higher one may lie between the samples.
_REACH: Final = 12


@dataclass(frozen=True, slots=True)
class ProbePulse:
    """A pulse heard: which of the twelve, when it began (stream seconds), and its correlation
    (0…1).
    """

    number: int
    at: float
    quality: float


@dataclass(frozen=True, slots=True)
class Delay:
    """The delay of one direction, over all pulses heard."""

    median_ms: float
    least_ms: float
    most_ms: float
    pulses: int


def probe(rate: int = SAMPLE_RATE, level_dbov: float = -15.0) -> NDArray[np.float32]:
    """One circle of the probe (2.4 s) as float32 in -1…1, which loops; the level is that of a
    pulse.
    """
    out = np.zeros(round(PERIOD_SECONDS * rate), np.float32)
    for number in range(PULSES):
        at = round(number * STEP_SECONDS * rate)
        pulse = _pulse(number, rate)
        pulse *= 10 ** (level_dbov / 20) / np.sqrt(np.mean(pulse**2))
        out[at : at + len(pulse)] = pulse
    return out


def pulses_in(samples: NDArray[np.int16], rate: int = SAMPLE_RATE) -> list[ProbePulse]:
    """The pulses in a recording, in order of time."""
    audio = resample(samples, rate, SAMPLE_RATE).astype(np.float32)
    length = round(_PULSE_SECONDS * SAMPLE_RATE)
    if len(audio) < length:
        return []
    # Silence around, so that a peak at either end has neighbours.
    silence = np.zeros(_MARGIN, np.float32)
    audio = np.concatenate([silence, audio, silence])
    size = 1 << (len(audio) + length - 1).bit_length()
    spectrum = np.fft.rfft(audio, size)
    total = np.concatenate([[0.0], np.cumsum(audio.astype(np.float64) ** 2)])
    # Over a pulse's length from each sample on; in silence, everything would resemble a pulse.
    energy = np.maximum(total[length:] - total[:-length], length * 32.0**2)
    norm = np.sqrt(energy)
    found: list[ProbePulse] = []
    for number, template in enumerate(_templates()):
        product = spectrum * np.conj(np.fft.rfft(template, size))
        likeness = np.fft.irfft(product, size)[: len(energy)] / norm
        for peak in _peaks(likeness):
            at, height = _between(likeness, peak)
            seconds = (at - _MARGIN) / SAMPLE_RATE
            found.append(ProbePulse(number, seconds, min(height, 1.0)))
    return sorted(found, key=lambda pulse: pulse.at)


def one_way_delay(
    received: NDArray[np.int16], rate: int, *, sent_from: float, received_from: float
) -> Delay | None:
    """The delay of a probe in a recording, or None when fewer than three pulses were heard.

    ``sent_from`` is when the probe's first sample left, ``received_from`` when the recording's
    first sample came, both in seconds of one clock, each of them known to a packet (20 ms). Delays
    of 0 to 2.35 s are distinguished.
    """
    pulses = pulses_in(received, rate)
    # The first and the last may be cut, where the recording or what was sent begins or ends: their
    # middle is elsewhere.
    if len(pulses) >= 5:
        pulses = pulses[1:-1]
    delays = []
    for pulse in pulses:
        sent = sent_from + pulse.number * STEP_SECONDS
        late = received_from + pulse.at - sent
        # A pulse said to come a little before it was sent is one without delay, not one of a whole
        # circle.
        within_circle = (late + _UNSURE_SECONDS) % PERIOD_SECONDS - _UNSURE_SECONDS
        delays.append(1000 * max(0.0, within_circle))
    if len(delays) < 3:
        return None
    return Delay(statistics.median(delays), min(delays), max(delays), len(delays))


_MARGIN: Final = 128
_UNSURE_SECONDS: Final = 0.05  # a packet at each end, and a little


def _pulse(number: int, rate: int) -> NDArray[np.float32]:
    """A chirp of 80 ms, which begins and ends softly; each number lies 160 Hz above the one before."""
    count = round(_PULSE_SECONDS * rate)
    time = np.arange(count) / rate
    begin = _LOWEST_HZ + _SPACING_HZ * number
    sweep = _SWEEP_HZ
    if number % 2 == 0:  # neighbours sweep against each other
        begin, sweep = begin + _SWEEP_HZ, -_SWEEP_HZ
    cycles = begin * time + sweep / (2 * _PULSE_SECONDS) * time**2
    window = np.sin(np.pi * (np.arange(count) + 0.5) / count) ** 0.5
    return (np.sin(2 * np.pi * cycles) * window).astype(np.float32)


@cache
def _templates() -> tuple[NDArray[np.float32], ...]:
    pulses = (_pulse(number, SAMPLE_RATE) for number in range(PULSES))
    return tuple(pulse / np.float32(math.sqrt(float(pulse.dot(pulse)))) for pulse in pulses)


def _peaks(likeness: NDArray[np.float64]) -> list[int]:
    """Where the likeness is highest within 40 ms to either side, and high enough."""
    reach = round(_PULSE_SECONDS * SAMPLE_RATE) // 2
    peaks: list[int] = []
    for at in np.flatnonzero(likeness > _MIN_QUALITY).tolist():
        if not peaks or at - peaks[-1] >= reach:
            peaks.append(at)
        elif likeness[at] > likeness[peaks[-1]]:
            peaks[-1] = at
    return peaks


def _between(likeness: NDArray[np.float64], peak: int) -> tuple[float, float]:
    """The place and height of a peak between the samples, by sinc interpolation."""
    first, last = max(0, peak - 32), min(len(likeness), peak + 33)
    near = np.arange(first, last)
    # On the grid of samples the neighbouring cycle of the carrier may stand higher than the right
    # one.
    reach = _REACH * _FINER
    fine = peak + np.arange(-reach, reach + 1) / _FINER
    weights = np.sinc(fine[:, None] - near[None, :])
    heights = weights @ likeness[near]
    best = int(heights.argmax())
    if not 0 < best < len(fine) - 1:
        return float(fine[best]), float(heights[best])
    # The top of the parabola through three steps.
    left, top, right = heights[best - 1 : best + 2]
    bend = left - 2 * top + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float(fine[best] + shift / _FINER), float(top)
