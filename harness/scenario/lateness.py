"""How late a voice arrives: by the first of it, and by a second look before anybody is blamed.

A busy machine makes a first sound late as well as a slow network does. So a voice that came too late is interrupted and begun
again, at a moment that is known: a slow path is slow each time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable

from harness.calls.checks import quality
from harness.calls.measurement import Direction
from harness.calls.verdict import Finding, Strength
from harness.phone.protocol import Mark, Silence
from harness.scenario.context import CaseContext
from harness.scenario.end import End
from harness.scenario.ends import Call

#: How long a speaker is silent before it is begun again: more than any delay that is looked for.
_SILENCE_S = 2.0
_WAIT_S = 2.5
#: How often each direction is tried again.
_LOOKS = 2

#: A harness that was kept from its work for less than this has not missed anything.
WORTH_WAITING_S = 0.1

Heard = tuple[Finding | None, End, End]


def judge(context: CaseContext, both: Iterable[Heard]) -> None:
    """Findings on the delay of each direction that one of our own phones heard for certain.

    Only our own ears: what a far end says of its own is as late as its saying so.
    """
    directions = list(both)
    limit = quality.MOST_DELAY_MS + quality.DECISION_MS
    for finding, speaker, listener in directions:
        if finding is None or finding.strength is not Strength.PROVED or not listener.is_ours:
            continue
        if not isinstance(finding.measured, Direction) or finding.measured.delay_ms is None:
            continue
        ms, again = finding.measured.delay_ms, None
        looks = [(finding.at - ms / 1000, finding.at)]
        if ms > limit:
            # Somebody else's far end speaks when it likes: there it is the way to it that can be tried.
            ways = [(one, other) for _, one, other in directions if one is speaker or not speaker.is_ours]
            again = _shortest(context, ways, limit, looks)
            if again is None:
                continue
        found = quality.delay(speaker.label, listener.label, ms, None if again == math.inf else again)
        late_s = (min(ms, ms if again is None else again) - limit) / 1000
        context.evidence.add_of_said(found, looks, late_s)


def _shortest(
    context: CaseContext, ways: list[tuple[End, End]], limit: float, looks: list[tuple[float, float]]
) -> float | None:
    """Of several new beginnings the one that arrived soonest, in milliseconds; the first within ``limit`` is enough.

    From when to when each was waited for is added to ``looks``.
    """
    shortest: float | None = None
    for _ in range(_LOOKS):
        for speaker, listener in ways:
            found = _again(context, speaker, listener)
            if found is not None:
                looks.append((time.monotonic() - min(found / 1000, _WAIT_S), time.monotonic()))
                shortest = found if shortest is None else min(shortest, found)
            if shortest is not None and shortest <= limit:
                return shortest
    return shortest


def _again(context: CaseContext, speaker: End, listener: End) -> float | None:
    """Milliseconds from a new beginning to its arrival, infinite where a phone of ours never heard it; None when nobody can try,
    or tell.
    """
    if not isinstance(speaker, Call) or speaker.is_over():
        return None
    with context.evidence.step(f"{speaker.label} falls silent, and speaks again"):
        speaker.leg.play(Silence())
        context.pause(_SILENCE_S)
        since = time.monotonic()
        speaker.leg.play(Mark())
        sound = listener.hears_mark(speaker, since, since + _WAIT_S)
        context.evidence.scripted(time.monotonic() - since + _SILENCE_S, "a second look at the delay")
    if sound is None:
        goes_on = isinstance(listener, Call) and not listener.is_over() and not speaker.is_over()
        return math.inf if goes_on else None
    return (sound.at - since) * 1000
