"""What a phone may do: asked in the parent, before the process is told to do it."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from harness.deployment.limits import Admitted
from harness.errors import ResourceError
from harness.phone.config import PhoneConfig
from harness.phone.deadlines import DeadlineScheduler
from harness.sip.grammar import SipSyntaxError
from harness.sip.uri import Uri

#: All calls of a process wait while a REFER is decided on, for 0.8 s at most (:mod:`harness.phone.switchboard`); after that
#: the answer counts for nothing.
_ADMITTED_WITHIN_S: Final = 0.5
_ANSWERED_WITHIN_S: Final = 0.7


@dataclass(frozen=True)
class Rules:
    """Limits for calls of a phone.

    ``guard`` raises :class:`RefusedError` for a URI that may not be called. A dialled call waits at ``admit``
    (:meth:`harness.deployment.limits.Gate.admit`) for at most ``admitted_within_s``. No leg lasts longer than ``seconds_per_call``.
    """

    guard: Callable[[str], None] = lambda uri: None
    admit: Callable[[float], Admitted] | None = None
    admitted_within_s: float = 30.0
    seconds_per_call: float | None = None


def check_transport(target: str, config: PhoneConfig) -> None:
    """Raise :class:`ResourceError` when a Refer-To asks for another transport than the phone's own, and no proxy stands before it.

    Else the proxy is the next hop (RFC 3261 section 8.1.2).
    """
    if config.proxy:
        return
    own = config.transport
    with contextlib.suppress(SipSyntaxError):  # what can be called of that pjsip knows
        asked = Uri.parse(target.strip().removeprefix("<").removesuffix(">")).asked_transport
        if asked not in ("", own):
            raise ResourceError(f"the phone has {own.upper()} alone, and Refer-To asks for {asked.upper()}")


class CallSlot:
    """The permit of one call."""

    def __init__(self, permit: Admitted) -> None:
        self.permit = permit

    def share(self) -> CallSlot:
        """That of the call which replaces this one. Raises what :meth:`Admitted.another` raises."""
        return CallSlot(self.permit.another())

    def leave(self) -> None:
        """The call has ended; harmless when done twice."""
        self.permit.release()

    def leave_at(self, moment: float, scheduler: DeadlineScheduler) -> None:
        """The call will have ended then (monotonic), and not before; at once where that is over."""
        seconds = moment - time.monotonic()
        if seconds > 0:
            scheduler.after(seconds, self.leave)
        else:
            self.leave()


class CallSlots:
    """The slots of one phone's calls: admitted as they are dialled, or promised to calls that REFERs ask for."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._promised: deque[CallSlot] = deque()  # added to and taken from in different threads

    def take(self) -> CallSlot | None:
        """One for a call that is to be placed, as soon as it may; None where nothing is limited."""
        return self._take(self._rules.admitted_within_s)

    def _take(self, within: float) -> CallSlot | None:
        return CallSlot(self._rules.admit(within)) if self._rules.admit else None

    def promise(self, referred: CallLimits) -> None:
        """To the call that takes the place of ``referred``: a share of its slot, or one of its own where that has none.

        It is given back if ``referred`` ends and no call took it. Raises what :meth:`harness.deployment.limits.Gate.admit` raises, and
        :class:`ResourceError` when nobody waits for the answer any more.
        """
        began = time.monotonic()
        slot = referred.slot.share() if referred.slot is not None else self._take(_ADMITTED_WITHIN_S)
        if slot is None:
            return
        if (took := time.monotonic() - began) > _ANSWERED_WITHIN_S:
            slot.leave()
            raise ResourceError(f"a call was let through after {took:.1f} s, not in time for the answer to its REFER")
        self._promised.append(slot)
        referred.at_end(lambda: self._withdraw(slot))

    def _withdraw(self, slot: CallSlot) -> None:
        try:
            self._promised.remove(slot)
        except ValueError:  # a call has it
            return
        slot.leave()

    def promised(self) -> CallSlot | None:
        """The one promised first."""
        return self._promised.popleft() if self._promised else None


class CallLimits:
    """What a call holds until it ends: its slot, and the deadline by which it is ended."""

    def __init__(self) -> None:
        self.slot: CallSlot | None = None  #: None when it was received, or is over
        self._cancel_deadline: Callable[[], None] | None = None
        self._at_end: list[Callable[[], None]] = []
        self._over = False

    def hold(self, slot: CallSlot) -> None:
        """Keep a slot until the call ends; give it back at once where it has."""
        if self._over:
            slot.leave()
        else:
            self.slot = slot

    def end_after(self, seconds: float, scheduler: DeadlineScheduler, end: Callable[[], None]) -> None:
        """Call ``end`` in ``seconds``, unless the call is over by then."""
        self._cancel_deadline = scheduler.after(seconds, end)

    def at_end(self, do: Callable[[], None]) -> None:
        """Call ``do`` when the call is over; at once where it is."""
        if self._over:
            do()
        else:
            self._at_end.append(do)

    def keep_slot(self) -> CallSlot | None:
        """The slot, which the caller gives back from now on: the call may be up when this end of it is over."""
        slot, self.slot = self.slot, None
        return slot

    def release(self) -> None:
        """The call is over."""
        self._over = True
        slot, self.slot = self.slot, None
        if slot is not None:
            slot.leave()
        if self._cancel_deadline is not None:
            self._cancel_deadline()
        at_end, self._at_end = self._at_end, []
        for do in at_end:
            do()
