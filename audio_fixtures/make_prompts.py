"""Make the spoken prompts: ``python audio_fixtures/make_prompts.py`` (``--check``: only compare with the manifest).

Needs espeak-ng (Debian: ``apt-get install espeak-ng``). The WAVs are committed, because another version of espeak-ng
speaks a little differently and a prompt has to be the same sound everywhere; the manifest names the version that spoke.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from harness.audio.resample import resample
from harness.audio.wav import read_wav, write_wav

PROMPTS = Path(__file__).parent / "prompts"
RATE = 8000
LEVEL_DBOV = -22.0  # active speech on a telephone line (ITU-T P.56 practice is -26 to -20)

#: name: (espeak-ng voice, words per minute, text)
TEXTS = {
    "agent-please-en": ("en-us", 165, "An agent, please."),
    "agent-please-es": ("es", 172, "Un agente, por favor."),
    "agent-please-fr": ("fr-fr", 165, "Un agent, s'il vous plaît."),
    "agent-please-de": ("de", 165, "Einen Mitarbeiter, bitte."),
    "hello-en": ("en-us", 165, "Hello, who is there?"),
    "goodbye-en": ("en-us", 165, "Goodbye, thank you."),
    "how-can-i-help-en": ("en-us+f3", 170, "How can I help you?"),
    "connecting-you-en": ("en-us+f3", 170, "I am connecting you now."),
    "announcement-not-in-service-en": ("en-gb", 185, "This number is not in service."),
    "voicemail-greeting-en": ("en-gb+f2", 185, "Leave a message after the tone."),
}


def main() -> int:
    """Make or check; returns the exit code."""
    check = "--check" in sys.argv[1:]
    manifest_path = PROMPTS / "manifest.json"
    if check:
        return _check(json.loads(manifest_path.read_text("utf-8")))
    PROMPTS.mkdir(exist_ok=True)
    version = subprocess.run(["espeak-ng", "--version"], capture_output=True, text=True, check=True).stdout
    prompts = {}
    for name, (voice, speed, text) in TEXTS.items():
        path = PROMPTS / f"{name}.wav"
        samples = _speak(voice, speed, text)
        write_wav(path, samples, RATE)
        prompts[name] = {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "text": text,
            "voice": voice,
            "seconds": round(len(samples) / RATE, 3),
        }
        print(f"{name}: {prompts[name]['seconds']} s")
    manifest = {"made_by": version.split("  Data")[0].strip(), "prompts": prompts}
    manifest_path.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return 0


def _speak(voice: str, speed: int, text: str) -> np.ndarray:
    with tempfile.TemporaryDirectory() as directory:
        spoken = Path(directory) / "spoken.wav"
        subprocess.run(["espeak-ng", "-v", voice, "-s", str(speed), "-w", str(spoken), text], check=True)
        samples, rate = read_wav(spoken)
    audio = resample(samples, rate, RATE).astype(np.float64)
    loud = np.flatnonzero(np.abs(audio) > 0.01 * np.abs(audio).max())
    audio = audio[max(0, loud[0] - 80) : loud[-1] + 240]
    audio *= 32768 * 10 ** (LEVEL_DBOV / 20) / np.sqrt(np.mean(audio**2))
    return np.clip(np.rint(audio), -32768, 32767).astype(np.int16)


def _check(manifest: dict) -> int:
    wrong = [
        name
        for name, entry in manifest["prompts"].items()
        if hashlib.sha256((PROMPTS / f"{name}.wav").read_bytes()).hexdigest() != entry["sha256"]
    ]
    for name in wrong:
        print(f"{name}.wav differs from its hash in the manifest", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
