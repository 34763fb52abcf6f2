from __future__ import annotations

import numpy as np
import pytest

from harness.audio import g711
from harness.audio.mixture import marks_in

from .sounds import join, mark, mix, noise, silence


def through_ulaw(samples: np.ndarray) -> np.ndarray:
    return g711.decode_ulaw(g711.encode_ulaw(samples))


@pytest.mark.parametrize("second_db", [0, -6, -10, -20])
def test_both_of_two_are_named(second_db: int) -> None:
    audio = mix(mark(10, 0.64, skip=100), mark(200, 0.64, level_dbov=-15 + second_db, skip=777))
    facts = marks_in(through_ulaw(audio))
    assert {fact.mark for fact in facts} == {10, 200}
    second = next(fact for fact in facts if fact.mark == 200)
    assert second.level_dbov == pytest.approx(-15 + second_db, abs=1.5)


def test_three_at_once() -> None:
    audio = mix(
        mark(3, 0.8, skip=5),
        mark(77, 0.8, level_dbov=-18, skip=500),
        mark(400, 0.8, level_dbov=-20, skip=900),
    )
    assert {fact.mark for fact in marks_in(through_ulaw(audio))} == {3, 77, 400}


def test_times_bound_where_it_sounds() -> None:
    (fact,) = marks_in(join(silence(1.0), mark(5, 1.5), silence(1.0)))
    assert fact.mark == 5
    assert fact.began == pytest.approx(1.0, abs=0.33)
    assert fact.decided == pytest.approx(2.5, abs=0.33)


@pytest.mark.parametrize("audio", [silence(1.0), noise(2.0, -20.0), silence(0.1)])
def test_none_where_there_is_none(audio: np.ndarray) -> None:
    assert marks_in(audio) == []
