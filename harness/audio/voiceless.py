"""Whether received audio contains no voice: tones by which the network reports the state of a call, noise, or a misread payload."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.classify import Span, classify
from harness.audio.describe import TONES, HeardDescription

#: The largest share of audio that may be something else than a tone. Of speech or music, at most half is taken for tones.
_MOST_ELSE: Final = 0.1
_FRAME: Final = 160  # samples, of 20 ms at 8 kHz
_AUDIBLE_DBOV: Final = -45.0
_ENOUGH: Final = 15  # audible frames
#: Telephone channels carry nothing below 200 Hz worth speaking of (ITU-T G.712 section 3); octets read wrongly do not keep to that.
_MOST_DC: Final = 0.5
#: Spectral flatness: speech and music stay below 0.1, white noise has 0.56.
_MOST_FLAT: Final = 0.35


def voiceless(samples: NDArray[np.int16]) -> HeardDescription | None:
    """Describes the samples (8 kHz) if they contain neither voice nor music; None if they may, or if they are silent."""
    if is_garbled(samples):
        return HeardDescription("noise", "noise, as of a payload that is not of the codec agreed on", None, ())
    if not (tones := _tones_alone(samples)):
        return None
    longest = max(tones, key=lambda span: span.ended - span.began)
    words = f"{TONES[longest.kind]} from {tones[0].began:.2f} s ({longest.detail})"
    return HeardDescription("tone", words, tones[0].began, ())


def is_ringing(samples: NDArray[np.int16]) -> bool:
    """Whether the audio is a ringback tone (ITU-T E.180)."""
    return any(span.kind == "ringback" for span in _tones_alone(samples))


def _tones_alone(samples: NDArray[np.int16]) -> Sequence[Span]:
    heard = [span for span in classify(samples) if span.kind != "silence"]
    # A test tone does not count: the party that sends it has answered the call.
    tones = [span for span in heard if span.network]
    return tones if _seconds(tones) > (1 - _MOST_ELSE) * _seconds(heard) else ()


def _seconds(spans: Iterable[Span]) -> float:
    return sum(span.ended - span.began for span in spans)


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
