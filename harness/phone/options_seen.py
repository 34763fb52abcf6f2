"""Whether a platform has sent OPTIONS to a phone (RFC 3261 section 11) and received an answer.

Many platforms probe the far end of a trunk this way every 10 to 60 s, and send it no calls while it
does not answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from harness.case.events import AskedByOptions, Event, StrangerRefused
from harness.case.model import message_of
from harness.sip.grammar import SipSyntaxError

#: An OPTIONS is due within twice its interval, plus some time for a busy machine or network.
_INTERVALS: Final = 2.0
_SLACK_S: Final = 5.0
#: Keep-alive requests come more often than this; a longer interval counts only if the deployment
#: file declares it.
_KEEP_ALIVE_S: Final = 120.0


def patience(every_s: float) -> float:
    """The longest time to wait for an OPTIONS that comes every ``every_s`` seconds."""
    return _INTERVALS * every_s + _SLACK_S


class OptionsSeen:
    """The OPTIONS received by the phone ``name`` at the address ``where``. Thread-safe.

    If ``strangers`` are answered too, the interval between OPTIONS is not known to be the
    platform's.
    """

    def __init__(
        self,
        name: str,
        where: str,
        *,
        strangers: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._where = where
        self._strangers = strangers
        self._clock = clock
        self._changed = threading.Condition()
        self._stays = 0  #: how often the phone was created at its address
        self._came = self._clock()
        self._answered_at: float | None = None  #: the last answer since then
        self._transaction: str | None = None
        #: The longest interval between two OPTIONS while the phone was there.
        self._longest: float | None = None
        self._ever = False
        self._refused: set[str] = set()  #: sources of OPTIONS that were not answered
        self._said: set[str] = set()

    def phone_came(self) -> None:
        """Note that the phone was created at its address, for the first time or again."""
        with self._changed:
            self._stays += 1
            self._came = self._clock()
            self._answered_at = None
            self._said.clear()

    def take(self, event: Event) -> None:
        """Note an event of the phone that belongs to no call."""
        if isinstance(event, StrangerRefused) and event.method == "OPTIONS":
            with self._changed:
                self._refused.add(event.source)
            return
        answer = message_of(event)
        if answer is None or answer.received:
            return
        if answer.answers("OPTIONS") // 100 == 2:
            with suppress(SipSyntaxError):
                self._answered(event.at, answer.message.via.branch)

    def _answered(self, at: float, transaction: str | None) -> None:
        with self._changed:
            if transaction is not None and transaction == self._transaction:
                return  # a retransmission (RFC 3261 section 17.1.2.2)
            if self._answered_at is not None and not self._strangers:
                since = at - self._answered_at
                if since < _KEEP_ALIVE_S:
                    self._longest = max(self._longest or 0.0, since)
            self._transaction = transaction
            self._answered_at = at
            self._ever = True
            self._changed.notify_all()

    def wait(self, declared_s: float | None, say: Callable[[str], None]) -> AskedByOptions:
        """Wait until the phone has answered an OPTIONS at its address, if the platform sends them;
        return what is known.

        The platform sends them if the deployment file declares an interval (``declared_s``), or two
        have come. ``say`` gets a line that explains the wait, and another one if it was in vain.
        """
        with self._changed:
            every = declared_s or self._longest
            # If none came the first time, none will.
            may_come = self._ever or self._stays < 2
            if every is not None and may_come:
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
        where = self._where
        if left:
            waits = f"WAITING  for an OPTIONS of the platform to the {self._name} at {where}"
            self._say(f"{waits}, at most {left:.0f} s", say)
        if self._changed.wait_for(lambda: self._answered_at is not None, left):
            return
        refused = ""
        if self._refused:
            sources = ", ".join(sorted(self._refused))
            refused = f" (OPTIONS from {sources} were refused: not an address of the file)"
        self._say(
            f"         no OPTIONS came to {where} within {within:.0f} s{refused}: "
            f"the run goes on, but calls may not reach the {self._name}",
            say,
        )

    def _say(self, text: str, say: Callable[[str], None]) -> None:
        kind = text.split()[0]
        if kind not in self._said:  # once, even if several cases wait
            self._said.add(kind)
            say(text)
