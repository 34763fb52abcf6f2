"""Dialog state of both roles (RFC 3261 section 12): identifiers, sequence numbers, route set, remote target."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from harness.sip.grammar import SipSyntaxError
from harness.sip.headers import Header
from harness.sip.message import HeaderPairs, Request, Response
from harness.sip.uri import NameAddr, Uri
from harness.world.wire.transport import Flow

DialogId = tuple[str, str, str]
"""Call-ID, local tag, remote tag."""

TARGET_REFRESH = frozenset({"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"})
"""Requests whose Contact moves the remote target (RFC 3261 12.2, 3311, 6665, 3515)."""


class OutOfOrderError(ValueError):
    """A request whose CSeq is not above the last one's (RFC 3261 section 12.2.2 answers it 500)."""


@dataclass(eq=False)
class Dialog:
    """One dialog. ``local`` and ``remote`` carry their tags; ``flow`` is where its messages last went."""

    call_id: str
    local: NameAddr
    remote: NameAddr
    remote_target: Uri
    route_set: tuple[NameAddr, ...]
    local_seq: int
    remote_seq: int | None
    flow: Flow
    role: Literal["uac", "uas"]
    confirmed: bool = False
    direct: bool = True
    """Whether the peer of ``flow`` is the other user agent itself, with no proxy between."""
    allowed: frozenset[str] = field(default_factory=frozenset)
    """Methods the peer said it takes (its Allow), in upper case; empty when it said nothing."""
    source: str = field(init=False)
    """The address the peer first had, which need not be that of its Contact (NAT)."""

    def __post_init__(self) -> None:
        self.source = self.flow.remote[0]

    @classmethod
    def of_client(cls, request: Request, response: Response, flow: Flow) -> Dialog:
        """From our request and a response with a To tag (RFC 3261 section 12.1.2). Raises SipSyntaxError."""
        contact = response.contact
        return cls(
            call_id=request.call_id,
            local=request.from_,
            remote=response.to,
            remote_target=contact.uri if contact else request.uri,
            route_set=tuple(reversed(response.record_routes)),
            local_seq=request.cseq.number,
            remote_seq=None,
            flow=flow,
            role="uac",
            confirmed=response.is_success,
            direct=not response.record_routes and not request.routes,
            allowed=_allowed(response),
        )

    @classmethod
    def of_server(cls, request: Request, local_tag: str, flow: Flow) -> Dialog:
        """From a peer's request and the tag we answer with (RFC 3261 section 12.1.1). Raises SipSyntaxError."""
        contact = request.contact
        if contact is None:
            raise SipSyntaxError("Contact is missing")
        return cls(
            call_id=request.call_id,
            local=request.to.with_tag(local_tag),
            remote=request.from_,
            remote_target=contact.uri,
            route_set=request.record_routes,
            local_seq=0,
            remote_seq=request.cseq.number,
            flow=flow,
            role="uas",
            direct=len(request.vias) == 1,
            allowed=_allowed(request),
        )

    @property
    def id(self) -> DialogId:
        """What in-dialog requests match."""
        return self.call_id, self.local.tag or "", self.remote.tag or ""

    @property
    def next_uri(self) -> Uri:
        """The URI that says where requests go: the first route, else the remote target (RFC 3261 12.2.1.1)."""
        return self.route_set[0].uri if self.route_set else self.remote_target

    def build(
        self,
        method: str,
        headers: HeaderPairs = (),
        body: bytes | str = b"",
        *,
        contact: NameAddr | None = None,
        cseq: int | None = None,
    ) -> Request:
        """A request within the dialog, without Via. Takes the next sequence number unless given one (ACK)."""
        if cseq is None:
            self.local_seq += 1
            cseq = self.local_seq
        uri, routes = self._request_uri_and_routes()
        lines: list[tuple[str, str] | Header] = [
            ("Max-Forwards", "70"),
            *(("Route", str(route)) for route in routes),
            ("From", str(self.local)),
            ("To", str(self.remote)),
            ("Call-ID", self.call_id),
            ("CSeq", f"{cseq} {method}"),
        ]
        if contact is not None:
            lines.append(("Contact", str(contact)))
        return Request.build(method, uri, [*lines, *headers], body)

    def _request_uri_and_routes(self) -> tuple[Uri, tuple[NameAddr, ...]]:
        target = self.remote_target.without_headers()
        if not self.route_set or self.route_set[0].uri.lr:
            return target, self.route_set
        # A strict router: it becomes the Request-URI, the target the last route.
        first = self.route_set[0].uri.without_headers().without_param("method")
        return first, (*self.route_set[1:], NameAddr(target))

    def take(self, request: Request) -> None:
        """Note a request of the peer: sequence number, and its Contact where it is a target refresh.

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
        """Note what the answer to a request of ours says of the peer."""
        contact = response.contact
        if response.is_success and response.method in TARGET_REFRESH and contact is not None:
            self.remote_target = contact.uri
        self.allowed = _allowed(response) or self.allowed

    def confirm(self, response: Response) -> None:
        """The 2xx has come: the route set is taken anew from it (RFC 3261 section 13.2.2.4)."""
        self.confirmed = True
        self.take_response(response)
        if self.role == "uac":
            self.route_set = tuple(reversed(response.record_routes))

    def is_from_peer(self, flow: Flow) -> bool:
        """Whether a request over ``flow`` can be the peer's: from where the dialog began, or where the peer says it is.

        Call-ID and tags go over the network in the clear: who has read them may send from elsewhere only.
        """
        known = [self.remote_target, *(route.uri for route in self.route_set)]
        return flow.remote[0] in (self.source, *(uri.address for uri in known))

    def may(self, method: str) -> bool:
        """Whether the peer takes a method, as far as it said."""
        return method in self.allowed


def _allowed(message: Request | Response) -> frozenset[str]:
    return frozenset(token.upper() for token in message.tokens("Allow"))


def dialog_id_of(request: Request) -> DialogId | None:
    """The dialog an incoming request asks for, seen from our side; None when it is outside of any."""
    tag = request.to.tag
    return None if tag is None else (request.call_id, tag, request.from_.tag or "")
