"""What arrived as a sound may be no sound that anybody made."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.audio import g711, marks
from harness.audio.garbled import audible_s, is_garbled
from harness.audio.prompts import prompt_samples
from harness.audio.wav import to_int16
from harness.support.resources import prompt_names

Samples = NDArray[np.int16]
TIME = np.arange(16000) / 8000


def misread(samples: Samples) -> Samples:
    """Its octets in another order, as another codec's payload has them."""
    table = np.random.default_rng(4).permutation(256).astype(np.uint8)
    return g711.decode_ulaw(table[np.frombuffer(g711.encode_ulaw(samples), np.uint8)].tobytes())


@pytest.mark.parametrize("name", prompt_names())
def test_speech_is_a_voice_and_misread_is_none(name: str) -> None:
    speech = prompt_samples(name)
    assert not is_garbled(speech)
    assert not is_garbled((speech * 0.3).astype(np.int16))
    assert is_garbled(misread(np.concatenate([speech, np.zeros(8000, np.int16)])))


@pytest.mark.parametrize("kind", ["tone", "chord", "mark", "silence", "a click"])
def test_what_is_no_speech_and_somebody_made(kind: str) -> None:
    sounds = {
        "tone": 8000 * np.sin(2 * np.pi * 440 * TIME),
        "chord": sum(2000 * np.sin(2 * np.pi * note * TIME) for note in (220.0, 261.6, 329.6)),
        "mark": to_int16(np.tile(marks.waveform(7), 10)),
        "silence": np.zeros(16000),
        "a click": np.where(TIME < 0.02, 9000, 0),
    }
    assert not is_garbled(np.asarray(sounds[kind]).astype(np.int16))


def test_noise_alone_is_no_voice() -> None:
    assert is_garbled(np.random.default_rng(1).normal(0, 3000, 16000).astype(np.int16))


def test_what_can_be_heard_of_it() -> None:
    tone = 8000 * np.sin(2 * np.pi * 440 * TIME)
    faint = tone * 0.005
    assert audible_s(np.concatenate([tone[:960], faint, np.zeros(160)]).astype(np.int16)) == pytest.approx(0.12)
