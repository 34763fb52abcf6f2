"""The experiment tells an AI that listens from whoever sounds by itself, whatever that is, and states the chance."""

from __future__ import annotations

import random

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.audio import experiment
from harness.audio.marks import SAMPLE_RATE
from harness.audio.prompts import prompt_samples

Samples = NDArray[np.int16]
WORDS = prompt_samples("hello-en")
LENGTH = round(experiment.SECONDS * SAMPLE_RATE)


NOISE = np.clip(np.random.default_rng(1).normal(0, 3000, LENGTH), -32000, 32000).astype(np.int16)


def sound(seconds: float) -> Samples:
    return NOISE[: round(seconds * SAMPLE_RATE)].copy()


def at(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)


def answers(spoken: tuple[int, ...], late: random.Random, *, after_s: float = 1.2, jitter_s: float = 0.1) -> Samples:
    """It says something each time it was spoken to."""
    heard = np.zeros(LENGTH, np.int16)
    for slot in spoken:
        begin = at(slot * experiment.SLOT_S + after_s + late.uniform(0, jitter_s))
        said = sound(0.5)[: max(0, LENGTH - begin)]
        heard[begin : begin + len(said)] = said
    return heard


def falls_silent(spoken: tuple[int, ...], late: random.Random) -> Samples:
    """It speaks on and on, but for a second each time it is spoken to."""
    heard = sound(experiment.SECONDS)
    for slot in spoken:
        begin = at(slot * experiment.SLOT_S + 0.4 + late.uniform(0, 0.1))
        heard[begin : begin + SAMPLE_RATE] = 0
    return heard


def judge(spoken: tuple[int, ...], heard: Samples) -> experiment.ExperimentResult:
    return experiment.judge(spoken, experiment.speech(spoken, WORDS), heard)


@pytest.mark.parametrize("seed", range(5))
def test_who_answers_or_falls_silent_each_time_hears(seed: int) -> None:
    dice = random.Random(seed)
    spoken = experiment.draw(dice)
    for heard in (answers(spoken, dice), falls_silent(spoken, dice)):
        outcome = judge(spoken, heard)
        assert not outcome.echo
        assert 0 < outcome.chance < experiment.MOST_CHANCE / 2  # enough at the first try


def tone(seed: int) -> Samples:
    return (8000 * np.sin(np.arange(LENGTH) * 2 * np.pi * 440 / SAMPLE_RATE)).astype(np.int16)


def bursts(seed: int) -> Samples:
    """Sound and silence by turns, as music, a cadence or a talkative AI: nothing to do with the caller."""
    dice, heard, begin = random.Random(seed), np.zeros(LENGTH, np.int16), 0
    while begin < LENGTH:
        end = begin + at(dice.uniform(0.2, 2.0))
        heard[begin:end] = NOISE[begin : min(end, LENGTH)]
        begin = end + at(dice.uniform(0.1, 1.5))
    return heard


@pytest.mark.parametrize("far_end", [tone, bursts, lambda seed: np.zeros(0, np.int16), lambda seed: sound(1.0)])
@pytest.mark.parametrize("seed", range(5))
def test_who_sounds_by_itself_gives_no_reaction(far_end: object, seed: int) -> None:
    assert callable(far_end)
    outcome = judge(experiment.draw(random.Random(seed)), far_end(seed))
    assert outcome.chance >= experiment.MOST_CHANCE


def test_the_chance_is_what_it_says_it_is() -> None:
    """Of all sets that could have been drawn against one and the same sound, no more than 1 in 1,000 says that it reacts."""
    heard = bursts(7)
    sets = [experiment.draw(random.Random(seed)) for seed in range(150)]
    low = sum(judge(spoken, heard).chance < 0.1 for spoken in sets)
    assert low / len(sets) < 0.2  # 0.1, and four standard deviations


def test_an_echo_of_the_caller_is_no_reaction() -> None:
    spoken = experiment.draw(random.Random(3))
    sent = experiment.speech(spoken, WORDS)
    echo = np.concatenate([np.zeros(at(0.3), np.int16), sent // 2])[:LENGTH]
    outcome = experiment.judge(spoken, sent, echo)
    assert outcome.echo


def test_chances_of_experiments_without_hearing_combine_to_one_that_is_true() -> None:
    """Drawn evenly, no more than a hundredth of what they combine to is below a hundredth."""
    dice = random.Random(11)
    low = sum(experiment.combined([dice.random() for _ in range(3)]) < 0.01 for _ in range(20_000))
    assert 120 <= low <= 280  # 200, and more than five standard deviations
