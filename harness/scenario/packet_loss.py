"""A voice is recognised within a few packets, too few to say how many get lost: where some are missing, a longer look."""

from __future__ import annotations

from collections.abc import Iterable

from harness.calls.checks import quality
from harness.calls.events import PACKET_S
from harness.scenario.context import CaseContext
from harness.scenario.end import End
from harness.scenario.ends import Call


def look_longer(context: CaseContext, ends: Iterable[End]) -> None:
    """Let the call go on until enough packets came, if any is missing at an end of ours; the case's end judges them."""
    calls = [end for end in ends if isinstance(end, Call) and not end.is_over()]
    missing = [call.label for call in calls if (told := call.leg.statistics()) and quality.is_open(told)]
    if missing:
        with context.evidence.step(f"RTP packets to {' and '.join(missing)} are missing: a longer look"):
            seconds = quality.ENOUGH_PACKETS * PACKET_S
            context.pause(seconds)
            context.evidence.scripted(seconds, "a longer look at what is lost")
