from __future__ import annotations

import numpy as np
import pytest

from harness.audio.detector import Heard, marks_heard
from harness.audio.prompts import prompt_samples
from harness.audio.quality import (
    clock_drift_ppm,
    figures,
    heard_words,
    mos_of,
    rate,
    snr_by_mark,
    spoken_words,
)
from harness.audio.wav import to_int16
from tools.accuracy import channels, codecs
from tools.accuracy.speech import monologue

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
    audio = join(
        silence(0.5),
        prompt_samples("hello-en"),
        silence(0.5),
        prompt_samples("goodbye-en"),
        silence(0.5),
    )
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
    assert clock_drift_ppm(heard(np.delete(mark(162, 6.0), slice(24000, 24320)))) == pytest.approx(
        0, abs=12
    )


def said(cut_s: float = 0.0) -> Samples:
    """Two words with a mark before and behind them, and of each sound after a pause so much cut
    off.
    """
    audio = join(mark(5, 0.3), to_int16(spoken_words(5)), mark(5, 0.8))
    loud = np.abs(audio.astype(int)) > 300
    for begin in np.flatnonzero(loud)[1:][np.diff(np.flatnonzero(loud)) > 1000]:
        audio[begin : begin + round(cut_s * 8000)] = 0
    return audio


@pytest.mark.parametrize("codec", ["ulaw", "gsm", "opus"])
@pytest.mark.parametrize(("cut_s", "left_s"), [(0.0, 0.32), (0.2, 0.12), (0.4, 0.0)])
def test_how_much_of_each_word_arrives(cut_s: float, left_s: float, codec: str) -> None:
    assert heard_words(codecs.CODECS[codec](said(cut_s))) == pytest.approx(
        [left_s, left_s], abs=0.05
    )


def test_loss_does_not_cut_words_each_time() -> None:
    draw = np.random.default_rng(1)
    for _ in range(20):
        audio = said()
        left = heard_words(
            channels.conceal(audio, channels.random_loss(draw, len(audio) // 160, 0.1))
        )
        assert left is not None
        assert max(left) > 0.25


@pytest.mark.parametrize(("seed", "at"), [(5, 8000), (11, 0)])
def test_words_that_another_voice_covers_are_not_cut(seed: int, at: int) -> None:
    words = said().astype(float)
    other = np.resize(monologue(seed, 6).astype(float), 80_000)
    other *= words[:2400].std() / other.std()
    assert heard_words((0.5 * (words + other[at : at + len(words)])).astype(np.int16)) is None


@pytest.mark.parametrize("other", [mix(said(), noise(3.0, -25.0)), said()[:-6400], silence(2.0)])
def test_words_are_not_judged_where_pauses_cannot_be_told(other: Samples) -> None:
    assert heard_words(other) is None
