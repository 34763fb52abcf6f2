"""A clock that goes on when somebody waits in vain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harness.calls.events import Event
from harness.phone.waiter import never_came
from tests.unit.clock import Clock


class WaitingClock(Clock):
    """A clock that goes on when somebody waits in vain."""

    def wait_event(
        self, made: Any, told: Sequence[Event], goal: str, wanted: Callable[[Event], bool], within: float
    ) -> Event:
        """The first wanted event of ``told``; the leg ``made`` has all that came until then."""
        for event in told:
            if event.at <= self.now + within and wanted(event):
                self.now = max(self.now, event.at)
                made.events = [one for one in told if one.at <= self.now]
                return event
        self.now += within
        raise never_came(goal, within, "caller.1", "nothing", "")
