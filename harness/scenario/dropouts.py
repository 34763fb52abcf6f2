"""Pauses of a stream amid one voice: nobody who speaks without a pause, as a mark does, is silent then."""

from __future__ import annotations

from typing import Final

from harness.audio.marks import VOICES
from harness.events import MarkHeard, RtpPaused
from harness.phone.leg import Leg

#: A mark is said again every 200 ms, and known a little later.
_NEAR_S: Final = 1.0


def amid_a_voice(leg: Leg) -> list[RtpPaused]:
    """The pauses that nothing announced with one voice alone heard around them, before each and behind it."""
    events = leg.events
    marks = [event for event in events if isinstance(event, MarkHeard)]
    return [event for event in events if isinstance(event, RtpPaused) and _is_amid(event, marks)]


def _is_amid(pause: RtpPaused, marks: list[MarkHeard]) -> bool:
    before = {_speaker(mark) for mark in marks if pause.began - _NEAR_S <= mark.at <= pause.began}
    behind = {_speaker(mark) for mark in marks if pause.ended <= mark.at <= pause.ended + _NEAR_S}
    return len(before) == 1 and before == behind


def _speaker(heard: MarkHeard) -> int:
    return min(heard.mark, VOICES.start)  # an AI says its own voice and what it hears by turns
