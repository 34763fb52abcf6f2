"""Whether an end hears its peer clearly and no other voice beneath: a search that not every call is worth.

The ear that runs with every call hears the strongest voice. Another call's at a tenth of its power, or an echo, is found by a
search that costs some tens of milliseconds of CPU, so the rows ask for it that promise it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Collection
from typing import Final

from harness.audio.marks import SAMPLE_RATE
from harness.audio.mixture import marks_in
from harness.calls.checks import audio, reach
from harness.calls.events import MarkHeard
from harness.phone.recording import ON_DISK_WITHIN_S
from harness.scenario.context import CaseContext
from harness.scenario.end import End
from harness.scenario.ends import SETTLE_S, Call

#: Looked at: enough for a mark to be found in several windows of 320 ms.
_WINDOW_S: Final = 0.8


def look(context: CaseContext, one: End, other: End) -> None:
    """A finding for each end that is a phone of ours; what is strange has to be heard a second time."""
    pairs = [(a, b) for a, b in ((one, other), (other, one)) if isinstance(a, Call)]
    with context.evidence.step(f"{' and '.join(listener.label for listener, _ in pairs)} hear nobody else"):
        since = max(end.answered_at() or 0.0 for end in (one, other))
        _wait(context, since + SETTLE_S + _WINDOW_S + ON_DISK_WITHIN_S)
        for listener, _ in pairs:
            ended = listener.released_at(0.0)
            context.evidence.add(
                reach.up(listener.label, None if ended is None else ended - (listener.answered_at() or ended))
            )
        if any(listener.is_over() for listener, _ in pairs):
            return
        heard = {listener: _marks(listener) for listener, _ in pairs}
        if any(context.calls.strange(listener.leg, marks) for listener, marks in heard.items()):
            _wait(context, time.monotonic() + _WINDOW_S)
            again = {listener: _marks(listener) for listener, _ in pairs}
            heard = {listener: marks & again[listener] for listener, marks in heard.items()}
        for listener, speaker in pairs:
            context.evidence.add(context.calls.crossing(listener.leg, sorted(heard[listener])))
            _level(context, speaker, listener)


def beneath(context: CaseContext, listener: Call, voices: Collection[int], since: float) -> set[int]:
    """Those of ``voices`` that an end hears after ``since``, be it beneath the strongest; each has to be heard a second time."""
    with context.evidence.step(f"{listener.label} is searched for what is heard beneath"):
        _wait(context, since + _WINDOW_S + ON_DISK_WITHIN_S)
        found = _marks(listener).intersection(voices)
        if found:
            _wait(context, time.monotonic() + _WINDOW_S)
            found &= _marks(listener)
        return found


def _wait(context: CaseContext, until: float) -> None:
    seconds = until - time.monotonic()
    if seconds > 0:
        context.pause(seconds)
        context.evidence.scripted(seconds, "a deeper look at what is heard")


def _marks(call: Call) -> set[int]:
    samples = call.leg.received_since(time.monotonic() - _WINDOW_S - ON_DISK_WITHIN_S)
    return {fact.mark for fact in marks_in(samples[: round(_WINDOW_S * SAMPLE_RATE)])}


def _level(context: CaseContext, speaker: End, listener: Call) -> None:
    voices = speaker.voices_for(listener)
    levels = [e.level_dbov for e in listener.leg.events if isinstance(e, MarkHeard) and e.mark in voices]
    if levels:
        context.evidence.add(audio.level(speaker.label, listener.label, statistics.median(levels)))
