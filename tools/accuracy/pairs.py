"""Two marks at once, and the delay of a probe: trials for the accuracy run."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from harness.audio.delay import PERIOD_SECONDS, one_way_delay, probe
from harness.audio.marks import MARKS
from harness.audio.mixture import marks_in
from harness.audio.wav import to_int16
from tools.accuracy import codecs
from tools.accuracy.trials import mark_samples

_WINDOW = 5120  #: samples in which both marks have to be named (640 ms)
_FINE = 64000


def pair_trial(second_db: float, seed: int) -> bool:
    """Whether two marks mixed, the second so many dB under the first, are both named, and no third,
    over µ-law.
    """
    draw = np.random.default_rng([seed, 77, int(-second_db)])
    marks = draw.choice(len(MARKS), 2, replace=False)
    level = float(draw.uniform(-25, -12))
    first, second = (
        mark_samples(draw, int(mark), level + db, float(draw.uniform(-100, 100)), _WINDOW).astype(
            np.int32
        )
        for mark, db in zip(marks, (0.0, second_db), strict=True)
    )
    heard = marks_in(codecs.ulaw(np.clip(first + second, -32768, 32767).astype(np.int16)))
    return {fact.mark for fact in heard} == set(marks.tolist())


def delay_trial(channel: str, seed: int) -> float:
    """The error of one measurement in ms (infinite when there was none); the true delay lies
    between 0 and 2 s.
    """
    draw = np.random.default_rng([seed, 99, *channel.encode()])
    delay, phase = float(draw.uniform(0, 2.0)), float(draw.uniform(0, PERIOD_SECONDS))
    time = np.arange(5 * 8000) / 8000
    fine = _fine_probe()
    audio = np.interp((time - delay + phase) * _FINE % len(fine), np.arange(len(fine)), fine)
    sent = to_int16(np.where(time >= delay, audio, 0.0) * 10 ** (draw.uniform(-12, 6) / 20))
    measured = one_way_delay(
        codecs.CODECS[channel](sent), 8000, sent_from=50.0 - phase, received_from=50.0
    )
    return float("inf") if measured is None else measured.median_ms - 1000 * delay


@cache
def _fine_probe() -> NDArray[np.float32]:
    return probe(_FINE)
