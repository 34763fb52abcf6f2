"""The limits on a phone's calls. The parent checks them before it sends a command to the child."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from harness.deployment.limits import Admitted
from harness.errors import ResourceError
from harness.phone.config import PhoneConfig
from harness.sip.grammar import SipSyntaxError
from harness.sip.uri import Uri

#: All calls of a process wait while a REFER is decided, at most 0.8 s
#: (:mod:`harness.phone.switchboard`); a later answer is ignored.
_ADMITTED_WITHIN_S: Final = 0.5
_ANSWERED_WITHIN_S: Final = 0.7


@dataclass(frozen=True)
class Rules:
    """Limits on the calls of a phone.

    ``guard`` raises :class:`RefusedError` for a URI that may not be called, ``refer_guard``
    (``guard`` by default) for one that another party may not be asked to call. An outgoing call
    waits for ``admit`` (:meth:`harness.deployment.limits.Gate.admit`), at most
    ``admitted_within_s``. No leg lasts longer than ``seconds_per_call``. An incoming call from
    before ``first_placed``, the time of the case's first call, belongs to the case before.
    """

    guard: Callable[[str], None] = lambda uri: None
    admit: Callable[[float], Admitted] | None = None
    admitted_within_s: float = 30.0
    seconds_per_call: float | None = None
    refer_guard: Callable[[str], None] | None = None
    first_placed: Callable[[], float] = lambda: -math.inf


def check_transport(target: str, config: PhoneConfig) -> None:
    """Raise :class:`ResourceError` when a Refer-To asks for a transport that the phone does not
    have.

    With a proxy any transport is allowed, because the proxy is the next hop (RFC 3261 section
    8.1.2).
    """
    if config.proxy:
        return
    own = config.transport
    with contextlib.suppress(SipSyntaxError):  # pjsip decides about a URI that our parser refuses
        asked = Uri.parse(target.strip().removeprefix("<").removesuffix(">")).asked_transport
        if asked not in ("", own):
            raise ResourceError(
                f"the phone has only {own.upper()}, but Refer-To asks for {asked.upper()}"
            )


class CallSlots:
    """The slots of one phone's calls: taken when a call is dialled, or promised to the call that a
    REFER asks for.

    A call that a REFER asks for is dialled by the phone's process, so its slot is taken before the
    REFER is accepted, and handed over when the leg begins.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._promised: deque[Admitted] = deque()  # added to and taken from in different threads

    def take(self) -> Admitted | None:
        """A slot for a new call, as soon as one is free; None without a limit."""
        return self._take(self._rules.admitted_within_s)

    def _take(self, within: float) -> Admitted | None:
        return self._rules.admit(within) if self._rules.admit else None

    def promise(self, referred: CallLimits) -> None:
        """Promise a slot to the call that replaces ``referred``: a share of its slot, or a new one
        if it has none.

        The slot is freed if ``referred`` ends and no call took it. Raises what
        :meth:`harness.deployment.limits.Gate.admit` raises, and :class:`ResourceError` when the
        slot came too late for the answer to the REFER.
        """
        began = time.monotonic()
        if referred.slot is not None:
            slot: Admitted | None = referred.slot.another()
        else:
            slot = self._take(_ADMITTED_WITHIN_S)
        if slot is None:
            return
        took = time.monotonic() - began
        if took > _ANSWERED_WITHIN_S:
            slot.release()
            late = f"a call was admitted after {took:.1f} s"
            raise ResourceError(f"{late}, too late for the answer to its REFER")
        self._promised.append(slot)
        referred.at_end(lambda: self._withdraw(slot))

    def _withdraw(self, slot: Admitted) -> None:
        try:
            self._promised.remove(slot)
        except ValueError:  # a call took it
            return
        slot.release()

    def promised(self) -> Admitted | None:
        """Take the slot that was promised first."""
        return self._promised.popleft() if self._promised else None


class CallLimits:
    """The slot of a call and the deadline at which the call is ended."""

    def __init__(self) -> None:
        self.slot: Admitted | None = None  #: None for an incoming call, or when the call is over
        self._cancel_deadline: Callable[[], None] | None = None
        self._at_end: list[Callable[[], None]] = []
        self._over = False

    def hold(self, slot: Admitted) -> None:
        """Keep a slot until the call ends; free it at once if the call is over."""
        if self._over:
            slot.release()
        else:
            self.slot = slot

    def end_after(
        self, seconds: float, scheduler: DeadlineScheduler, end: Callable[[], None]
    ) -> None:
        """Call ``end`` in ``seconds``, unless the call is over by then."""
        self._cancel_deadline = scheduler.after(seconds, end)

    def at_end(self, do: Callable[[], None]) -> None:
        """Run ``do`` when the call ends, or at once if it is over."""
        if self._over:
            do()
        else:
            self._at_end.append(do)

    def keep_slot(self) -> Admitted | None:
        """Hand the slot over to the caller, who frees it: the far end may outlive this end of the
        call.
        """
        slot, self.slot = self.slot, None
        return slot

    def release(self) -> None:
        """Note that the call is over, and free what it holds."""
        self._over = True
        slot, self.slot = self.slot, None
        if slot is not None:
            slot.release()
        if self._cancel_deadline is not None:
            self._cancel_deadline()
        at_end, self._at_end = self._at_end, []
        for do in at_end:
            do()


_LONGEST_S: Final = 3600.0  # per wait: a timeout beyond the platform's limit raises OverflowError


class DeadlineScheduler:
    """Runs callbacks at their deadlines in one thread, which starts with the first callback."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: list[tuple[float, int]] = []
        #: By number; cancelling frees the callback, and its call, at once.
        self._then: dict[int, Callable[[], None]] = {}
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None
        self._closed = False

    def after(self, seconds: float, then: Callable[[], None]) -> Callable[[], None]:
        """Call ``then`` in ``seconds``. Returns a function that cancels it."""
        with self._changed:
            number = next(self._numbers)
            self._then[number] = then
            heapq.heappush(self._due, (time.monotonic() + seconds, number))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            self._changed.notify()

        def cancel() -> None:
            with self._changed:
                self._then.pop(number, None)

        return cancel

    def close(self) -> None:
        """Cancel all callbacks and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _left_s(self) -> float:
        """Seconds until the next deadline; the longest wait while there is none."""
        if not self._due:
            return _LONGEST_S
        at, _ = self._due[0]
        return at - time.monotonic()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closed and (left := self._left_s()) > 0:
                    self._changed.wait(min(left, _LONGEST_S))
                if self._closed:
                    return
                _, number = heapq.heappop(self._due)
                then = self._then.pop(number, None)
            if then is not None:
                then()
