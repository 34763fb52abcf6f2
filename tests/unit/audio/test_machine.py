"""A machine is one that speaks, and asks for a message afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.audio.classify import classify
from harness.audio.machine import asks_for_message, last_sound, message_asked_in
from harness.audio.marks import SAMPLE_RATE
from harness.audio.prompts import prompt_samples

Audio = NDArray[np.int16]


def tone(seconds: float, hertz: float = 1000.0) -> Audio:
    at = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (8000 * np.sin(2 * np.pi * hertz * at)).astype(np.int16)


def silence(seconds: float) -> Audio:
    return np.zeros(round(seconds * SAMPLE_RATE), np.int16)


def music(seconds: float) -> Audio:
    """Four notes at once, struck twice a second."""
    at = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * hertz * at) for hertz in (523.25, 659.26, 783.99, 1046.5))
    return np.asarray(1000 * chord * np.exp(-2 * (at % 0.5)), np.int16)


GREETING = prompt_samples("hello-en").astype(np.int16)


@pytest.mark.parametrize("hertz", [440.0, 1000.0, 1400.0])
def test_speech_and_then_a_tone(hertz: float) -> None:
    asked = asks_for_message(
        classify(np.concatenate([silence(0.5), GREETING, silence(0.3), tone(0.4, hertz), silence(1)]))
    )
    assert asked is not None
    began, beep = asked
    assert began == pytest.approx(0.5, abs=0.2)
    assert beep == pytest.approx(0.8 + len(GREETING) / SAMPLE_RATE, abs=0.2)


@pytest.mark.parametrize(
    "heard",
    [
        np.concatenate([GREETING, silence(2)]),
        np.concatenate([tone(0.4), silence(0.3), GREETING]),
        np.concatenate([tone(0.4), silence(1)]),
        silence(2),
    ],
    ids=["speech alone", "a tone before it", "a tone alone", "silence"],
)
def test_anything_else_asks_for_nothing(heard: Audio) -> None:
    assert asks_for_message(classify(heard)) is None
    assert message_asked_in(heard) is None


def test_a_greeting_right_behind_a_queues_music_asks_for_a_message() -> None:
    greeting = prompt_samples("voicemail-greeting-en").astype(np.int16)
    heard = np.concatenate([music(5.0), greeting, tone(0.4), silence(1)])
    assert asks_for_message(classify(heard)) is None, "music and greeting are one sound"
    asked = message_asked_in(heard)
    assert asked is not None
    assert 5.0 < asked[0] < asked[1] == pytest.approx(5.0 + len(greeting) / SAMPLE_RATE, abs=0.1)


def test_music_and_a_tone_ask_for_nothing() -> None:
    assert message_asked_in(np.concatenate([music(5.0), tone(0.4), silence(1)])) is None


def test_when_the_last_sound_ended() -> None:
    assert last_sound(silence(1.0)) == last_sound(silence(0.0)) == 0.0
    heard = np.concatenate([silence(1.0), tone(1.0), silence(2.0)])
    assert last_sound(heard) == pytest.approx(2.0, abs=0.1)
