from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from harness.audio import g711
from harness.audio.prompts import (
    DIRECTORY,
    Matched,
    PromptError,
    PromptMatcher,
    find_prompts,
    prompt_path,
    prompt_samples,
    prompt_text,
)
from harness.support.resources import prompt_names

from .sounds import Samples, join, mark, mix, noise, silence


def test_manifest_and_files_agree() -> None:
    manifest = json.loads((DIRECTORY / "manifest.json").read_text("utf-8"))["prompts"]
    assert {path.stem for path in DIRECTORY.glob("*.wav")} == set(manifest)
    for name, entry in manifest.items():
        assert hashlib.sha256(prompt_path(name).read_bytes()).hexdigest() == entry["sha256"]
        assert 0.5 < len(prompt_samples(name)) / 8000 == pytest.approx(entry["seconds"], abs=1e-3)
        assert entry["seconds"] <= 1.5
        assert prompt_text(name)


def test_an_unknown_prompt_is_named_with_those_there_are() -> None:
    with pytest.raises(PromptError, match="agent-please-en"):
        prompt_path("agent-please")


def feed(audio: Samples, names: tuple[str, ...]) -> list[tuple[Matched, float]]:
    matcher = PromptMatcher(names)
    return [
        (match, (at + 160) / 8000)
        for at in range(0, len(audio), 160)
        for match in matcher.feed(audio[at : at + 160])
    ]


@pytest.mark.parametrize("name", prompt_names())
def test_each_is_found_among_all_and_soon(name: str) -> None:
    audio = join(silence(0.613), prompt_samples(name), silence(0.5))
    audio = g711.decode_alaw(
        g711.encode_alaw(mix((audio // 4).astype(np.int16), noise(len(audio) / 8000, -50)))
    )
    ((match, when),) = feed(audio, prompt_names())
    assert match.name == name
    assert match.began == pytest.approx(0.613, abs=0.001)
    assert when - match.ended <= 0.15
    assert match.score > 0.8


def test_with_lost_packets() -> None:
    audio = join(silence(0.4), prompt_samples("agent-please-en"), silence(0.4)).copy()
    for packet in (25, 40, 41, 60, 75):
        audio[packet * 160 : (packet + 1) * 160] = 0
    ((match, _),) = feed(audio, prompt_names())
    assert match.name == "agent-please-en"


def test_said_twice_is_found_twice() -> None:
    audio = join(prompt_samples("hello-en"), silence(0.8), prompt_samples("hello-en"))
    assert [match.name for match in find_prompts(audio, ["hello-en"])] == ["hello-en"] * 2


def test_others_and_marks_and_noise_are_not_it() -> None:
    others = [prompt_samples(name) for name in prompt_names() if name != "agent-please-en"]
    assert find_prompts(join(*others, mark(5, 2.0), noise(2.0, -20)), ["agent-please-en"]) == []
