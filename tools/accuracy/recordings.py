"""Marks in recordings that others make: each file is encoded as a platform would, and read as the
harness reads it.

PyAV encodes MP3, Opus and AAC at exact bit rates; ``harness/witness/sound_file.py`` reads the file.
The harness reads no AAC (no library it needs for something else knows it), so PyAV decodes that to
WAV here.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from harness.audio.marks import REPLY_OFFSET, SAMPLE_RATE
from harness.witness.sound_file import HeardMark, Sound, marks_in, sound_of
from tools import read_toml
from tools.accuracy import codecs
from tools.accuracy.corpus import Item
from tools.accuracy.speech import recorded_speech
from tools.accuracy.trials import mark_samples

Samples = NDArray[np.int16]

#: How loud a mark is beside the speech that it sounds with, in dB.
RATIOS: Final = (6, 3, 0, -3, -6, -10)
MARKS_EACH: Final = 48  #: in a recording, as many at each ratio
_EVERY_S: Final = 1.0
_MARK_S: Final = 0.7  #: as a caller sends it to an AI (harness/scenario/call.py)
_PPM: Final = 200.0
_LATE_S: Final = 0.3  #: an encoder delays, and a detector is some periods late


@dataclass(frozen=True, slots=True)
class Format:
    """A form in which calls are recorded."""

    codec: str
    kbit: int
    rate: int
    channels: int

    @property
    def name(self) -> str:
        return f"{self.codec} {self.kbit} kbit/s {self.rate // 1000} kHz {('mono', 'stereo')[self.channels - 1]}"


FORMATS: Final = tuple(
    Format(codec, kbit, rate, channels)
    for channels, (codec, rates) in product(
        (1, 2), read_toml(Path(__file__).with_name("formats.toml")).items()
    )
    for kbit, rate in rates
)
#: Container, encoder, and how little time it takes: a platform records many calls at once.
_ENCODERS: Final = {
    "MP3": ("mp3", "libmp3lame", {"compression_level": "7"}),
    "Opus": ("ogg", "libopus", {"compression_level": "5"}),
    "AAC": ("mp4", "aac", {"aac_coder": "fast"}),
}


def as_recorded(channels: list[Samples], form: Format) -> Sound:
    """The channels as the harness reads them from a file of that form."""
    container, codec, options = _ENCODERS[form.codec]
    file = io.BytesIO()
    layout = "mono" if len(channels) == 1 else "stereo"
    with av.open(file, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=form.rate, layout=layout, options=options)
        stream.bit_rate = form.kbit * 1000
        frame = av.AudioFrame.from_ndarray(np.stack(channels), format="s16p", layout=layout)
        frame.sample_rate = SAMPLE_RATE
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    content = file.getvalue()
    return sound_of(_as_wav(content) if form.codec == "AAC" else content, form.name)


def _as_wav(content: bytes) -> bytes:
    with av.open(io.BytesIO(content), "r") as read:
        rate = read.streams.audio[0].rate
        decoded = np.concatenate([frame.to_ndarray() for frame in read.decode(audio=0)], axis=1)
    file = io.BytesIO()
    soundfile.write(file, decoded.T, rate, format="WAV")
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class Counts:
    """What was sent in one recording, at each ratio, and what was made of it."""

    heard: dict[int, int]  #: marks found by the detector that hears the strongest sound
    found: dict[int, int]  #: those, and what the deep search finds beneath the voice
    wrong: int  #: marks named that were not sent at that time


def recording_trial(form: Format, seed: int) -> Counts:
    """A recording of an AI's voice and a caller that sends marks, one after another, after one
    generation of G.711.
    """
    draw = np.random.default_rng([seed, *form.name.encode()])
    length = round(_MARK_S * SAMPLE_RATE)
    every = round(_EVERY_S * SAMPLE_RATE)
    voice = recorded_speech(seed, MARKS_EACH * _EVERY_S + 1)
    caller = np.zeros_like(voice)
    sent = []
    for number in range(MARKS_EACH):
        ratio = RATIOS[number % len(RATIOS)]
        at = number * every + int(draw.integers(every - length))
        beside = voice[at : at + length].astype(np.float64)
        level = 10 * np.log10(max(1.0, float(np.mean(beside**2))) / 32768.0**2) + ratio
        mark = int(draw.integers(REPLY_OFFSET))
        caller[at : at + length] = mark_samples(
            draw, mark, max(level, -40.0), float(draw.uniform(-_PPM, _PPM)), length
        )
        sent.append((mark, at / SAMPLE_RATE, ratio))
    caller = (codecs.ulaw, codecs.alaw)[seed % 2](caller)
    if form.channels == 1:
        channels = [np.clip(voice.astype(np.int32) + caller, -32768, 32767).astype(np.int16)]
    else:
        channels = [voice, caller] if draw.random() < 0.5 else [caller, voice]
    sound = as_recorded(channels, form)
    plain = marks_in(sound)
    heard, found = dict.fromkeys(RATIOS, 0), dict.fromkeys(RATIOS, 0)
    wrong = sum(not any(_is(mark, one) for one in sent) for mark in plain)
    for one in sent:
        ratio = one[2]
        if any(_is(mark, one) for mark in plain):
            heard[ratio] += 1
            found[ratio] += 1
            continue
        began = max(0.0, one[1] - _LATE_S)
        deep = marks_in(_part(sound, began, one[1] + _MARK_S + _LATE_S), deep=True)
        moved = [replace(m, began=m.began + began, ended=m.ended + began) for m in deep]
        found[ratio] += any(_is(mark, one) for mark in moved)
        wrong += sum(not any(_is(mark, each) for each in sent) for mark in moved)
    return Counts(heard, found, wrong)


def _is(mark: HeardMark, sent: tuple[int, float, int]) -> bool:
    return (
        mark.mark == sent[0] and mark.began < sent[1] + _MARK_S + _LATE_S and mark.ended > sent[1]
    )


def _part(sound: Sound, began: float, ended: float) -> Sound:
    part = slice(round(began * SAMPLE_RATE), round(ended * SAMPLE_RATE))
    return replace(sound, channels=tuple(channel[part] for channel in sound.channels))


def false_marks(item: Item) -> int:
    """Marks that the deep search, too, finds in a minute without any, recorded in one of the forms,
    half of it on each channel.
    """
    form = FORMATS[item.seed % len(FORMATS)]
    return len(marks_in(as_recorded(np.split(item.samples(), form.channels), form), deep=True))
