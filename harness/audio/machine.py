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
#: What is over for so long, and nothing like it has followed: longer than the pauses of any busy tone (ITU-T E.180).
_OVER_S: Final = 1.0
#: Who takes a message listens: for so long after the tone it says nothing, and does not hang up. A notice that ends in a tone does.
_LISTENS_S: Final = 3.0
#: What lasts so long is known to be a tone, or to be none.
_KNOWN_S: Final = 0.6
#: A machine may beep twice; what comes three times is a rhythm, of a PBX's own maybe.
_MOST_BEEPS: Final = 2
_TONES: Final = frozenset({"tone", "busy", "ringback", "dial", "sit", "fax", "dtmf"})


def message_asked_in(audio: NDArray[np.int16]) -> tuple[float, float] | None:
    """When a machine spoke and its tone began, in seconds of ``audio`` (received, 8 kHz); None where there is no such thing.

    A greeting right behind a queue's music is one sound with it: then the last of that sound tells.
    """
    spans = classify(audio)
    if asked := asks_for_message(spans, _LISTENS_S):
        return asked
    loud = [span for span in spans if span.kind != "silence"]
    for before, tone in pairwise(loud):
        if before.kind == "music" and tone.kind == "tone" and tone.began - before.ended < _BEHIND_S:
            begin = max(before.began, before.ended - _LAST_S)
            last = classify(audio[round(begin * SAMPLE_RATE) :])
            if asked := asks_for_message(last, _LISTENS_S):
                return begin + asked[0], begin + asked[1]
    return None


def last_sound(audio: NDArray[np.int16]) -> float:
    """When the last sound of ``audio`` (received, 8 kHz) ended, in seconds of it; 0 where all is silent."""
    return max((span.ended for span in classify(audio) if span.kind != "silence"), default=0.0)


def asks_for_message(spans: Sequence[Span], listens_s: float = _OVER_S) -> tuple[float, float] | None:
    """The same of what audio was classified as, where it goes on for ``listens_s`` after the tone, and nobody speaks then."""
    speech = [span for span in spans if span.kind == "speech" and span.ended - span.began > _WORD_S]
    if not speech or any(span.kind == "sit" for span in spans):  # these say that there is nobody (ITU-T E.180)
        return None
    first, last = speech[0], spans[-1]
    may_be_tone = last.kind != "silence" and last.ended - last.began < _KNOWN_S
    until = last.began if may_be_tone else last.ended
    for run in _runs_of_tones([span for span in spans if span.began > first.began]):
        over = run[-1].ended
        speaks_on = any(over <= span.began < over + listens_s for span in speech)
        if _is_beep(run) and until - over >= listens_s and not speaks_on:
            return first.began, run[-1].began
    return None


def _runs_of_tones(spans: Sequence[Span]) -> list[list[Span]]:
    """The tones, those together that follow each other as the tones of a rhythm do."""
    runs: list[list[Span]] = []
    for span in spans:
        if span.kind not in _TONES:
            continue
        if runs and span.began - runs[-1][-1].ended < _OVER_S:
            runs[-1].append(span)
        else:
            runs.append([span])
    return runs


def _is_beep(run: Sequence[Span]) -> bool:
    """Whether tones may ask for a message: those of a busy or ringing tone go on."""
    return len(run) <= _MOST_BEEPS and all(span.kind == "tone" for span in run)
