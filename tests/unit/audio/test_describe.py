from __future__ import annotations

import numpy as np
import pytest

from harness.audio.describe import describe
from harness.audio.prompts import prompt_samples
from harness.audio.tones import call_progress, sit
from harness.audio.wav import to_int16

from .sounds import Samples, join, mark, mix, noise, silence

NAMES = {5: "caller.1", 7: "agent.1", 9: "caller.2 of another case"}
BEEP = to_int16(0.2 * np.sin(2 * np.pi * 1000 * np.arange(6400) / 8000))


@pytest.mark.parametrize(
    ("audio", "what", "words"),
    [
        (mark(7, 2.0), "as expected", "heard it from 0.00 s"),
        (mark(5, 2.0), "echo", "heard instead its own mark 5 of caller.1 back"),
        (mix(mark(7, 2.0), mark(5, 2.0, level_dbov=-33, skip=400)), "echo", "heard beside it its own mark 5"),
        (join(silence(1.0), mark(9, 2.0)), "crossed", "mark 9 of caller.2 of another case, from 1.00 to 3.00 s"),
        (mark(77, 2.0), "unknown mark", "which no leg of this case sends"),
        (join(silence(1.0), prompt_samples("voicemail-greeting-en")), "voicemail", "Leave a message"),
        (join(prompt_samples("hello-en")[:9000], silence(0.5), BEEP, silence(0.5)), "voicemail", "a beep at"),
        (prompt_samples("announcement-not-in-service-en"), "announcement", "This number is not in service"),
        (join(to_int16(sit()), silence(0.6), prompt_samples("hello-en")), "announcement", "and then an announcement"),
        (to_int16(call_progress("us", "busy", 4)), "tone", "busy tone"),
        (join(silence(0.5), prompt_samples("connecting-you-en")[::-1]), "speech", "speech without a mark"),
        (noise(2.0, -25), "noise", "heard instead noise"),
        (silence(2.0), "silence", "heard silence for 2.00 s"),
    ],
)
def test_one_sentence_says_it(audio: Samples, what: str, words: str) -> None:
    description = describe(audio, expected=7, own=5, others=NAMES)
    assert description.what == what
    assert description.sentence.startswith("expected mark 7 of agent.1; ")
    assert words in description.sentence


def test_all_marks_are_listed() -> None:
    audio = mix(mark(7, 2.0), mark(9, 2.0, level_dbov=-21, skip=300))
    assert describe(audio, expected=7, own=5, others=NAMES).marks == (7, 9)
