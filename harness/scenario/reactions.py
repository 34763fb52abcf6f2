"""An AI that names no marks: whether it is speaking, and whether it reacts to what is said to it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.audio.speech import barge_in_ms, reaction_ms, speech_in
from harness.events import Event, Listened, MarkHeard
from harness.phone.waiter import NeverCame

if TYPE_CHECKING:
    from harness.scenario.ends import Call

#: Speech is louder (ITU-T P.56 puts its active level on telephone lines at -26 dBov), comfort noise is not.
SOUND_DBOV: Final = -45.0
#: A pause between two sentences, not between two words.
PAUSE_S: Final = 0.6
#: Whoever speaks longer without a pause is spoken over.
PAUSES_WITHIN_S: Final = 10.0
#: Later than this, what is said is no answer any more.
REACTS_WITHIN_S: Final = 2.5
#: So soon it stops when it is interrupted; later it had said what it had to say.
STOPS_WITHIN_S: Final = 1.5
_RECOGNISED_S: Final = 0.4  # a mark is said again every 200 ms


@dataclass(frozen=True, slots=True)
class Said:
    """Something that was said, from when to when (monotonic), and whether the far end was silent when it began."""

    began: float
    ended: float
    paused: bool


def wait_for_pause(call: Call, within: float = PAUSES_WITHIN_S) -> bool:
    """Until the far end is not speaking; False when it did not stop. A mark is no speech: nobody waits for its end."""
    silent_since: float | None = None

    def pauses(event: Event) -> bool:
        nonlocal silent_since
        if not isinstance(event, Listened):
            return False
        if event.level_dbov > SOUND_DBOV and not _is_mark(call, event.at):
            silent_since = None
        elif silent_since is None:
            silent_since = event.at
        return (
            silent_since is not None and event.at - silent_since >= PAUSE_S - 0.2
        )  # a pulse speaks for 200 ms before it

    try:
        call.leg.wait("a pause of the far end", pauses, within, since=time.monotonic() - PAUSE_S)
    except NeverCame:
        return False
    return True


def reaction(call: Call, said: Said) -> tuple[float, str] | None:
    """When and how the far end reacted to what ``call`` said, None if it did not so far.

    Silent before, it began to speak afterwards; or, interrupted, it fell silent.
    """
    began = said.began - PAUSE_S
    stretches = speech_in(call.leg.received_since(began))
    if not said.paused:
        fell_silent = barge_in_ms(said.began - began, stretches)
        if fell_silent is None or fell_silent > 1000 * STOPS_WITHIN_S:
            return None
        return said.began + fell_silent / 1000, f"interrupted, it fell silent after {fell_silent:.0f} ms"
    took = reaction_ms(said.ended - began, stretches)
    if took is None or not 0 <= took <= 1000 * REACTS_WITHIN_S:
        return None
    return said.ended + took / 1000, f"it began to speak {took:.0f} ms after what was said to it"


def _is_mark(call: Call, at: float) -> bool:
    return any(isinstance(event, MarkHeard) and abs(event.at - at) <= _RECOGNISED_S for event in call.leg.events)
