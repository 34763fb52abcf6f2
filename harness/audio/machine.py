"""A machine that answers: it speaks, and then asks for a message with a tone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.classify import Span, classify
from harness.audio.marks import SAMPLE_RATE

#: A word; anything shorter may be a click.
_WORD_S: Final = 0.4
#: A tone comes so soon after what it belongs to.
_BEHIND_S: Final = 0.5
#: So much before the tone says what spoke last.
_LAST_S: Final = 1.0


def message_asked_in(audio: NDArray[np.int16]) -> tuple[float, float] | None:
    """When a machine spoke and its tone began, in seconds of ``audio`` (received, 8 kHz); None where there is no such thing.

    A greeting right behind a queue's music is one sound with it: then the last of that sound tells.
    """
    spans = classify(audio)
    if asked := asks_for_message(spans):
        return asked
    loud = [span for span in spans if span.kind != "silence"]
    for before, tone in pairwise(loud):
        if before.kind == "music" and tone.kind == "tone" and tone.began - before.ended < _BEHIND_S:
            begin = max(before.began, before.ended - _LAST_S)
            last = classify(audio[round(begin * SAMPLE_RATE) : round(tone.ended * SAMPLE_RATE)])
            if asked := asks_for_message(last):
                return begin + asked[0], begin + asked[1]
    return None


def last_sound(audio: NDArray[np.int16]) -> float:
    """When the last sound of ``audio`` (received, 8 kHz) ended, in seconds of it; 0 where all is silent."""
    return max((span.ended for span in classify(audio) if span.kind != "silence"), default=0.0)


def asks_for_message(spans: Sequence[Span]) -> tuple[float, float] | None:
    """The same of what audio was classified as."""
    speech = next((span for span in spans if span.kind == "speech" and span.ended - span.began > _WORD_S), None)
    if speech is None:
        return None
    tone = next((span for span in spans if span.kind == "tone" and span.began > speech.began), None)
    return None if tone is None else (speech.began, tone.began)
