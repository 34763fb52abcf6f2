"""What the way through a network does to samples: loss, bursts of it, jitter-buffer slips, noise, a
clock that runs off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.audio.wav import to_int16

Samples = NDArray[np.int16]
Number = TypeVar("Number", bound=np.generic)

PACKET: Final = 160  #: samples in a packet (20 ms)


def filled(count: int, make: Callable[[], NDArray[Number]]) -> NDArray[Number]:
    """So many samples: one sound after another."""
    parts: list[NDArray[Number]] = []
    length = 0
    while length < count:
        parts.append(make())
        length += len(parts[-1])
    return np.concatenate(parts)[:count]


def random_loss(draw: np.random.Generator, packets: int, share: float) -> NDArray[np.bool_]:
    """Which packets are lost, each by itself."""
    lost: NDArray[np.bool_] = draw.random(packets) < share
    return lost


def burst_loss(
    draw: np.random.Generator, packets: int, share: float, mean_burst: float
) -> NDArray[np.bool_]:
    """Which packets are lost, in bursts (Gilbert's model): ``share`` of them in all, ``mean_burst``
    packets at a time.
    """
    leave = 1 / mean_burst
    enter = share * leave / (1 - share)
    chances = draw.random(packets)
    lost = np.zeros(packets, bool)
    bad = draw.random() < share
    for number in range(packets):
        lost[number] = bad
        bad = chances[number] >= leave if bad else chances[number] < enter
    return lost


def lossy(draw: np.random.Generator, samples: Samples, share: float) -> Samples:
    """With a share of the packets lost, each by itself, and concealed."""
    return conceal(samples, random_loss(draw, len(samples) // PACKET + 1, share))


def conceal(samples: Samples, lost: NDArray[np.bool_]) -> Samples:
    """Packets lost and concealed as simple receivers do: the last packet again, each time half as
    loud.
    """
    out = samples.copy()
    for number in np.flatnonzero(lost[: len(out) // PACKET]):
        at = number * PACKET
        before = out[at - PACKET : at] // (2 if lost[number - 1] else 1) if number else 0
        out[at : at + PACKET] = before
    return out


def slips(draw: np.random.Generator, samples: Samples) -> Samples:
    """A jitter buffer that every 0.4 s, on average, leaves out, or says twice, 10 or 20 ms."""
    parts: list[Samples] = []
    at = 0
    while at < len(samples):
        length = int(draw.exponential(0.4) * 8000) + 80
        parts.append(samples[at : at + length])
        at = max(0, at + length + int(draw.choice([-160, -80, 80, 160])))
    return np.concatenate(parts)


def with_noise(
    draw: np.random.Generator, samples: Samples, snr_db: float, signal_dbov: float
) -> Samples:
    """White noise that lies ``snr_db`` below a signal of the given level."""
    noise = draw.normal(0, 32768 * 10 ** ((signal_dbov - snr_db) / 20), len(samples))
    return to_int16((samples + noise) / 32768)
