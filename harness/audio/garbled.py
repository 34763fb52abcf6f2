"""Whether a sound can be a voice, music or a tone at all, or is what a payload sounds like that was read as another codec's."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_FRAME: Final = 160  # samples, of 20 ms at 8 kHz
_AUDIBLE_DBOV: Final = -45.0
_ENOUGH: Final = 15  # audible frames
#: Telephone channels carry nothing below 200 Hz worth speaking of (ITU-T G.712 section 3); octets read wrongly do not keep to that.
_MOST_DC: Final = 0.5
#: Spectral flatness: speech and music stay below 0.1, white noise has 0.56.
_MOST_FLAT: Final = 0.35


def is_garbled(samples: NDArray[np.int16]) -> bool:
    """Whether most of what is audible in these samples (8 kHz) is noise or an offset; False where too little is audible."""
    loud = _audible(samples)
    if len(loud) < _ENOUGH:
        return False
    offset = np.square(loud.mean(axis=1)) / np.square(loud).mean(axis=1)
    spectrum = np.square(np.abs(np.fft.rfft(loud * np.hanning(_FRAME), axis=1)))[:, 5:70] + 1e-9
    flatness = np.exp(np.log(spectrum).mean(axis=1)) / spectrum.mean(axis=1)
    return bool(np.mean((offset > _MOST_DC) | (flatness > _MOST_FLAT)) > 0.5)


def audible_s(samples: NDArray[np.int16]) -> float:
    """How many seconds of these samples (8 kHz) can be heard."""
    return len(_audible(samples)) * _FRAME / 8000


def _audible(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME).astype(np.float64)
    power = np.square(frames).mean(axis=1)
    loud: NDArray[np.float64] = frames[10 * np.log10(power / 32768.0**2 + 1e-12) > _AUDIBLE_DBOV]
    return loud
