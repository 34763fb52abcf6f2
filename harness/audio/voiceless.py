"""Whether all that arrives is nobody's: noise, or the tones by which a network says how a call is getting on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.audio.classify import Span, classify
from harness.audio.describe import TONES, HeardDescription
from harness.audio.garbled import is_garbled

#: The share of what is heard that may be no tone; of speech and music, a second or more of it, under half is one.
_MOST_ELSE = 0.1


def voiceless(samples: NDArray[np.int16]) -> HeardDescription | None:
    """What is heard in these samples (8 kHz), where it is no voice and no music; None where it may be one, or nothing is heard."""
    if is_garbled(samples):
        return HeardDescription("noise", "noise, as of a payload that is not of the codec agreed on", None, ())
    if not (tones := _tones_alone(samples)):
        return None
    longest = max(tones, key=lambda span: span.ended - span.began)
    words = f"{TONES[longest.kind]} from {tones[0].began:.2f} s ({longest.detail})"
    return HeardDescription("tone", words, tones[0].began, ())


def is_ringing(samples: NDArray[np.int16]) -> bool:
    """Whether all that is heard says that somebody is being called (ITU-T E.180)."""
    return any(span.kind == "ringback" for span in _tones_alone(samples))


def _tones_alone(samples: NDArray[np.int16]) -> Sequence[Span]:
    heard = [span for span in classify(samples) if span.kind != "silence"]
    tones = [span for span in heard if span.kind in TONES]
    return tones if _seconds(tones) > (1 - _MOST_ELSE) * _seconds(heard) else ()


def _seconds(spans: Iterable[Span]) -> float:
    return sum(span.ended - span.began for span in spans)
