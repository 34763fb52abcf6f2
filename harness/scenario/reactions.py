"""An AI that names no marks: whether it is speaking, so that nobody speaks over it."""

from __future__ import annotations

import time
from typing import Final

from harness.events import Event, Listened, MarkHeard
from harness.phone.leg import Leg
from harness.phone.waiter import NeverCame

#: Speech is louder (ITU-T P.56 puts its active level on telephone lines at -26 dBov), comfort noise is not.
SOUND_DBOV: Final = -45.0
#: A pause between two sentences, not between two words.
PAUSE_S: Final = 0.6
#: Whoever speaks longer without a pause is spoken over.
PAUSES_WITHIN_S: Final = 10.0
_RECOGNISED_S: Final = 0.4  # a mark is said again every 200 ms


def wait_for_pause(leg: Leg, within: float = PAUSES_WITHIN_S) -> bool:
    """Until the far end is not speaking; False when it did not stop. A mark is no speech: nobody waits for its end."""
    silent_since: float | None = None

    def pauses(event: Event) -> bool:
        nonlocal silent_since
        if not isinstance(event, Listened):
            return False
        if event.level_dbov > SOUND_DBOV and not _is_mark(leg, event.at):
            silent_since = None
        elif silent_since is None:
            silent_since = event.at
        return (
            silent_since is not None and event.at - silent_since >= PAUSE_S - 0.2
        )  # a pulse speaks for 200 ms before it

    try:
        leg.wait("a pause of the far end", pauses, within, since=time.monotonic() - PAUSE_S)
    except NeverCame:
        return False
    return True


def _is_mark(leg: Leg, at: float) -> bool:
    return any(isinstance(event, MarkHeard) and abs(event.at - at) <= _RECOGNISED_S for event in leg.events)
