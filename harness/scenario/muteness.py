"""Whether a phone of the harness spoke at all: where it sent nothing, nobody else is to blame that it was not heard."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from harness.calls.checks.finding import mute
from harness.calls.events import MediaState, RtpStatistics
from harness.calls.verdict import Finding, Verdict
from harness.phone.leg import Leg
from harness.scenario.end import End
from harness.scenario.ends import Call

#: Shorter gaps lie in how the packets were counted, and no voice is missed for them.
_WORTH_TELLING_S: Final = 1.0


def blame_nobody(finding: Finding, ends: Iterable[End], since: float) -> Finding:
    """The finding that one end did not hear another after ``since``; broken where one of them, a phone of ours, stood still.

    A phone whose audio stands still neither speaks nor hears.
    """
    if finding.verdict is Verdict.FAILED:
        for call in (end for end in ends if isinstance(end, Call)):
            if (mute_s := longest_mute_s(call.leg, since)) >= _WORTH_TELLING_S:
                return mute(finding, call.label, mute_s)
    return finding


def longest_mute_s(leg: Leg, since: float) -> float:
    """For how long at a time, after ``since``, a leg whose media was to flow both ways made no RTP packet.

    pjmedia makes one for each frame, 20 to 60 ms of it, of silence as well (its detection of voices is off); none on hold.
    """
    leg.statistics()
    counted = [event for event in leg.events if isinstance(event, RtpStatistics) and event.at >= since]
    media = [event for event in leg.events if isinstance(event, MediaState)]
    longest, began = 0.0, None
    for one, two in pairwise(counted):
        if two.tx_offered != one.tx_offered or not _speaks(media, one.at, two.at):
            began = None
            continue
        began = one.at if began is None else began
        longest = max(longest, two.at - began)
    return longest


def _speaks(media: list[MediaState], begin: float, end: float) -> bool:
    """Whether it was to send all of that time."""
    before = [state for state in media if state.at <= begin]
    return (
        bool(before)
        and before[-1].active
        and before[-1].direction == "sendrecv"
        and not any(begin < state.at <= end for state in media)
    )
