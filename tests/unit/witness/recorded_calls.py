"""A call as its caller heard it, and as the AI's recording has it."""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from harness.audio import g711
from harness.audio.marks import waveform
from harness.audio.prompts import prompt_samples
from harness.audio.samples import resample
from harness.audio.wav import to_int16

Samples = NDArray[np.int16]

MARK: Final = 7
RATE: Final = 8000


def join(*parts: Samples) -> Samples:
    return np.concatenate(parts)


def quiet(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.int16)


def mixed(*sounds: Samples) -> Samples:
    length = max(map(len, sounds))
    whole = sum(np.pad(sound, (0, length - len(sound))).astype(np.int32) for sound in sounds)
    return np.clip(whole, -32768, 32767).astype(np.int16)


def over_the_line(sound: Samples, delay_s: float, gain_db: float = -6.0) -> Samples:
    quieter = (sound * 10 ** (gain_db / 20)).astype(np.int16)
    return join(quiet(delay_s), g711.decode_ulaw(g711.encode_ulaw(quieter)))


#: The AI speaks from 1 s on; the caller sends its mark and words behind the greeting, from 5 s on,
#: and the AI answers.
GREETING: Final = join(*(prompt_samples(f"agent-please-{language}") for language in ("de", "fr")))
ANSWER: Final = prompt_samples("how-can-i-help-en")
AI: Final = join(quiet(1.0), GREETING, quiet(8.0 - 1.0 - len(GREETING) / RATE), ANSWER, quiet(1.0))
SHORT_MARK: Final = to_int16(np.tile(waveform(MARK), 5)[: round(0.7 * RATE)])
WORDS: Final = prompt_samples("hello-en")
CALLER: Final = join(quiet(5.0), SHORT_MARK, WORDS)


def encoded(sound: Any, kind: str = "MP3", rate: int = 16000) -> bytes:
    file = io.BytesIO()
    subtype = "MPEG_LAYER_III" if kind == "MP3" else "PCM_16"
    wide = sound if sound.ndim == 2 else resample(sound, RATE, rate)
    soundfile.write(file, wide, RATE if sound.ndim == 2 else rate, format=kind, subtype=subtype)
    return file.getvalue()
