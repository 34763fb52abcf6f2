"""Make the spoken prompts: ``python audio_fixtures/make_prompts.py`` (``--check``: make them and
compare, write nothing).

espeak-ng comes with the developers' dependencies, pinned. The WAVs are committed all the same,
because a prompt has to be the same sound everywhere, and users of the harness have no espeak-ng.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.audio.wav import write_wav
from tools.accuracy.speech import speak

PROMPTS = Path(__file__).parent / "prompts"
RATE = 8000
LEVEL_DBOV = -22.0  # active speech on a telephone line (ITU-T P.56 practice is -26 to -20)

#: name: (espeak-ng voice, words per minute, text)
TEXTS = {
    "agent-please-en": ("en-us", 165, "An agent, please."),
    "agent-please-es": ("es", 172, "Un agente, por favor."),
    "agent-please-fr": ("fr", 165, "Un agent, s'il vous plaît."),
    "agent-please-de": ("de", 165, "Einen Mitarbeiter, bitte."),
    "hello-en": ("en-us", 165, "Hello, who is there?"),
    "goodbye-en": ("en-us", 165, "Goodbye, thank you."),
    "how-can-i-help-en": ("en-us+f3", 170, "How can I help you?"),
    "connecting-you-en": ("en-us+f3", 170, "I am connecting you now."),
    "announcement-not-in-service-en": ("en-gb-x-rp", 185, "This number is not in service."),
    "voicemail-greeting-en": ("en-gb-x-rp+f2", 185, "Leave a message after the tone."),
}


def main() -> int:
    """Make or check; returns the exit code."""
    directory, manifest_path = PROMPTS, PROMPTS / "manifest.json"
    if "--check" in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as scratch:
            return _compare(_make(Path(scratch)), json.loads(manifest_path.read_text("utf-8")))
    directory.mkdir(exist_ok=True)
    manifest_path.write_text(
        json.dumps(_make(directory), indent=2, ensure_ascii=False) + "\n", "utf-8"
    )
    return 0


def _make(directory: Path) -> dict[str, Any]:
    prompts = {}
    for name, (voice, speed, text) in TEXTS.items():
        path = directory / f"{name}.wav"
        samples = _prompt(voice, speed, text)
        write_wav(path, samples, RATE)
        prompts[name] = {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "text": text,
            "voice": voice,
            "seconds": round(len(samples) / RATE, 3),
        }
    version = importlib.metadata.version("espeakng-loader")
    return {"made_by": f"eSpeak NG 1.52.0 of espeakng-loader {version}", "prompts": prompts}


def _prompt(voice: str, speed: int, text: str) -> NDArray[np.int16]:
    audio = speak(text, voice, words_per_minute=speed).astype(np.float64)
    loud = np.flatnonzero(np.abs(audio) > 0.01 * np.abs(audio).max())
    audio = audio[max(0, loud[0] - 80) : loud[-1] + 240]
    audio *= 32768 * 10 ** (LEVEL_DBOV / 20) / np.sqrt(np.mean(audio**2))
    return np.clip(np.rint(audio), -32768, 32767).astype(np.int16)


def _compare(made: dict[str, Any], manifest: dict[str, Any]) -> int:
    committed = {
        path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in PROMPTS.glob("*.wav")
    }
    wrong = sorted(
        name
        for name in committed.keys() | made["prompts"].keys() | manifest["prompts"].keys()
        if len(
            {
                committed.get(name),
                *(entry["prompts"].get(name, {}).get("sha256") for entry in (made, manifest)),
            }
        )
        > 1
    )
    for name in wrong:
        print(
            f"{name}: the file, the manifest and what the script makes are not the same",
            file=sys.stderr,
        )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
