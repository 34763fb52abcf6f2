"""What assistants send that is no mark, and whether they mind the caller."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest

from harness.audio import g711, marks
from harness.audio.prompts import PromptMatcher, prompt_samples
from harness.world.settings import AssistantSettings, Sends
from harness.world.synthflow.media_engine import ANSWER, GREETING, MACHINE, Turns, script

SPEECH = prompt_samples("agent-please-en")
MARK = (marks.waveform(5) * 32767).astype(np.int16)


def frames_of(samples: np.ndarray) -> list[np.ndarray]:
    return [samples[at : at + 160] for at in range(0, len(samples) - 159, 160)]


def said(frames: list[bytes]) -> np.ndarray:
    return np.concatenate([g711.decode_ulaw(frame) for frame in frames])


def level(frames: list[bytes]) -> float:
    return float(np.sqrt(np.mean(np.square(said(frames).astype(float)))))


def played(kind: Sends, turns: Turns | None = None, **more: Any) -> Iterator[bytes]:
    return script(AssistantSettings(sends=kind, **more), None, "PCMU", turns or Turns())


def sent(kind: Sends, seconds: float, **more: Any) -> list[bytes]:
    return list(islice(played(kind, **more), round(seconds * 50)))


def test_silence_is_silent_and_a_machine_asks_for_a_message() -> None:
    assert level(sent("silence", 5)) < 20
    machine = sent("machine", 5)
    matcher = PromptMatcher((MACHINE,))
    assert [match.name for match in matcher.feed(said(machine))] == [MACHINE]
    spectrum = np.abs(np.fft.rfft(said(machine)[round(1.55 * 8000) : round(1.75 * 8000)]))
    assert np.argmax(spectrum) / 0.2 == pytest.approx(1000, abs=20), "then the tone"
    assert level(machine[110:]) < 20, "then it listens"


def test_speech_greets_and_then_waits() -> None:
    speech = sent("speech", 6)
    assert [match.name for match in PromptMatcher((GREETING, ANSWER)).feed(said(speech))] == [GREETING]
    assert level(speech[100:]) < 20
    assert level(sent("speech", 6, greeting_s=5.0)[200:245]) > 100, "a long greeting"


def test_the_caller_is_answered_once_finished() -> None:
    turns, heard = Turns(), []
    made = played("speech", turns)
    for frame in frames_of(np.concatenate([np.zeros(16000, np.int16), SPEECH, np.zeros(24000, np.int16)])):
        turns.hear(frame, mark_present=False)
        heard.append(next(made))
    matches = PromptMatcher((GREETING, ANSWER)).feed(said(heard))
    assert [match.name for match in matches] == [GREETING, ANSWER]
    assert matches[1].began > 2 + len(SPEECH) / 8000, "not before the caller was done"


@pytest.mark.parametrize("interruptible", [True, False])
def test_only_an_interruptible_assistant_falls_silent(interruptible: bool) -> None:
    turns = Turns()
    made = played("speech", turns, greeting_s=10, interruptible=interruptible)
    after = []
    for frame in frames_of(np.tile(SPEECH, 3)):
        turns.hear(frame, mark_present=False)
        after.append(next(made))
    assert (level(after[60:100]) < 20) is interruptible


def test_a_mark_is_no_speech() -> None:
    turns = Turns()
    for number, frame in enumerate(frames_of(np.tile(MARK, 40))):
        turns.hear(frame, mark_present=number >= 10)  # recognised within 200 ms
        assert not turns.caller_speaks
    for frame in frames_of(SPEECH):
        turns.hear(frame, mark_present=False)
    assert turns.caller_speaks
