"""The accuracy run in small: a few minutes of corpus, a few trials of each condition, one of each measurement."""

from __future__ import annotations

import numpy as np
import pytest

from harness.audio.detector import marks_heard
from tools.accuracy import codecs
from tools.accuracy.channels import burst_loss, conceal, random_loss, slips
from tools.accuracy.corpus import MINUTES, Item, corpus
from tools.accuracy.pairs import delay_trial, pair_trial
from tools.accuracy.run import conditions
from tools.accuracy.trials import MIXED, Condition, trial

pytestmark = pytest.mark.nightly  # as the measurement itself


@pytest.mark.parametrize("kind", MINUTES)
def test_no_mark_where_there_is_none(kind: str) -> None:
    samples = Item(kind, 3).samples()
    assert len(samples) == 480_000
    lost = random_loss(np.random.default_rng(1), 1001, 0.05)
    assert marks_heard(conceal(codecs.ulaw(samples[:160_000]), lost)) == []


def test_the_corpus_is_long_and_the_same_each_time() -> None:
    assert len(corpus()) >= 12 * 60
    for kind in ("speech", "music", "call progress"):
        assert np.array_equal(Item(kind, 7).samples(), Item(kind, 7).samples())


@pytest.mark.parametrize("condition", [*conditions(), MIXED], ids=lambda condition: condition.name)
def test_marks_come_through(condition: Condition) -> None:
    outcomes = [trial(condition, 1_000_000 + seed) for seed in range(4)]
    assert sum(outcome.wrong for outcome in outcomes) == 0
    limit = {"g711": 200, "lossy": 600, "low rate": 600}.get(condition.bar, 900)
    heard = sum(outcome.delay_ms <= limit for outcome in outcomes)
    assert heard == 4 if condition.bar else heard >= 2


def test_pairs_and_delays() -> None:
    assert all(pair_trial(second, seed) for second in (0.0, -10.0) for seed in range(2))
    assert max(abs(delay_trial("ulaw", seed)) for seed in range(2)) < 0.1


def test_channels_do_what_they_say() -> None:
    draw = np.random.default_rng(3)
    assert np.mean(random_loss(draw, 20000, 0.05)) == pytest.approx(0.05, abs=0.01)
    bursts = burst_loss(draw, 50000, 0.03, 2.0)
    assert np.mean(bursts) == pytest.approx(0.03, abs=0.006)
    count = np.sum(bursts[1:] & ~bursts[:-1])
    assert bursts.sum() / count == pytest.approx(2.0, abs=0.25)
    samples = np.arange(16000, dtype=np.int16)
    assert np.sum(np.diff(slips(draw, samples, 0.2).astype(int)) != 1) >= 4
