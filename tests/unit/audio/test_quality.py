from __future__ import annotations

import numpy as np
import pytest

from harness.audio.detector import Heard, marks_heard
from harness.audio.prompts import prompt_samples
from harness.audio.quality import (
    clock_drift_ppm,
    figures,
    mos_of,
    rate,
    snr_by_mark,
)

from .sounds import Samples, join, mark, mix, noise, silence


def heard(audio: Samples) -> list[Heard]:
    return [fact for fact in marks_heard(audio) if isinstance(fact, Heard)]


def test_the_e_model_at_its_known_points() -> None:
    assert rate("PCMU") == pytest.approx(93.2)
    assert mos_of(rate("PCMU")) == pytest.approx(4.41, abs=0.01)  # G.107's default connection
    assert rate("G729") == pytest.approx(93.2 - 26.0 + 15.0)
    assert mos_of(0) == 1.0
    assert mos_of(100) == 4.5
    assert mos_of(50) == pytest.approx(2.58, abs=0.01)  # G.107 table B.1
    assert mos_of(80) == pytest.approx(4.03, abs=0.01)


def test_levels_noise_and_snr() -> None:
    audio = join(silence(0.5), prompt_samples("hello-en"), silence(0.5), prompt_samples("goodbye-en"), silence(0.5))
    measured = figures(mix(audio, noise(len(audio) / 8000, -55)), [])
    assert measured.active_dbov == pytest.approx(-20, abs=4)
    assert measured.noise_dbov == pytest.approx(-55, abs=1.5)
    assert measured.snr_db == pytest.approx(35, abs=5)
    assert measured.clipped_share == 0
    assert measured.gaps == ()


def test_clipping_gaps_and_repeats() -> None:
    audio = mark(5, 3.0, level_dbov=0.0)
    assert figures(audio, []).clipped_share > 0.1
    audio = mix(mark(5, 3.0), noise(3.0, -40))
    audio[8000:12000] = 0
    measured = figures(audio, [])
    (gap,) = measured.gaps
    assert gap.began == pytest.approx(1.0, abs=0.021)
    assert gap.seconds == pytest.approx(0.5, abs=0.021)
    assert measured.snr_db is None or measured.snr_db > 60
    for packet in (100, 120, 140):
        audio[packet * 160 : (packet + 1) * 160] = audio[(packet - 1) * 160 : packet * 160] // 2
    assert figures(audio, []).repeats == 3


def test_silence_measures_as_silence() -> None:
    assert figures(silence(0.0), []).level_dbov == -96.0
    assert figures(silence(1.0), []).gaps == ()


@pytest.mark.parametrize("snr", [10, 20, 30])
def test_snr_by_the_mark(snr: int) -> None:
    audio = mix(mark(33, 2.0), noise(2.0, -15 - snr))
    assert snr_by_mark(audio, heard(audio)) == pytest.approx(snr, abs=1.5)


@pytest.mark.parametrize("ppm", [-100, 0, 60])
def test_clock_drift(ppm: int) -> None:
    period = mark(21, 0.16, rate=64000)
    positions = np.arange(5 * 8000) * 8 * (1 + ppm * 1e-6)
    audio = period[positions.astype(int) % len(period)]
    assert clock_drift_ppm(heard(audio)) == pytest.approx(ppm, abs=12)
    assert clock_drift_ppm(heard(audio[:8000])) is None
    assert clock_drift_ppm([]) is None


def test_a_step_in_the_sound_itself_is_no_drift() -> None:
    audio = mark(162, 3.0)
    assert clock_drift_ppm(heard(np.delete(audio, slice(12000, 12320)))) is None
    assert clock_drift_ppm(heard(np.delete(mark(162, 6.0), slice(24000, 24320)))) == pytest.approx(0, abs=12)
