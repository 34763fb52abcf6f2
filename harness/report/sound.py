"""Recordings as something a browser plays from inside a page.

MP3, not Opus: libsndfile takes 6 ms for 4 s of a leg where Opus takes 25 ms (one core, 8 kHz), the file is smaller (7 KB to
11 KB), and every browser plays it, Safari before 18.4 included. The WAV stays beside it for those who measure.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path

import soundfile

from harness.audio.wav import WavError, read_wav
from harness.support.files import user_files, whole_file


def mp3(wav: Path) -> bytes | None:
    """The recording as MP3; None when there is nothing in it, or it is no sound file (a killed phone leaves such)."""
    try:
        samples, rate = read_wav(wav)
    except WavError:
        return None
    if not len(samples):
        return None
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="MP3", subtype="MPEG_LAYER_III")
    return buffer.getvalue()


def data_uri(wav: Path) -> str | None:
    """The recording as a ``data:`` URI; made once, and kept beside the WAV for the next report."""
    kept = wav.with_suffix(".mp3")
    try:
        raw: bytes | None = user_files.read(kept, user_files.EVIDENCE)
    except FileNotFoundError:
        raw = mp3(wav)
        if raw is None:
            return None
        whole_file.write(kept, raw)
    return "data:audio/mpeg;base64," + base64.b64encode(raw or b"").decode("ascii")
