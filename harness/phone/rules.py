"""What a phone may do: asked in the parent, before the process is told to do it."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from harness.errors import ResourceError
from harness.limits import Admitted
from harness.phone.config import PhoneConfig
from harness.phone.deadlines import DeadlineScheduler
from harness.sip.grammar import SipSyntaxError
from harness.sip.uri import Uri


@dataclass(frozen=True)
class Rules:
    """``guard`` raises :class:`RefusedError` for a URI that may not be called, ``admit`` waits until one more call may be
    placed and raises when none may; no leg, placed or taken, lasts longer than ``seconds_per_call``.
    """

    guard: Callable[[str], None] = lambda uri: None
    admit: Callable[[], Admitted] | None = None
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
    """The permit of one call, or of two while a transfer replaces one by the other; given back with the last of them."""

    def __init__(self, permit: Admitted) -> None:
        self.permit = permit
        self._legs = 1
        self._lock = threading.Lock()

    def share(self) -> None:
        """One more leg is in this slot. Raises what :meth:`Admitted.another` raises."""
        self.permit.another()
        with self._lock:
            self._legs += 1

    def leave(self) -> None:
        """One of its legs has ended."""
        with self._lock:
            self._legs -= 1
            last = self._legs == 0
        if last:
            self.permit.release()


class CallSlots:
    """The slots of one phone's calls: admitted as they are dialled, or promised to calls that REFERs ask for."""

    def __init__(self, admit: Callable[[], Admitted] | None) -> None:
        self._admit = admit
        self._promised: deque[CallSlot] = deque()  # added to and taken from in different threads

    def take(self) -> CallSlot | None:
        """One for a call that is to be placed, as soon as it may; None where nothing is limited."""
        return CallSlot(self._admit()) if self._admit else None

    def promise(self, of_the_call: CallSlot | None) -> None:
        """To the call that takes another's place: a share of its slot, or one of its own where that has none."""
        if of_the_call is not None:
            of_the_call.share()
        slot = of_the_call or self.take()
        if slot is not None:
            self._promised.append(slot)

    def promised(self) -> CallSlot | None:
        """The one promised first."""
        return self._promised.popleft() if self._promised else None


class CallLimits:
    """What a call holds until it ends: its slot, and the deadline by which it is ended."""

    def __init__(self) -> None:
        self.slot: CallSlot | None = None  #: None when it was received, or is over
        self._cancel_deadline: Callable[[], None] | None = None
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

    def release(self) -> None:
        """The call is over."""
        self._over = True
        slot, self.slot = self.slot, None
        if slot is not None:
            slot.leave()
        if self._cancel_deadline is not None:
            self._cancel_deadline()
