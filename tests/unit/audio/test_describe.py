from __future__ import annotations

import numpy as np
import pytest

from harness.audio import g711
from harness.audio.describe import describe
from harness.audio.prompts import prompt_samples
from harness.audio.samples import resample
from harness.audio.wav import to_int16
from tools.accuracy.tones import call_progress, sit

from .sounds import Samples, join, mark, mix, noise, silence

NAMES = {5: "caller.1", 7: "agent.1", 240: "assistant main"}
BEEP = to_int16(0.2 * np.sin(2 * np.pi * 1000 * np.arange(6400) / 8000))


@pytest.mark.parametrize(
    ("audio", "what", "words"),
    [
        (join(silence(0.3), mark(7, 2.0)), "as expected", "it from 0.30 s on"),
        (mark(5, 2.0), "echo", "itself, from 0.00 to 2.00 s: an echo"),
        (
            mix(mark(7, 2.0), mark(5, 2.0, level_dbov=-33, skip=400)),
            "echo",
            "it from 0.00 s on, and itself",
        ),
        (
            join(silence(1.0), mark(9, 2.0)),
            "crossed",
            "a call that is not this one (mark 9), from 1.00 to 3.00 s: crossed",
        ),
        (join(mark(240, 2.0), silence(0.5)), "another party", "assistant main, from 0.00 to"),
        (join(mark(240, 2.0), mark(77, 2.0)), "crossed", "(mark 77)"),
        (
            join(silence(1.0), prompt_samples("voicemail-greeting-en")),
            "voicemail",
            "Leave a message",
        ),
        (
            join(prompt_samples("hello-en")[:9000], silence(0.5), BEEP, silence(1.2)),
            "voicemail",
            "a beep at",
        ),
        (
            join(prompt_samples("hello-en")[:9000], silence(0.5), BEEP, silence(0.5)),
            "tone",
            "a steady tone",
        ),
        (
            prompt_samples("announcement-not-in-service-en"),
            "announcement",
            "This number is not in service",
        ),
        (
            join(to_int16(sit()), silence(0.6), prompt_samples("hello-en")),
            "announcement",
            "and then an announcement",
        ),
        (to_int16(call_progress("us", "busy", 4)), "tone", "busy tone"),
        (
            join(silence(0.5), prompt_samples("connecting-you-en")[::-1]),
            "speech",
            "speech without a mark",
        ),
        (
            g711.decode_ulaw(g711.encode_alaw(mark(7, 2.0))),
            "other law",
            "it in A-law that was read as µ-law",
        ),
        (
            g711.decode_alaw(g711.encode_ulaw(mark(7, 2.0))),
            "other law",
            "it in µ-law that was read as A-law",
        ),
        (resample(mark(7, 2.0), 8000, 16000), "other speed", "it at 50% of its speed"),
        (resample(mark(7, 2.0), 8000, 7273), "other speed", "it at 110% of its speed"),
        (resample(mark(7, 2.0), 44100, 48000), "other speed", "it at 92% of its speed"),
        (noise(2.0, -25), "noise", "noise from 0.00 s"),
        (silence(2.0), "silence", "nothing but silence for 2.00 s"),
        (noise(2.0, -48), "silence", "nothing but silence or comfort noise for 2.00 s"),
    ],
)
def test_one_sentence_says_it(audio: Samples, what: str, words: str) -> None:
    description = describe(audio, expected={7}, own={5}, name_of=NAMES.get)
    assert description.what == what
    assert words in description.words
