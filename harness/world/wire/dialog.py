"""A dialog (RFC 3261 section 12): its state, its session timer (RFC 4028), repeated responses, and
how a call ended.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, Literal, TypeVar

from harness.sip.grammar import Params, SipSyntaxError
from harness.sip.headers import Header, parse_number
from harness.sip.message import HeaderPairs, Request, Response
from harness.sip.uri import NameAddr, Uri
from harness.world.wire.transactions import Timers
from harness.world.wire.transport import Flow

T = TypeVar("T")


class Waitable(Generic[T]):
    """Set once, to a value or an error. Unlike a future, it does not log an error that is never
    awaited.
    """

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._error: Callable[[], BaseException] | None = None
        self.value: T | None = None

    @property
    def is_set(self) -> bool:
        return self._event.is_set()

    def set(self, value: T) -> None:
        """Give the value; the first one counts."""
        if not self._event.is_set():
            self.value = value
            self._event.set()

    def fail(self, error: Callable[[], BaseException]) -> None:
        """Set what makes the error to raise. A kept error would keep the frames it was raised
        through, and these the error.
        """
        if not self._event.is_set():
            self._error = error
            self._event.set()

    async def wait(self, within: float | None = None) -> T:
        """The value. Raises TimeoutError after ``within`` seconds, or the error."""
        async with asyncio.timeout(within):
            await self._event.wait()
        if self._error is not None:
            raise self._error()
        assert self.value is not None
        return self.value


_SDP = "application/sdp"


def content_header(body: bytes | str | None, kind: str | None = _SDP) -> list[tuple[str, str]]:
    """The Content-Type line that a message with this body has (RFC 3261 section 20.15); none
    without a body.
    """
    return [("Content-Type", kind)] if body and kind else []


def sdp_of(message: Request | Response) -> bytes | None:
    """The session description a message carries, within multipart bodies too (RFC 5621); None
    without.
    """
    return message.part(_SDP)


class How(Enum):
    """What ended a call."""

    BYE = "bye"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    """A final response of 300 or above."""
    NO_ANSWER = "no answer"
    """No final response to the INVITE in 64*T1 (a local 408)."""
    UNREACHABLE = "unreachable"
    """The transport failed (a local 503)."""
    NO_ACK = "no ack"
    """Our 2xx was never acknowledged."""
    EXPIRED = "session expired"
    """The session was not refreshed (RFC 4028)."""
    LOST = "lost"
    """The peer no longer knows the dialog, or does not answer in it (a 481, a 408)."""
    STOPPED = "stopped"
    """The node was stopped."""


@dataclass(frozen=True, slots=True)
class End:
    """How a call ended, and who ended it."""

    how: How
    by: Literal["local", "remote"]
    status: int = 0
    """Status of the final response to the INVITE; 0 when the call had been answered."""
    reason: str = ""


class CallFailedError(Exception):
    """An INVITE that got no 2xx."""

    def __init__(self, end: End) -> None:
        super().__init__(f"{end.status} {end.reason} ({end.how.value})")
        self.end = end
        self.status = end.status
        self.reason = end.reason


DialogId = tuple[str, str, str]
"""Call-ID, local tag, remote tag."""

TARGET_REFRESH = frozenset({"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"})
"""Requests whose Contact moves the remote target (RFC 3261 12.2, 3311, 6665, 3515)."""


class OutOfOrderError(ValueError):
    """A request whose CSeq is not above the last one's (RFC 3261 section 12.2.2 answers it 500)."""


@dataclass(eq=False)
class Dialog:
    """One dialog. ``local`` and ``remote`` carry their tags; ``flow`` is where its messages last
    went.

    There are no proxies in the simulated world: Record-Route is not read, and requests go to the
    remote target.
    """

    call_id: str
    local: NameAddr
    remote: NameAddr
    contact: NameAddr
    """Ours."""
    remote_target: Uri
    local_seq: int
    remote_seq: int | None
    flow: Flow
    allowed: frozenset[str]
    """Methods in the peer's Allow, in upper case."""
    source: str = field(init=False)
    """The address the peer first had, which need not be that of its Contact (NAT)."""

    def __post_init__(self) -> None:
        self.source = self.flow.remote[0]

    @classmethod
    def of_client(cls, request: Request, response: Response, flow: Flow) -> Dialog:
        """From our request and a response with a To tag (RFC 3261 section 12.1.2). Raises
        SipSyntaxError.
        """
        contact = response.contact
        return cls(
            call_id=request.call_id,
            local=request.from_,
            remote=response.to,
            contact=request.contacts[0],
            remote_target=contact.uri if contact else request.uri,
            local_seq=request.cseq.number,
            remote_seq=None,
            flow=flow,
            allowed=_allowed(response),
        )

    @classmethod
    def of_server(cls, request: Request, local_tag: str, flow: Flow, contact: NameAddr) -> Dialog:
        """From a peer's request, the tag we answer with, and our Contact (RFC 3261 section 12.1.1).
        Raises SipSyntaxError.
        """
        if request.contact is None:
            raise SipSyntaxError("Contact is missing")
        return cls(
            call_id=request.call_id,
            local=request.to.with_tag(local_tag),
            remote=request.from_,
            contact=contact,
            remote_target=request.contact.uri,
            local_seq=0,
            remote_seq=request.cseq.number,
            flow=flow,
            allowed=_allowed(request),
        )

    @property
    def id(self) -> DialogId:
        """What in-dialog requests match."""
        return self.call_id, self.local.tag or "", self.remote.tag or ""

    def build(
        self,
        method: str,
        headers: HeaderPairs = (),
        body: bytes | str = b"",
        *,
        cseq: int | None = None,
    ) -> Request:
        """A request within the dialog, without Via. Takes the next sequence number unless given one
        (ACK).
        """
        if cseq is None:
            self.local_seq += 1
            cseq = self.local_seq
        lines: list[tuple[str, str] | Header] = [
            ("Max-Forwards", "70"),
            ("From", str(self.local)),
            ("To", str(self.remote)),
            ("Call-ID", self.call_id),
            ("CSeq", f"{cseq} {method}"),
        ]
        if method in TARGET_REFRESH:
            lines.append(("Contact", str(self.contact)))
        return Request.build(method, self.remote_target.without_headers(), [*lines, *headers], body)

    def take(self, request: Request) -> None:
        """Note a request of the peer: sequence number, and its Contact where it is a target
        refresh.

        Raises OutOfOrderError, and SipSyntaxError for a broken Contact.
        """
        number = request.cseq.number
        if self.remote_seq is not None and number <= self.remote_seq:
            raise OutOfOrderError(f"CSeq {number} after {self.remote_seq}")
        contact = request.contact
        self.remote_seq = number
        if request.method in TARGET_REFRESH and contact is not None:
            self.remote_target = contact.uri

    def take_response(self, response: Response) -> None:
        """Note the peer's Contact and Allow in a response to our request."""
        contact = response.contact
        if response.is_success and response.method in TARGET_REFRESH and contact is not None:
            self.remote_target = contact.uri
        self.allowed = _allowed(response) or self.allowed

    def is_from_peer(self, flow: Flow) -> bool:
        """Whether a request over ``flow`` can be the peer's: from where the dialog began, or where
        the peer says it is.

        Call-ID and tags cross the network in the clear, but an eavesdropper can only send from
        another address.
        """
        return flow.remote[0] in (self.source, self.remote_target.address)


