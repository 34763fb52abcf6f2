"""Session timers (RFC 4028): accepting what a peer asks for, refreshing in time, ending a call that is not refreshed.

The nodes of the world never ask for a timer themselves; softphones do.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from harness.sip.grammar import Params, SipSyntaxError
from harness.sip.headers import parse_number
from harness.sip.message import Request, Response

LEAST_S = 90  #: RFC 4028 section 4 allows no shorter interval
_AGAIN = 0.1  # of the interval: the wait before a refused refresh is repeated


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """A Session-Expires header."""

    seconds: int
    refresher: Literal["uac", "uas"] | None = None

    @classmethod
    def of(cls, message: Request | Response) -> SessionExpires | None:
        """The header of a message; None when it has none. Raises SipSyntaxError."""
        text = message.get("Session-Expires")
        if text is None:
            return None
        seconds = parse_number(text, name="Session-Expires")
        match Params.parse(text.partition(";")[2]).get("refresher"):
            case None:
                return cls(seconds)
            case "uac":
                return cls(seconds, "uac")
            case "uas":
                return cls(seconds, "uas")
            case other:
                raise SipSyntaxError(f"not a refresher: {other!r}")

    def __str__(self) -> str:
        return str(self.seconds) + (f";refresher={self.refresher}" if self.refresher else "")


def is_too_small(request: Request, least: int) -> bool:
    """Whether the request is owed a 422 (section 9): only a client that knows the extension understands one."""
    wanted = SessionExpires.of(request)
    return wanted is not None and wanted.seconds < least and "timer" in request.tokens("Supported")


class SessionTimer:
    """The running timer of one call; ``refresh`` and ``expire`` are bound methods of the call."""

    def __init__(self, least: int, refresh: Callable[[], None], expire: Callable[[], None]) -> None:
        self._least = least
        self._refresh = weakref.WeakMethod(refresh)  # the call owns the timer
        self._expire = weakref.WeakMethod(expire)
        self._handle: asyncio.TimerHandle | None = None
        self._interval = 0
        self._we_refresh = False

    def _start(self, session: SessionExpires, *, we_refresh: bool) -> None:
        """Refresh at half the interval, or expire a little before its end (section 10)."""
        self.stop()
        self._interval, self._we_refresh = session.seconds, we_refresh
        if we_refresh:
            self._call_later(session.seconds / 2, self._refresh)
        else:
            self._call_later(session.seconds - min(32.0, session.seconds / 3), self._expire)

    def _call_later(self, seconds: float, callback: weakref.WeakMethod[Callable[[], None]]) -> None:
        def fire() -> None:
            living = callback()
            if living is not None:
                living()

        self._handle = asyncio.get_running_loop().call_later(seconds, fire)

    def refused(self) -> None:
        """Our refresh was refused, as it may be in a glare: it is repeated until the peer gives up."""
        self._call_later(self._interval * _AGAIN, self._refresh)

    def stop(self) -> None:
        """The session is over, or has no timer any more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._interval = 0

    def refreshing(self) -> list[tuple[str, str]]:
        """Headers of our request that refreshes the session."""
        if not self._interval:
            return []
        return [("Session-Expires", str(SessionExpires(self._interval, "uac" if self._we_refresh else "uas")))]

    def accepting(self, request: Request) -> list[tuple[str, str]]:
        """Headers of the 2xx to the peer's ``request`` (section 9); the timer then runs, or stops. Raises SipSyntaxError."""
        wanted = SessionExpires.of(request)
        if wanted is None:
            self.stop()
            return []
        client_knows = "timer" in request.tokens("Supported")
        if client_knows:
            session = SessionExpires(wanted.seconds, wanted.refresher or "uac")
        else:
            # A proxy asks, or a mistaken client: it cannot be refused with 422, and gets no shorter interval.
            session = SessionExpires(max(wanted.seconds, self._least), "uas")
        self._start(session, we_refresh=session.refresher == "uas")
        return [*([("Require", "timer")] if client_knows else []), ("Session-Expires", str(session))]

    def accepted(self, response: Response) -> None:
        """Our request was accepted: the 2xx says what was agreed (section 7.2)."""
        try:
            session = SessionExpires.of(response)
        except SipSyntaxError:
            session = None
        if session is None:
            self.stop()
        else:
            self._start(session, we_refresh=session.refresher != "uas")
