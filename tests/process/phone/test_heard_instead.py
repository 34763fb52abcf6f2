"""What a failed direction says of a call in which somebody, or something, else is heard."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.audio.prompts import prompt_path
from harness.audio.tones import call_progress
from harness.audio.wav import to_int16, write_wav
from harness.calls.checks import audio
from harness.calls.events import Listened
from harness.calls.verdict import Strength
from harness.phone import Mark, Silence, Wav
from harness.phone.protocol import Source
from harness.scenario.call import Call
from tests.process.phone.conftest import Desk, connect

LISTENED_S = 2.5


def busy_tone(directory: Path) -> Wav:
    path = directory / "busy.wav"
    write_wav(path, to_int16(call_progress("us", "busy", 4.0)), 8000)
    return Wav(path)


def noise(directory: Path) -> Wav:
    path = directory / "noise.wav"
    write_wav(path, to_int16(np.random.default_rng(1).normal(0, 0.05, 32_000)), 8000)
    return Wav(path)


@pytest.mark.parametrize(
    ("instead", "kind", "what", "words"),
    [
        (
            lambda _: Wav(prompt_path("voicemail-greeting-en"), loop=True),
            "other",
            "voicemail",
            "a voicemail greeting, “",
        ),
        (
            lambda _: Wav(prompt_path("announcement-not-in-service-en"), loop=True),
            "other",
            "announcement",
            "an announcement, “",
        ),
        (busy_tone, "other", "tone", "busy tone from 0."),
        (noise, "other", "noise", "noise from 0."),
        (lambda _: Mark(), "crossed", "crossed", "crossed audio"),
        (lambda _: Silence(), "silence", "silence", "all silence"),
    ],
    ids=["voicemail", "announcement", "busy", "noise", "crossed", "silence"],
)
def test_it_is_named_with_its_time(lease: Desk, tmp_path: Path, instead: Any, kind: str, what: str, words: str) -> None:
    source: Source = instead(tmp_path)
    _, out = connect(lease("speaker"), lease("listener"), play=source)
    since = out.wait_state("confirmed", 10).at
    out.wait("enough to listen to", lambda e: isinstance(e, Listened) and e.at > since + LISTENED_S, 10)

    names = {out.mark: out.id}
    context: Any = SimpleNamespace(calls=SimpleNamespace(name_of_mark=names.get))
    here = Call(context, out, "caller")
    missing: Any = SimpleNamespace(voices_for=lambda _: {200})
    account = here.account(since, missing=missing)
    finding = audio.direction(
        "the AI",
        here.label,
        None,
        account,
        since=since,
        own={out.mark},
        least=Strength.PROVED,
        names=names,
        towards="caller",
    )

    assert account.instead is not None
    assert (finding.facts["kind"], account.instead.what) == (kind, what)
    assert words in finding.actual
