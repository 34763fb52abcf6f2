"""Speech for the accuracy corpus: espeak-ng (1.52, from the espeakng-loader wheel) in several
voices and languages, and people's voices: Debian's prompts for Asterisk, where they are installed
(`tools/ci/programs.py`).
"""

from __future__ import annotations

import _ctypes
import ctypes
import random
from functools import cache
from pathlib import Path
from typing import Any, Final

import espeakng_loader
import numpy as np
import soundfile
from numpy.typing import NDArray

from harness.audio.samples import resample
from harness.audio.wav import to_int16
from tools import read_toml
from tools.accuracy.channels import filled
from tools.ci.programs import PROMPTS

RATE: Final = 8000
_TABLE: Final = read_toml(Path(__file__).with_suffix(".toml"))

_AUDIO_SYNCHRONOUS = 2
_POSITION_CHARACTER = 1
_TEXT_UTF8 = 1
_PARAMETER_RATE, _PARAMETER_PITCH, _PARAMETER_RANGE = 1, 3, 4
_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class _Engine:
    """The shared library, loaded anew: it keeps a state that no call of its resets, and says the
    same text differently the second time. Within one engine the same calls give the same samples.
    """

    def __init__(self) -> None:
        self._library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        self._parts: list[NDArray[np.int16]] = []
        self._callback = _Callback(self._take)  # kept alive for as long as the library may call it
        data = str(espeakng_loader.get_data_path()).encode()
        self._rate = int(self._library.espeak_Initialize(_AUDIO_SYNCHRONOUS, 0, data, 0))
        if self._rate <= 0:
            raise RuntimeError(f"espeak-ng did not start with the data in {data.decode()}")
        self._library.espeak_SetSynthCallback(self._callback)

    def __enter__(self) -> _Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self._library.espeak_Terminate()
        _ctypes.dlclose(self._library._handle)

    def _take(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            self._parts.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def speak(
        self, text: str, voice: str, words_per_minute: int, pitch: int, liveliness: int
    ) -> NDArray[np.int16]:
        library = self._library
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {voice!r}")
        library.espeak_SetParameter(_PARAMETER_RATE, words_per_minute, 0)
        library.espeak_SetParameter(_PARAMETER_PITCH, pitch, 0)
        library.espeak_SetParameter(_PARAMETER_RANGE, liveliness, 0)
        self._parts = []
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # of the breath in its voices
        octets = text.encode() + b"\0"
        library.espeak_Synth(octets, len(octets), 0, _POSITION_CHARACTER, 0, _TEXT_UTF8, None, None)
        library.espeak_Synchronize()
        spoken = np.concatenate(self._parts) if self._parts else np.zeros(0, np.int16)
        return resample(spoken, self._rate, RATE)


def speak(text: str, voice: str, *, words_per_minute: int = 165) -> NDArray[np.int16]:
    """A text as int16 samples at 8 kHz. ``voice`` is espeak-ng's, with its variant: ``en-us+f3``."""
    with _Engine() as engine:
        return engine.speak(text, voice, words_per_minute, 50, 50)


def monologue(seed: int, seconds: float) -> NDArray[np.int16]:
    """So many seconds of one voice, language, speed and pitch, drawn by the seed, with pauses
    between the sentences.
    """
    draw = random.Random(f"speech {seed}")
    language = _TABLE["languages"][seed % len(_TABLE["languages"])]
    variant = draw.choice(_TABLE["variants"])
    words = _TABLE["words"][language if language == "cmn" else language[:2]].split()
    speed, pitch, liveliness = draw.randint(120, 240), draw.randint(15, 90), draw.randint(10, 100)
    level = 10 ** (draw.uniform(-32, -16) / 20) * 32768
    with _Engine() as engine:

        def sentences() -> NDArray[np.int16]:
            four = (" ".join(draw.choices(words, k=draw.randint(3, 14))) for _ in range(4))
            text = ". ".join(four) + "."
            spoken = engine.speak(text, f"{language}+{variant}", speed, pitch, liveliness)
            if len(spoken) < RATE // 4:
                raise RuntimeError(f"espeak-ng said nothing in {language}+{variant}")
            pause = np.zeros(round(draw.uniform(0.1, 1.2) * RATE), np.int16)
            return np.concatenate([spoken, pause])

        whole = filled(round(seconds * RATE), sentences).astype(np.float32)
    whole *= level / max(1.0, float(np.sqrt(np.mean(np.square(whole)))))
    return to_int16(whole / 32768)


_SENTENCE_S: Final = 1.5


def recorded_speech(seed: int, seconds: float) -> NDArray[np.int16]:
    """A person's sentences, one after another without pauses, at -22 dBov; espeak-ng's voice where
    no prompts are installed.
    """
    draw = random.Random(f"recorded speech {seed}")
    files = _sentences(draw.choice([*PROMPTS.values()]))
    if not files:
        return monologue(seed, seconds)

    def sentence() -> NDArray[np.float64]:
        spoken: NDArray[np.float64] = soundfile.read(draw.choice(files), dtype="float64")[0]
        loud = np.flatnonzero(np.abs(spoken) > 0.02)
        return spoken[loud[0] : loud[-1]] if len(loud) else spoken[:0]

    whole = filled(round(seconds * RATE), sentence)
    return to_int16(whole * 10 ** (-22 / 20) / np.sqrt(np.mean(whole**2)))


@cache
def _sentences(voice: Path) -> list[Path]:
    return sorted(
        path for path in voice.rglob("*.wav") if path.stat().st_size > 2 * RATE * _SENTENCE_S
    )
