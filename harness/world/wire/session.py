"""Session timers (RFC 4028): negotiating the interval, refreshing in time, ending a call that is not refreshed."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from harness.sip.grammar import Params, SipSyntaxError
from harness.sip.headers import parse_number
from harness.sip.message import Request, Response

Refresher = Literal["uac", "uas"]
_AGAIN = 0.1  # of the interval: so long after a refresh that was refused comes the next one


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """What a node asks for. With ``expires`` None it asks for nothing, and accepts what peers ask for."""

    expires: int | None = None
    """Session-Expires it asks for, seconds."""
    min_se: int = 90
    """Shortest it accepts; RFC 4028 section 4 allows none below 90, scaled-down worlds need it."""
    refresher: Refresher | None = None
    """Who shall refresh; None leaves it to the other side, or to the client."""


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """A Session-Expires header."""

    seconds: int
    refresher: Refresher | None = None

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


def min_se_of(message: Request | Response) -> int:
    """Min-SE of a message, 90 when absent (RFC 4028 section 5). Raises SipSyntaxError."""
    text = message.get("Min-SE")
    return 90 if text is None else parse_number(text, name="Min-SE")


def offered(policy: SessionPolicy | None, *, least: int = 0) -> list[tuple[str, str]]:
    """Headers of a request that starts or refreshes a session; ``least`` is a Min-SE learnt from a 422."""
    if policy is None or policy.expires is None:
        return []
    expires = SessionExpires(max(policy.expires, least), policy.refresher)
    return [("Session-Expires", str(expires)), ("Min-SE", str(max(policy.min_se, least)))]


def agreed(policy: SessionPolicy | None, request: Request) -> SessionExpires | None:
    """What the 2xx to ``request`` says (RFC 4028 section 9); None for no session timer."""
    if policy is None:
        return None
    wanted = SessionExpires.of(request)
    client_knows = "timer" in request.tokens("Supported")
    if wanted is None:
        if policy.expires is None:
            return None
        # We ask although the client did not: it refreshes only if it can.
        refresher: Refresher = (policy.refresher or "uac") if client_knows else "uas"
        return SessionExpires(policy.expires, refresher)
    seconds = wanted.seconds
    if policy.expires is not None and policy.expires < seconds:
        seconds = max(policy.expires, min_se_of(request) if request.has("Min-SE") else policy.min_se)
    if not client_knows:
        # A proxy's, or a mistake: it cannot be refused with 422 (section 9), and is not kept shorter than we would take.
        return SessionExpires(max(seconds, policy.min_se), "uas")
    return SessionExpires(seconds, wanted.refresher or policy.refresher or "uac")


def too_small(policy: SessionPolicy | None, request: Request) -> int | None:
    """The Min-SE of a 422, when ``request`` asks for less than the policy takes; else None (section 9)."""
    wanted = SessionExpires.of(request)
    if policy is None or wanted is None or "timer" not in request.tokens("Supported"):
        return None
    return policy.min_se if wanted.seconds < policy.min_se else None


class SessionTimer:
    """The running timer of one call; ``refresh`` and ``expire`` are bound methods of it."""

    def __init__(self, policy: SessionPolicy | None, refresh: Callable[[], None], expire: Callable[[], None]) -> None:
        self._policy = policy
        self._refresh = weakref.WeakMethod(refresh)  # the call's, which owns the timer
        self._expire = weakref.WeakMethod(expire)
        self._handle: asyncio.TimerHandle | None = None
        self.interval: int | None = None
        self.we_refresh = False
        self._was_refused = False

    def start(self, interval: int, *, we_refresh: bool) -> None:
        """(Re)start after a 2xx: refresh at half the interval, or expire a little before its end (section 10)."""
        self.stop()
        self.interval = interval
        self.we_refresh = we_refresh
        self._was_refused = False
        loop = asyncio.get_running_loop()
        if we_refresh:
            self._handle = loop.call_later(interval / 2, self._fire, self._refresh)
        else:
            self._handle = loop.call_later(interval - min(32.0, interval / 3), self._fire, self._expire)

    def refused(self) -> None:
        """Our refresh got no 2xx: the session goes on, and is refreshed once more before the peer gives it up; then it ends in time.

        RFC 4028 section 10: who does not refresh gives up a third of the interval before its end.
        """
        interval = self.interval
        if interval is None:
            return
        loop = asyncio.get_running_loop()
        if self._was_refused:
            left = interval * (0.5 - _AGAIN) - min(32.0, interval / 3)
            self._handle = loop.call_later(left, self._fire, self._expire)
        else:
            self._was_refused = True
            self._handle = loop.call_later(interval * _AGAIN, self._fire, self._refresh)

    @staticmethod
    def _fire(callback: weakref.WeakMethod[Callable[[], None]]) -> None:
        living = callback()
        if living is not None:
            living()

    def stop(self) -> None:
        """The session is over, or has no timer any more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self.interval = None

    def refreshing(self) -> list[tuple[str, str]]:
        """Headers of our request that refreshes the session."""
        if self.interval is None:
            return offered(self._policy)
        return [("Session-Expires", str(SessionExpires(self.interval, "uac" if self.we_refresh else "uas")))]

    def accepting(self, request: Request) -> list[tuple[str, str]]:
        """Headers of the 2xx to the peer's ``request``; the timer runs, or stops, as they say. Raises SipSyntaxError."""
        session = agreed(self._policy, request)
        if session is None:
            self.stop()
            return []
        required = session.refresher == "uac" or "timer" in request.tokens("Supported")
        self.start(session.seconds, we_refresh=session.refresher == "uas")
        return [*([("Require", "timer")] if required else []), ("Session-Expires", str(session))]

    def accepted(self, response: Response) -> None:
        """Our request was accepted: the 2xx says what was agreed (RFC 4028 section 7.2)."""
        try:
            session = SessionExpires.of(response)
        except SipSyntaxError:
            session = None
        if session is None or self._policy is None:
            self.stop()
        else:
            self.start(session.seconds, we_refresh=session.refresher != "uas")
