from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.audio import g711
from harness.audio.delay import one_way_delay, probe
from harness.audio.wav import to_int16

from .sounds import join, mark, noise, silence

FINE = probe(64000)


@settings(max_examples=12)
@given(st.floats(0, 2.0), st.floats(0, 2.39), st.floats(-25, -3))
def test_any_delay_to_a_tenth_of_a_millisecond(delay: float, phase: float, level: float) -> None:
    time = np.arange(4 * 8000) / 8000
    audio = np.interp((time - delay + phase) * 64000 % len(FINE), np.arange(len(FINE)), FINE)
    sent = to_int16(np.where(time >= delay, audio, 0) * 10 ** ((level + 15) / 20))
    received = g711.decode_ulaw(g711.encode_ulaw(sent))
    measured = one_way_delay(received, 8000, sent_from=1000.0 - phase, received_from=1000.0)
    assert measured is not None
    assert measured.median_ms == pytest.approx(1000 * delay, abs=0.1)
    assert measured.most_ms - measured.least_ms < 0.2


def test_a_slip_shows_as_a_step() -> None:
    audio = to_int16(np.tile(probe(), 2))
    slipped = join(audio[:20000], silence(0.02), audio[20000:])
    measured = one_way_delay(slipped, 8000, sent_from=0.0, received_from=0.0)
    assert measured is not None
    assert measured.least_ms == pytest.approx(0, abs=0.1)
    assert measured.most_ms == pytest.approx(20, abs=0.1)


@pytest.mark.parametrize("early_s", [0.0, 0.009, 0.04])
def test_what_seems_to_come_before_it_was_sent_has_no_delay(early_s: float) -> None:
    """Either end's time is known to a packet only, and a whole circle of the probe is no delay of
    2.4 s.
    """
    measured = one_way_delay(
        to_int16(np.tile(probe(), 2)), 8000, sent_from=early_s, received_from=0.0
    )
    assert measured is not None
    assert measured.median_ms == pytest.approx(0.0, abs=0.1)


def test_no_probe_no_delay() -> None:
    for audio in (silence(3.0), noise(3.0, -20), mark(4, 3.0), silence(0.01)):
        assert one_way_delay(audio, 8000, sent_from=0.0, received_from=0.0) is None
