"""A machine that answers: it speaks, and then asks for a message with a tone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.classify import SILENT_DBOV, Span, Tone, classify, is_sure, tones_in
from harness.audio.marks import SAMPLE_RATE
from harness.audio.samples import levels

#: A word; anything shorter may be a click.
_WORD_S: Final = 0.4
#: What is over for so long, and nothing like it has followed: longer than the pauses of any busy
#: tone (ITU-T E.180).
_OVER_S: Final = 1.0
#: A machine that takes a message is silent for this time after the tone, and stays in the call. A
#: notice that ends in a tone does not.
_LISTENS_S: Final = 3.0
#: A beep may be as one ring of a ringing tone, whose next comes within 5 s or so (ITU-T E.180), or
#: as a calling fax's tone, which comes every 3 s (ITU-T T.30).
_ONE_RING_S: Final = 2.1
_COMES_AGAIN_S: Final = 5.5
#: A sound of this length is reliably classified as tone or not.
_KNOWN_S: Final = 0.6
#: A machine may beep twice; three beeps are a rhythm, perhaps of a PBX.
_MOST_BEEPS: Final = 2
#: Tones of the same frequency within this time belong to one rhythm.
_ALIKE_HZ: Final = 25.0
_RHYTHM_S: Final = 6.5
#: Of the last sound: a frame, how near its end a tone ends, and how quiet the pause before it is
#: beside it.
_FRAME_S: Final = 0.02
_EDGE_S: Final = 0.061
_PAUSE_DB: Final = 20.0
_TONES: Final = frozenset({"tone", "busy", "ringback", "dial", "sit", "fax", "dtmf"})


def message_asked_in(audio: NDArray[np.int16]) -> tuple[float, float] | None:
    """When a machine spoke and its tone began, in seconds of ``audio`` (received, 8 kHz); None
    where there is no such thing.
    """
    tones = tones_in(audio)
    spans = _with_last_tone(audio, classify(audio), tones)
    asked = asks_for_message(spans, _LISTENS_S)
    if asked is None or _is_of_a_rhythm(asked[1], tones):
        return None
    return asked


def announcement_in(audio: NDArray[np.int16], *, is_over: bool) -> tuple[float, None] | None:
    """When a voice began to speak, in seconds of ``audio``; None where none does or may yet turn
    out to be music, or after a special information tone.

    ``is_over``: no more audio will come, and so what was said is a sentence.
    """
    spans = classify(audio)
    if any(span.kind == "sit" for span in spans):  # no party (ITU-T E.180)
        return None
    if not is_over and not is_sure(spans):
        return None
    speech = _speech(spans)
    return (speech[0].began, None) if speech else None


def _speech(spans: Sequence[Span]) -> list[Span]:
    return [span for span in spans if span.kind == "speech" and span.seconds > _WORD_S]


def _with_last_tone(
    audio: NDArray[np.int16], spans: Sequence[Span], tones: Sequence[Tone]
) -> Sequence[Span]:
    """The spans, with a tone for itself that is the last sound: so short that it was taken for the
    end of what was said before.
    """
    level = levels(audio)
    loud = np.flatnonzero(level > SILENT_DBOV)
    if not len(loud) or not tones:
        return spans
    tone, over = tones[-1], float(loud[-1] + 1) * _FRAME_S
    is_known = any(span.kind in _TONES and span.ended > tone.began for span in spans)
    if is_known or over - tone.ended > _EDGE_S:
        return spans
    first = round(tone.began / _FRAME_S)
    pause = level[max(0, first - 4) : max(0, first - 1)]
    loudest = level[min(first, loud[-1]) :].max()
    if not len(pause) or pause.max() > loudest - _PAUSE_DB:
        return spans  # a voice may hold one for as long
    before = [span for span in spans if span.began < tone.began]
    return [
        *(replace(span, ended=min(span.ended, tone.began)) for span in before),
        Span("tone", tone.began, over),
        Span("silence", over, len(audio) / SAMPLE_RATE),
    ]


def _is_of_a_rhythm(at: float, tones: Sequence[Tone]) -> bool:
    """Whether the tone that begins then comes too often for a beep, however short it is."""
    one = min(tones, key=lambda tone: abs(tone.began - at))
    near = [tone for tone in tones if abs(tone.began - at) < _RHYTHM_S]
    alike = [tone for tone in near if abs(tone.hz - one.hz) < _ALIKE_HZ]
    return len(alike) > _MOST_BEEPS


def last_sound(audio: NDArray[np.int16]) -> float:
    """When the last sound of ``audio`` (received, 8 kHz) ended, in seconds of it; 0 where all is
    silent.
    """
    return max((span.ended for span in classify(audio) if span.kind != "silence"), default=0.0)


def asks_for_message(
    spans: Sequence[Span], listens_s: float = _OVER_S
) -> tuple[float, float] | None:
    """As above, for classified audio that continues for ``listens_s`` after the tone without
    speech.
    """
    speech = _speech(spans)
    if not speech or any(span.kind == "sit" for span in spans):
        return None  # after a special information tone there is no party (ITU-T E.180)
    first, last = speech[0], spans[-1]
    may_be_tone = last.kind != "silence" and last.seconds < _KNOWN_S
    until = last.began if may_be_tone else last.ended
    for run in _runs_of_tones([span for span in spans if span.began > first.began]):
        over, again = run[-1].ended, _may_come_again(run)
        quiet_s = max(listens_s, _COMES_AGAIN_S) if again else listens_s
        if until - over < quiet_s or not (again or _is_beep(run)):
            continue
        if not any(over <= span.began < over + quiet_s for span in speech):
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


def _may_come_again(run: Sequence[Span]) -> bool:
    """Whether it may be the first of a ringing tone, or of a fax machine's, and is a beep only when
    no other follows.
    """
    if len(run) != 1:
        return False
    return run[0].kind in ("ringback", "fax") and run[0].seconds < _ONE_RING_S
