"""What sounds beneath a mark: foreign sounds and other marks are found, what codecs and networks
leave is not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.audio.marks import PERIOD, SAMPLE_RATE, waveform
from harness.audio.residue import Residue, residue
from harness.audio.wav import to_int16
from tools.accuracy import channels, codecs
from tools.accuracy.corpus import Item
from tools.accuracy.music import hold_music
from tools.accuracy.speech import monologue

MARK, OTHER = 37, 200
PERIODS = 25
TIME = np.arange(PERIODS * PERIOD) / SAMPLE_RATE
DRAW = np.random.default_rng(1)


def voice(mark: int = MARK) -> NDArray[np.float32]:
    return np.tile(waveform(mark), PERIODS)


def waves(*hertz: float) -> NDArray[np.float64]:
    return np.asarray(np.sin(2 * np.pi * np.outer(hertz, TIME)).sum(axis=0))


def found_in(sent: NDArray[Any], codec: str = "ulaw") -> Residue:
    found = residue(codecs.CODECS[codec](to_int16(sent)))
    assert found is not None
    return found


RINGBACK = waves(440, 480) * (TIME < 2.0)
MUSIC = waves(262, 330, 392, 523) * (0.6 + 0.4 * np.sin(5 * TIME))


@pytest.mark.parametrize(
    ("kind", "sound", "codec"),
    [
        ("ringback", RINGBACK, "ulaw"),
        ("ringback", RINGBACK, "opus"),
        ("music", MUSIC, "ulaw"),
        ("music", MUSIC, "opus"),
        ("speech", np.resize(monologue(3, 4).astype(float), len(TIME)), "ulaw"),
    ],
)
def test_a_sound_beneath_a_mark_is_found_and_named(
    kind: str, sound: NDArray[np.float64], codec: str
) -> None:
    found = found_in(voice() + sound / sound.std() * voice().std(), codec)
    assert found.sound is not None
    assert codec != "ulaw" or found.sound.kind == kind


#: Sounds that go on for the whole call, so that no clean path before or behind shows them.
LASTING = {
    "hold music": hold_music(np.random.default_rng(4), 10),
    "babble": Item("babble", 1).samples(),
    "speech": monologue(4, 10),
    "steady noise": to_int16(DRAW.normal(0, 0.1, 80_000)),
}


@pytest.mark.parametrize(("codec", "db"), [("ulaw", 0), ("ulaw", -5), ("gsm", -3), ("opus", -3)])
@pytest.mark.parametrize("sound", LASTING)
def test_a_sound_beneath_a_mark_for_the_whole_call_is_found(
    sound: str, codec: str, db: float
) -> None:
    above = np.tile(voice(), 2)
    beneath = np.resize(LASTING[sound], len(above)).astype(float)
    beneath *= above.std() * 10 ** (db / 20) / beneath.std()
    assert found_in(0.5 * (above + beneath), codec).sound is not None


@pytest.mark.parametrize("seed", [1, 3, 5])
def test_voice_that_hides_the_mark_for_moments_is_found(seed: int) -> None:
    """The mark is heard in the pauses of the other voice alone."""
    above = np.tile(voice(), 2)
    beneath = np.resize(monologue(seed, 10), len(above)).astype(float)
    beneath *= 2.0 * above.std() / beneath.std()
    assert found_in(0.4 * (above + beneath), "gsm").sound is not None


@pytest.mark.parametrize(("seed", "level", "louder"), [(23, 1.0, 1.0), (18, 0.9, 1.3)])
def test_music_that_hides_the_mark_for_moments_is_found(
    seed: int, level: float, louder: float
) -> None:
    """What goes on beneath it is the mark itself, and no other one (strangers' music-beneath-ai)."""
    above = voice()[: 3 * SAMPLE_RATE]
    beneath = hold_music(np.random.default_rng(seed), 10)[: len(above)].astype(float)
    beneath *= level * above.std() / beneath.std()
    beneath[(TIME[: len(above)] > 0.6) & (TIME[: len(above)] < 1.3)] *= louder
    found = found_in(0.5 * (above + beneath))
    assert found.sound is not None
    assert found.marks == ()


@pytest.mark.parametrize("seed", [0, 2, 4])
def test_music_beneath_a_mark_of_a_second_with_a_pause_is_found(seed: int) -> None:
    """As of an AI that hands the call over at once: fewer symbols than a block has."""
    second = TIME[:SAMPLE_RATE]
    above = voice()[:SAMPLE_RATE]
    beneath = hold_music(np.random.default_rng(seed), 10)[:SAMPLE_RATE].astype(float)
    both = above + beneath * above.std() / beneath.std()
    both[(second > 0.4) & (second < 0.7)] = 0
    assert found_in(0.5 * both).sound is not None


@pytest.mark.parametrize("seed", [0, 2, 3, 5])
def test_words_with_pauses_beneath_a_mark_of_three_seconds_are_found(seed: int) -> None:
    """A voice in words of 0.36 s fills no half second (strangers' agent-voice-beneath)."""
    above = voice()[: 3 * SAMPLE_RATE]
    is_word = np.arange(len(above)) % round(0.6 * SAMPLE_RATE) < 0.36 * SAMPLE_RATE
    beneath = monologue(seed, 3)[: len(above)].astype(float)
    beneath *= is_word * above.std() / beneath[is_word].std()
    assert found_in(above + beneath).sound is not None


@pytest.mark.parametrize("between", [RINGBACK, DRAW.normal(0, 1, len(TIME)), 0.0 * TIME])
def test_sound_between_two_voices_is_not_beneath_them(between: NDArray[np.float64]) -> None:
    other = between[: 2 * SAMPLE_RATE] / max(between.std(), 1e-9) * voice().std()
    assert found_in(np.concatenate([voice(), other, voice()])).sound is None


@pytest.mark.parametrize("db", [0, -10, -20])
def test_a_mark_beneath_another_is_named(db: float) -> None:
    found = found_in(voice() + np.roll(voice(OTHER), 333) * 10 ** (db / 20))
    assert OTHER in {fact.mark for fact in found.marks}
    assert found.sound is None


WAYS = {
    **codecs.CODECS,
    "gsm and amr": lambda sent: codecs.amr(codecs.gsm(sent)),
    "clipped": lambda sent: to_int16(np.clip(sent / 3000, -1, 1)),
    "noise": lambda sent: channels.with_noise(DRAW, sent, 15.0, -15.0),
    "loss": lambda sent: channels.conceal(sent, channels.random_loss(DRAW, PERIODS * 8, 0.05)),
    "slips": lambda sent: channels.slips(DRAW, sent),
    "bursts of loss": lambda sent: channels.conceal(
        codecs.alaw(sent), channels.burst_loss(DRAW, PERIODS * 8, 0.1, 2.5)
    ),
}


@pytest.mark.parametrize("way", sorted(set(WAYS) - (set() if codecs.has_g729() else {"g729"})))
def test_what_networks_do_to_a_mark_is_no_other_sound(way: str) -> None:
    change: Callable[[NDArray[np.int16]], NDArray[np.int16]] = WAYS[way]
    for mark in (MARK, OTHER, 114):
        found = residue(codecs.ulaw(change(to_int16(voice(mark)))))
        assert found is not None
        assert (found.sound, found.marks) == (None, ())