def _allowed(message: Request | Response) -> frozenset[str]:
    return frozenset(token.upper() for token in message.tokens("Allow"))


def dialog_id_of(request: Request) -> DialogId | None:
    """The dialog an incoming request asks for, seen from our side; None when it is outside of any."""
    tag = request.to.tag
    return None if tag is None else (request.call_id, tag, request.from_.tag or "")


class Repeater:
    """Calls ``send`` now, then after T1, 2*T1 … until `stop`; after 64*T1 calls ``on_timeout``
    instead.

    RFC 3261 section 13.3.1.4 caps the interval at T2 and repeats over every transport, since a 2xx
    is end to end; RFC 3262 section 3 has no cap.
    """

    def __init__(
        self,
        timers: Timers,
        send: Callable[[], None],
        on_timeout: Callable[[], None],
        *,
        capped: bool,
    ) -> None:
        self._send = send
        self._on_timeout = on_timeout
        self._interval = timers.t1
        self._most = timers.t2 if capped else timers.transaction
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.call_later(timers.transaction, self._give_up)
        self._next = self._loop.call_later(self._interval, self._again)
        send()

    def _again(self) -> None:
        self._interval = min(self._interval * 2, self._most)
        self._next = self._loop.call_later(self._interval, self._again)
        self._send()

    def _give_up(self) -> None:
        self.stop()
        self._on_timeout()

    def stop(self) -> None:
        """Stop: it was acknowledged, or need not be any longer."""
        self._deadline.cancel()
        self._next.cancel()


LEAST_S = 90  #: RFC 4028 section 4 allows no shorter interval
_AGAIN = 0.1  # of the interval: the wait before a refused refresh is repeated


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """A Session-Expires header; ``refresher`` is ``uac`` or ``uas``."""

    seconds: int
    refresher: str | None = None

    @classmethod
    def of(cls, message: Request | Response) -> SessionExpires | None:
        """The header of a message; None when it has none. Raises SipSyntaxError."""
        text = message.get("Session-Expires")
        if text is None:
            return None
        refresher = Params.parse(text.partition(";")[2]).get("refresher")
        if refresher not in (None, "uac", "uas"):
            raise SipSyntaxError(f"not a refresher: {refresher!r}")
        return cls(parse_number(text, name="Session-Expires"), refresher)

    def __str__(self) -> str:
        return str(self.seconds) + (f";refresher={self.refresher}" if self.refresher else "")


def is_too_small(request: Request, least: int) -> bool:
    """Whether the request is owed a 422 (section 9): only a client that knows the extension
    understands one.
    """
    wanted = SessionExpires.of(request)
    return wanted is not None and wanted.seconds < least and "timer" in request.tokens("Supported")


class SessionTimer:
    """The running timer of one call; ``refresh`` and ``expire`` are bound methods of the call.

    The nodes of the world never ask for a timer themselves; softphones do.

    The side that refreshes does so at half of the interval. The other side ends the call shortly
    before the interval is over (RFC 4028 section 10). Each accepted refresh starts it anew, in
    either direction.
    """

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
        """Call back later, unless the call is gone by then: a timer keeps no call."""

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
        return [
            (
                "Session-Expires",
                str(SessionExpires(self._interval, "uac" if self._we_refresh else "uas")),
            )
        ]

    def accepting(self, request: Request) -> list[tuple[str, str]]:
        """Headers of the 2xx to the peer's ``request`` (section 9); the timer then runs, or stops.
        Raises SipSyntaxError.
        """
        wanted = SessionExpires.of(request)
        if wanted is None:
            self.stop()
            return []
        client_knows = "timer" in request.tokens("Supported")
        if client_knows:
            session = SessionExpires(wanted.seconds, wanted.refresher or "uac")
        else:
            # A proxy asks, or a mistaken client: it cannot be refused with 422, and gets no shorter
            # interval.
            session = SessionExpires(max(wanted.seconds, self._least), "uas")
        self._start(session, we_refresh=session.refresher == "uas")
        return [
            *([("Require", "timer")] if client_knows else []),
            ("Session-Expires", str(session)),
        ]

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
