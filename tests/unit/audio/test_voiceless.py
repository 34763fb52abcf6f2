"""Tones alone and noise alone are nobody's voice; everything else may be one."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from harness.audio import g711
from harness.audio.describe import (
    audible_s,
    begins_after_pause,
    is_garbled,
    is_ringing,
    voiceless,
)
from harness.audio.prompts import prompt_samples
from harness.audio.wav import to_int16
from harness.support.resources import prompt_names
from tests.unit.audio.sounds import Samples, join, mark, mix, noise, silence
from tools.accuracy.corpus import Item
from tools.accuracy.music import hold_music
from tools.accuracy.tones import PLANS, call_progress

KINDS: tuple[Literal["ringback", "busy", "congestion", "dial"], ...] = (
    "ringback",
    "busy",
    "congestion",
    "dial",
)


@pytest.mark.parametrize("seconds", [1.2, 2.2, 5.0])
@pytest.mark.parametrize("country", PLANS)
def test_a_country_s_tones_are_no_voice(country: str, seconds: float) -> None:
    for kind in KINDS:
        tone = join(silence(0.2), to_int16(call_progress(country, kind, seconds)))
        heard = voiceless(g711.decode_alaw(g711.encode_alaw(tone)))
        assert heard is not None, kind
        assert heard.what == "tone", kind
        assert heard.began == pytest.approx(0.2, abs=0.1)
    assert is_ringing(to_int16(call_progress(country, "ringback", max(seconds, 5.0))))


@pytest.mark.parametrize("name", prompt_names())
def test_speech_is_a_voice_whatever_rings_before_it(name: str) -> None:
    speech = prompt_samples(name)
    assert voiceless(speech) is None
    assert voiceless(join(to_int16(call_progress("us", "ringback", 1.0)), speech)) is None
    assert not is_ringing(speech)


def test_noise_and_silence_are_no_voice() -> None:
    heard = voiceless(noise(2.0, -30.0))
    assert heard is not None
    assert heard.what == "noise"
    for nothing in (silence(2.0), np.zeros(0, np.int16)):
        heard = voiceless(nothing)
        assert heard is not None
        assert heard.what == "silence"
    assert voiceless(mark(7, 2.0)) is None


def test_steady_tones_music_and_background_noise_are_no_voice() -> None:
    at = np.arange(6 * 8000) / 8000
    tones = to_int16(0.1 * (np.sin(2 * np.pi * 1020 * at) + np.sin(2 * np.pi * 1300 * at)))
    held = hold_music(np.random.default_rng(2), 6)
    for samples, what in ((tones, "tone"), (held, "music"), (noise(6.0, -40.0), "silence")):
        heard = voiceless(samples)
        assert heard is not None, what
        assert heard.what == what
    assert voiceless(mix(join(silence(2.0), prompt_samples("hello-en")), noise(6.0, -45.0))) is None


# -- turns


@pytest.mark.parametrize("name", prompt_names())
def test_a_voice_takes_its_turn_however_its_frames_are_aligned(name: str) -> None:
    """Goodbye has a gap behind its first syllable, as has `please-try-again` of Debian's June."""
    speech = prompt_samples(name)
    call = join(speech, silence(1.0), speech)
    for cut in range(0, 160, 20):
        assert begins_after_pause(call[len(speech) + cut :])


def test_babble_music_and_concealment_take_no_turn() -> None:
    at_once = prompt_samples("hello-en")[1600:]
    concealed = join(at_once, silence(1.0), noise(0.12, -15.0), silence(1.0))
    held = hold_music(np.random.default_rng(2), 8)
    for endless in (Item("babble", 1).samples()[: 8 * 8000], held, concealed):
        for cut in range(0, 160, 20):
            assert not begins_after_pause(endless[cut:])


# -- payloads that are read as another codec's


TIME = np.arange(16000) / 8000


def misread(samples: Samples) -> Samples:
    """Its octets in another order, as another codec's payload has them."""
    table = np.random.default_rng(4).permutation(256).astype(np.uint8)
    return g711.decode_ulaw(table[np.frombuffer(g711.encode_ulaw(samples), np.uint8)].tobytes())


@pytest.mark.parametrize("name", prompt_names())
def test_misread_speech_is_no_voice(name: str) -> None:
    speech = prompt_samples(name)
    assert not is_garbled(speech)
    assert not is_garbled((speech * 0.3).astype(np.int16))
    assert is_garbled(misread(np.concatenate([speech, np.zeros(8000, np.int16)])))


def test_what_can_be_heard_of_it() -> None:
    tone = 8000 * np.sin(2 * np.pi * 440 * TIME)
    faint = tone * 0.005
    assert audible_s(
        np.concatenate([tone[:960], faint, np.zeros(160)]).astype(np.int16)
    ) == pytest.approx(0.12)
