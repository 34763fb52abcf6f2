"""Pauses of a stream amid one voice: nobody who speaks without a pause, as a mark does, is silent then.

Where the media is negotiated anew meanwhile (RFC 3264 section 8), it is the change that pauses, and it may.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from harness.audio.marks import VOICES
from harness.calls.events import LONGEST_DROPOUT_S, MarkHeard, MediaState, RtpPaused
from harness.phone.leg import Leg

#: A mark is said again every 200 ms, and known a little later.
_NEAR_S: Final = 1.0
#: What flows for less than this between two pauses flows not at all: its source stood still, and stirred.
_FLOWS_S: Final = 0.1
#: So near to a pause an offer and its answer are told that it belongs to.
_CHANGES_S: Final = 0.3


def amid_a_voice(leg: Leg) -> list[RtpPaused]:
    """The pauses that nothing announced with one voice alone heard around them, before each and behind it."""
    events = leg.events
    marks = [event for event in events if isinstance(event, MarkHeard)]
    pauses = _joined(event for event in events if isinstance(event, RtpPaused))
    changes = [event.at for event in events if isinstance(event, MediaState)]
    short = [pause for pause in pauses if pause.ended - pause.began < LONGEST_DROPOUT_S]
    return [pause for pause in short if _is_amid(pause, marks) and not _is_of_a_change(pause, changes)]


def _joined(pauses: Iterable[RtpPaused]) -> list[RtpPaused]:
    """The pauses by time, those with nothing to speak of between them as one."""
    found: list[RtpPaused] = []
    for pause in sorted(pauses, key=lambda pause: pause.began):
        if found and pause.began - found[-1].ended < _FLOWS_S:
            found[-1] = replace(pause, began=found[-1].began)
        else:
            found.append(pause)
    return found


def _is_amid(pause: RtpPaused, marks: list[MarkHeard]) -> bool:
    before = {_speaker(mark) for mark in marks if pause.began - _NEAR_S <= mark.at <= pause.began}
    behind = {_speaker(mark) for mark in marks if pause.ended <= mark.at <= pause.ended + _NEAR_S}
    return len(before) == 1 and before == behind


def _is_of_a_change(pause: RtpPaused, changes: Iterable[float]) -> bool:
    return any(pause.began - _CHANGES_S <= at <= pause.ended + _CHANGES_S for at in changes)


def _speaker(heard: MarkHeard) -> int:
    return min(heard.mark, VOICES.start)  # an AI says its own voice and what it hears by turns
