"""Music for the accuracy corpus: melodies, chords, bass and drums by a few synthetic instruments."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.wav import to_int16
from tools import read_toml

RATE: Final = 8000
_TABLE: Final = read_toml(Path(__file__).with_suffix(".toml"))
_SCALES: Final = _TABLE["scales"]
_CHORDS: Final = _TABLE["chords"]


def music(draw: np.random.Generator, seconds: int) -> NDArray[np.int16]:
    """A piece in one key and tempo: melody over chords and bass, sometimes with drums, sometimes
    fast runs of notes.
    """
    count = seconds * RATE
    out = np.zeros(count + 4 * RATE)
    beat = 60.0 / draw.uniform(60, 200)
    scale = _SCALES[int(draw.integers(len(_SCALES)))]
    key = float(draw.uniform(45, 57))
    lead, pad = _instrument(draw), _instrument(draw)
    quick = float(draw.choice([1.0, 0.5, 0.5, 0.25, 0.125]))
    time = 0.0
    while time < seconds:  # the melody
        length = beat * quick * float(draw.choice([0.5, 1, 1, 1, 2]))
        if draw.random() < 0.9:
            degree = int(draw.integers(0, 3 * len(scale)))
            note = key + 12 + 12 * (degree // len(scale)) + scale[degree % len(scale)]
            _play(out, time, length, [note], lead, 0.5)
            if draw.random() < 0.3:
                _play(out, time, length, [note + float(draw.choice([3, 4, 7, 12, 19]))], lead, 0.4)
        time += length
    time = 0.0
    while time < seconds:  # chords and bass
        length = beat * float(draw.choice([2, 4]))
        root = key + scale[int(draw.integers(len(scale)))]
        chord = _CHORDS[int(draw.integers(len(_CHORDS)))]
        _play(out, time, length, [root + step for step in chord], pad, 0.25)
        _play(out, time, length / 2, [root - 12], pad, 0.4)
        time += length
    if draw.random() < 0.6:
        for hit in range(int(seconds / (beat / 2))):
            _drum(out, hit * beat / 2, draw)
    return _finish(out[:count], draw)


def hold_music(draw: np.random.Generator, seconds: int) -> NDArray[np.int16]:
    """Music on hold as old boxes play it: one or two square or sine voices, a short tune again and
    again.
    """
    count = seconds * RATE
    out = np.zeros(count + RATE)
    scale = _SCALES[int(draw.integers(2))]
    key = float(draw.uniform(60, 75))
    step = float(draw.choice([0.04, 0.06, 0.08, 0.125, 0.15, 0.2, 0.25]))
    harmonics = [(1.0, 1.0)] if draw.random() < 0.5 else [(k, 1.0 / k) for k in (1.0, 3.0, 5.0)]
    voice = (np.array(harmonics), 0.004, float(draw.choice([1e9, 0.3])), 0.0)
    tune = [
        (
            key + scale[int(draw.integers(len(scale)))] + 12 * int(draw.integers(0, 2)),
            key + 12 + scale[int(draw.integers(len(scale)))] + 12 * int(draw.integers(0, 2)),
        )
        for _ in range(int(draw.integers(8, 33)))
    ]
    two = draw.random() < 0.7
    for number in range(int(seconds / step)):
        low, high = tune[number % len(tune)]
        _play(out, number * step, step, [low, high] if two else [low], voice, 0.5)
    return _finish(out[:count], draw)


_Instrument = tuple[
    NDArray[np.float64], float, float, float
]  # (harmonics × (multiple, level)), attack, decay, vibrato


def _instrument(draw: np.random.Generator) -> _Instrument:
    count = int(draw.integers(1, 9))
    slope = draw.uniform(0.5, 2.0)
    multiples = np.arange(1, count + 1) * (1 + draw.normal(0, 0.002, count))
    levels = draw.uniform(0.3, 1.0, count) / np.arange(1, count + 1) ** slope
    return (
        np.stack([multiples, levels], axis=1),
        float(draw.uniform(0.002, 0.05)),
        float(draw.choice([0.15, 0.4, 1.5, 1e9])),
        float(draw.choice([0.0, 0.0, 0.003, 0.01])),
    )


def _play(
    out: NDArray[np.float64],
    begin: float,
    length: float,
    notes: list[float],
    how: _Instrument,
    level: float,
) -> None:
    harmonics, attack, decay, vibrato = how
    at = round(begin * RATE)
    count = min(round(length * RATE), len(out) - at)
    if count < 8:
        return
    time = np.arange(count) / RATE
    bend = vibrato * np.sin(2 * np.pi * 5.5 * time) / (2 * np.pi * 5.5) if vibrato else 0.0
    envelope = (
        np.minimum(1.0, time / attack)
        * np.minimum(1.0, (time[-1] - time) / 0.004)
        * np.exp(-time / decay)
    )
    tone = np.zeros(count)
    for note in notes:
        pitch = 440.0 * 2 ** ((note - 69) / 12)
        for multiple, share in harmonics:
            if pitch * multiple < 3800:
                tone += share * np.sin(2 * np.pi * pitch * multiple * (time + bend))
    out[at : at + count] += level * envelope * tone


def _drum(out: NDArray[np.float64], begin: float, draw: np.random.Generator) -> None:
    at, count = round(begin * RATE), int(draw.integers(200, 900))
    count = min(count, len(out) - at)
    if count > 0:
        out[at : at + count] += (
            0.5 * draw.normal(0, 1, count) * np.exp(-np.arange(count) / (count / 5))
        )


def _finish(out: NDArray[np.float64], draw: np.random.Generator) -> NDArray[np.int16]:
    # A telephone passes 300 to 3400 Hz.
    spectrum = np.fft.rfft(out)
    spectrum[: 250 * len(out) // RATE] *= 0.1
    out = np.fft.irfft(spectrum, len(out))
    out *= 10 ** (draw.uniform(-32, -10) / 20) / max(float(np.sqrt(np.mean(out**2))), 1e-9)
    return to_int16(out)
