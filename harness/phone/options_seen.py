"""Whether a platform has asked by OPTIONS if a phone is there (RFC 3261 section 11), and was answered.

Many ask a trunk's far end so, every 10 to 60 s, and send it no call where the last one was not answered.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from harness.calls.events import AskedByOptions, Event, SipMessage, StrangerRefused
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message, Response

#: An OPTIONS that comes at all comes within twice its interval, and what a busy machine or network adds.
_INTERVALS: Final = 2.0
_SLACK_S: Final = 5.0
#: Any keep-alive comes more often; what comes less often is waited for only where the deployment file says so.
_KEEP_ALIVE_S: Final = 120.0


def patience(every_s: float) -> float:
    """How long an OPTIONS that comes every ``every_s`` seconds is waited for at most."""
    return _INTERVALS * every_s + _SLACK_S


class OptionsSeen:
    """What is seen of it at the phone ``name``, which is at ``where``. Thread-safe.

    Where ``strangers`` are answered, too, how often OPTIONS come does not tell what the platform does.
    """

    def __init__(
        self, name: str, where: str, *, strangers: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name, self._where, self._strangers, self._clock = name, where, strangers, clock
        self._changed = threading.Condition()
        self._stays = 0  #: how often the phone has come to its address
        self._came = self._clock()
        self._answered_at: float | None = None  #: the last since then
        self._transaction: str | None = None
        self._longest: float | None = None  #: time between two while the phone was there
        self._ever = False
        self._refused: set[str] = set()  #: where OPTIONS came from that were not answered
        self._said: set[str] = set()

    def phone_came(self) -> None:
        """The phone is at its address, for the first time or again."""
        with self._changed:
            self._stays += 1
            self._came, self._answered_at = self._clock(), None
            self._said.clear()

    def take(self, event: Event) -> None:
        """Take note of an event of the phone's outside of calls."""
        if isinstance(event, StrangerRefused) and event.method == "OPTIONS":
            with self._changed:
                self._refused.add(event.source)
        elif isinstance(event, SipMessage) and event.direction == "sent" and event.text.startswith("SIP/2.0 2"):
            with suppress(SipSyntaxError):
                answer = Message.parse(event.text)
                assert isinstance(answer, Response)
                if answer.cseq.method == "OPTIONS":
                    self._answered(event.at, answer.via.branch)

    def _answered(self, at: float, transaction: str | None) -> None:
        with self._changed:
            if transaction is not None and transaction == self._transaction:
                return  # the same request once more (RFC 3261 section 17.1.2.2)
            since = at - self._answered_at if self._answered_at is not None else _KEEP_ALIVE_S
            if since < _KEEP_ALIVE_S and not self._strangers:
                self._longest = max(self._longest or 0.0, since)
            self._transaction, self._answered_at, self._ever = transaction, at, True
            self._changed.notify_all()

    def wait(self, declared_s: float | None, say: Callable[[str], None]) -> AskedByOptions:
        """Wait until one has been answered since the phone came, where the platform asks; what is known of that then.

        It does where the deployment file says how often (``declared_s``), or where two have come. ``say`` gets a line of what is
        waited for, and one where it was in vain.
        """
        with self._changed:
            every = declared_s or self._longest
            if every is not None and (self._ever or self._stays < 2):  # where none came the first time, none will
                self._wait(patience(every), say)
            now = self._clock()
            return AskedByOptions(
                at=now,
                phone=self._name,
                there_s=round(now - self._came, 3),
                answered=self._answered_at is not None,
                every_s=every,
            )

    def _wait(self, within: float, say: Callable[[str], None]) -> None:
        left = max(0.0, self._came + within - self._clock())
        if self._answered_at is not None:
            return
        if left:
            self._say(
                f"WAITING  until the platform asks the {self._name} at {self._where} by OPTIONS, {left:.0f} s at most",
                say,
            )
        if not self._changed.wait_for(lambda: self._answered_at is not None, left):
            refused = f" (those of {', '.join(sorted(self._refused))} were refused: no address of the file)"
            self._say(
                f"         no OPTIONS of the platform's came to {self._where} in {within:.0f} s{refused * bool(self._refused)}: "
                f"the run goes on, and calls may not reach the {self._name}",
                say,
            )

    def _say(self, text: str, say: Callable[[str], None]) -> None:
        kind = text.split()[0]
        if kind not in self._said:  # other cases wait for the same
            self._said.add(kind)
            say(text)
