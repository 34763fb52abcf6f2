from __future__ import annotations

import itertools

import numpy as np
import pytest

from harness.audio.classify import Span, classify
from harness.audio.dtmf import dtmf
from harness.audio.prompts import prompt_samples
from harness.audio.wav import to_int16
from tools.accuracy.channels import conceal, random_loss
from tools.accuracy.music import hold_music
from tools.accuracy.tones import PLANS, SIT, Segment, call_progress, fax, sit, sound

from .sounds import Samples, join, mark, mix, noise, silence


def loud(samples: Samples) -> list[Span]:
    return [span for span in classify(samples, 8000) if span.kind != "silence"]


@pytest.mark.parametrize("country", PLANS)
def test_each_countrys_tones_are_told_apart(country: str) -> None:
    for kind, seconds, expected in (
        ("ringback", 13, "ringback"),
        ("busy", 5, "busy"),
        ("congestion", 5, "busy"),
    ):
        tone = to_int16(call_progress(country, kind, seconds))  # type: ignore[arg-type]
        (span,) = loud(join(silence(0.5), tone, silence(0.5)))
        assert span.kind == expected
        assert span.network
    (dial,) = loud(join(silence(0.5), to_int16(call_progress(country, "dial", 4)), silence(0.5)))
    assert dial.kind == "dial"


@pytest.mark.parametrize("kind", SIT)
def test_special_information_tones(kind: str) -> None:
    (span,) = loud(join(silence(0.5), to_int16(sit(kind)), silence(0.5)))
    assert span.kind == "sit"
    assert span.began == pytest.approx(0.5, abs=0.05)


def test_fax_tones() -> None:
    calling = loud(join(silence(0.5), to_int16(fax("cng", 4)), silence(0.5)))
    assert [(span.kind, span.detail) for span in calling] == [("fax", "calling tone (CNG)")] * 2
    (answer,) = loud(join(silence(0.5), to_int16(fax("ced", 2.6)), silence(0.5)))
    assert (answer.kind, answer.detail) == ("fax", "answer tone (CED)")


def test_a_call_with_everything_in_it() -> None:
    audio = join(
        silence(1.0),
        mark(9, 1.6),
        silence(1.0),
        prompt_samples("hello-en"),
        silence(0.6),
        to_int16(dtmf("1#")),
    )
    spans = classify(audio)
    assert [span.kind for span in spans if span.kind != "silence"] == [
        "mark",
        "speech",
        "dtmf",
        "dtmf",
    ]
    found = next(span for span in spans if span.kind == "mark")
    assert found.detail == "mark 9"
    assert found.began == pytest.approx(1.0, abs=0.02)
    assert found.ended == pytest.approx(2.6, abs=0.04)
    for before, after in itertools.pairwise(spans):
        assert before.ended <= after.began + 0.02


def test_noise_silence_and_music() -> None:
    assert {span.kind for span in loud(noise(3.0, -30))} == {"noise"}
    assert loud(silence(2.0)) == []
    time = np.arange(24000) / 8000
    chord = sum(np.sin(2 * np.pi * f * time) for f in (523.25, 659.26, 783.99, 1046.5)) * np.repeat(
        [1.0, 0.7] * 6, 2000
    )
    assert {span.kind for span in loud(to_int16(0.08 * chord))} == {"music"}


@pytest.mark.parametrize("level_dbov", [-55.0, -50.0, -45.0, -40.0])
def test_speech_over_background_noise_keeps_its_times(level_dbov: float) -> None:
    spoken = join(silence(2.0), prompt_samples("how-can-i-help-en"))
    found = [
        span for span in classify(mix(noise(6.0, level_dbov), spoken)) if span.kind == "speech"
    ]
    assert [(span.began, span.ended) for span in found] == [pytest.approx((2.0, 3.06), abs=0.1)]


def test_vowels_are_no_busy_tone() -> None:
    """A voice holds one frequency for as long as this, as Debian's English prompts do."""
    vowels = to_int16(sound((Segment((351.0,), 0.12), Segment((), 0.26)), 1.14))
    heard = join(prompt_samples("hello-en"), vowels, prompt_samples("goodbye-en"))
    assert {span.kind for span in loud(heard)} <= {"speech", "noise"}


def test_a_fundamental_and_its_octave_are_no_steady_tone() -> None:
    vowel = to_int16(sound((Segment((207.0, 414.0), 0.8),), 0.8))
    heard = loud(join(prompt_samples("hello-en"), vowel, prompt_samples("goodbye-en")))
    assert "tone" not in {span.kind for span in heard}


@pytest.mark.parametrize("country", ["us", "de", "gb"])
def test_lost_and_concealed_packets_do_not_divide_a_ringing_tone(country: str) -> None:
    ringing = join(silence(0.5), to_int16(call_progress(country, "ringback", 9.0)))
    lost = random_loss(np.random.default_rng(3), len(ringing) // 160 + 1, 0.05)
    assert {span.kind for span in loud(conceal(ringing, lost))} == {"ringback"}


def test_music_before_speech_is_a_span_of_its_own() -> None:
    music = hold_music(np.random.default_rng(2), 6)
    spans = loud(join(music, prompt_samples("voicemail-greeting-en"), silence(0.5)))
    assert [span.kind for span in spans] == ["music", "speech"]
    assert spans[1].began == pytest.approx(6.0, abs=0.3)
