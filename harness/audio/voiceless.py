"""Whether received audio contains no voice: only noise, or tones by which the network reports the state of a call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.audio.classify import Span, classify
from harness.audio.describe import TONES, HeardDescription
from harness.audio.garbled import is_garbled

#: The largest share of audio that may be something else than a tone. Of speech or music, at most half is taken for tones.
_MOST_ELSE = 0.1


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
