"""What the world plays: marks, digits and a platform's own tones, as G.711 frames of 20 ms made once and kept."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio import g711, marks
from harness.audio.prompts import prompt_samples
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
    """One period of a mark, as it is sent."""
    return frames(marks.played(number), codec)


@lru_cache(maxsize=16)
def silence(codec: str) -> Frames:
    """One frame of silence."""
    return frames(np.zeros(FRAME, np.float32), codec)


@lru_cache(maxsize=16)
def ringback(codec: str) -> Frames:
    """North America's ringback: 440 and 480 Hz, two seconds of six (ITU-T E.180 supplement 2)."""
    return frames(_cadence((440.0, 480.0), 2.0, 4.0), codec)


@lru_cache(maxsize=16)
def menu(codec: str) -> Frames:
    """The menu's prompt: two notes, one after the other, every two seconds."""
    return frames(np.concatenate([_cadence((587.3,), 0.2, 0.05), _cadence((784.0,), 0.2, 1.55)]), codec)


@lru_cache(maxsize=64)
def prompt(name: str, codec: str) -> Frames:
    """A spoken prompt."""
    return frames((prompt_samples(name) / 32768.0).astype(np.float32), codec)


@lru_cache(maxsize=16)
def tone(codec: str) -> Frames:
    """A second of the test tone of 1020 Hz (ITU-T O.6), which is none of the network's own."""
    return frames(_cadence((1020.0,), 1.0, 0.0), codec)


@lru_cache(maxsize=16)
def beep(codec: str) -> Frames:
    """The tone of an answering machine."""
    return frames(_cadence((1000.0,), 0.4, 0.0), codec)


@lru_cache(maxsize=16)
def voicemail(codec: str) -> Frames:
    """A greeting, the tone, and time to speak."""
    return (*prompt("voicemail-greeting-en", codec), *beep(codec), *silence(codec) * 3500)


@lru_cache(maxsize=16)
def closed(codec: str) -> Frames:
    """The message out of hours, twice."""
    return (*prompt("announcement-not-in-service-en", codec), *silence(codec) * 40) * 2


@lru_cache(maxsize=16)
def somebody(codec: str) -> Frames:
    """A person who asks, and waits for an answer."""
    return (*prompt("how-can-i-help-en", codec), *silence(codec) * 60)


@lru_cache(maxsize=16)
def notice(codec: str) -> Frames:
    """A platform's first announcement, repeated."""
    return (*prompt("connecting-you-en", codec), *silence(codec) * 20)


@lru_cache(maxsize=16)
def accept(codec: str) -> Frames:
    """The prompt that asks an agent at an outside number to take a call: words, and a note."""
    return (*prompt("how-can-i-help-en", codec), *menu(codec))


@lru_cache(maxsize=16)
def music(codec: str) -> Frames:
    """Eight seconds of music on hold: four chords, each note struck and dying away."""
    chords = ((261.6, 329.6, 392.0), (220.0, 261.6, 329.6), (174.6, 220.0, 261.6), (196.0, 246.9, 293.7))
    at = np.arange(round(0.5 * _RATE)) / _RATE
    dying = np.exp(-3.0 * at)
    bars = []
    for chord in chords:
        for beat in range(4):
            note = chord[beat % 3] * 2
            struck = sum(np.sin(2 * np.pi * partial * note * at) / partial for partial in (1, 2, 3))
            held = sum(np.sin(2 * np.pi * low * at) for low in chord)
            bars.append(0.08 * dying * struck + 0.03 * held)
    return frames(np.concatenate(bars).astype(np.float32), codec)


def _cadence(tones: tuple[float, ...], on: float, off: float) -> NDArray[np.float32]:
    time = np.arange(round(on * _RATE)) / _RATE
    sound = sum(0.1 * np.sin(2 * np.pi * tone * time) for tone in tones)
    return np.concatenate([sound, np.zeros(round(off * _RATE))]).astype(np.float32)
