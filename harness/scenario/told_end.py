"""When a call ended, by an interface that is asked again and again, and takes its time to answer."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from harness.scenario.context import CaseContext
from harness.witness.synthflow import SynthflowApi


@dataclass(frozen=True, slots=True)
class ToldEnd:
    """A call ended at that moment (``time.monotonic()``), or as much earlier as there is doubt."""

    at: float
    doubt_s: float = 0.0


def told_end(
    context: CaseContext,
    api: SynthflowApi,
    is_over: Callable[[], bool | None],
    moment: Callable[[], float | None],
    deadline: float,
) -> ToldEnd | None:
    """The end of a call; None where a look that began at ``deadline`` or later shows none, or ``api`` is down.

    ``is_over`` looks once (None: it could not), ``moment`` gives what the interface then says of the time. Where it says
    nothing, the call ended after the last look began that showed it up, and before the first came back that did not.
    """
    up_at = -math.inf
    while True:
        asked = time.monotonic()
        found = is_over()
        if found:
            at, seen = moment(), time.monotonic()
            return ToldEnd(seen, seen - up_at) if at is None else ToldEnd(at)
        if found is False:
            up_at = asked
        if asked >= deadline or api.is_down:
            return None
        context.pause(context.far_end.poll_s)
