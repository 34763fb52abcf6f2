"""What the world plays: marks, digits and a platform's own tones, as G.711 frames of 20 ms made once and kept."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio import g711, marks
from harness.audio.wav import to_int16

FRAME: Final = 160  #: samples, and octets, of 20 ms
_RATE = marks.SAMPLE_RATE

Frames = tuple[bytes, ...]


def frames(samples: NDArray[np.float32], codec: str) -> Frames:
    """Float samples as frames of that codec (``PCMU`` or ``PCMA``); the last is filled up with silence."""
    pcm = to_int16(np.pad(samples, (0, -len(samples) % FRAME)))
    octets = g711.encode_ulaw(pcm) if codec == "PCMU" else g711.encode_alaw(pcm)
    return tuple(octets[at : at + FRAME] for at in range(0, len(octets), FRAME))


@lru_cache(maxsize=2048)
def mark(number: int, codec: str) -> Frames:
    """One period of a mark."""
    return frames(marks.waveform(number), codec)


@lru_cache(maxsize=16)
def silence(codec: str) -> Frames:
    """One frame of nothing."""
    return frames(np.zeros(FRAME, np.float32), codec)


@lru_cache(maxsize=16)
def ringback(codec: str) -> Frames:
    """North America's ringback: 440 and 480 Hz, two seconds of six (ITU-T E.180 supplement 2)."""
    return frames(_cadence((440.0, 480.0), 2.0, 4.0), codec)


@lru_cache(maxsize=16)
def menu(codec: str) -> Frames:
    """What stands for the spoken menu: two notes, one after the other, every two seconds."""
    return frames(np.concatenate([_cadence((587.3,), 0.2, 0.05), _cadence((784.0,), 0.2, 1.55)]), codec)


def _cadence(tones: tuple[float, ...], on: float, off: float) -> NDArray[np.float32]:
    time = np.arange(round(on * _RATE)) / _RATE
    sound = sum(0.1 * np.sin(2 * np.pi * tone * time) for tone in tones)
    return np.concatenate([sound, np.zeros(round(off * _RATE))]).astype(np.float32)
