"""The user agent core, which an application builds a node on (RFC 3261 section 8)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence

from harness.sip.digest import Credentials, DigestClient
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import HeaderPairs, Request, Response
from harness.sip.uri import NameAddr, Uri
from harness.world.audit import Tasks
from harness.world.wire.call import Call, IncomingRequest
from harness.world.wire.dialog import (
    LEAST_S,
    Dialog,
    DialogId,
    content_header,
    dialog_id_of,
    is_too_small,
)
from harness.world.wire.invite import IncomingCall, OutgoingCall
from harness.world.wire.sockets import TransportLayer
from harness.world.wire.transactions import (
    ServerTransaction,
    Timers,
    TransactionLayer,
    new_token,
    transact,
)
from harness.world.wire.transport import (
    Endpoint,
    Filter,
    Flow,
    TlsIdentity,
    Trace,
    TracedFilter,
    TransportName,
    hop_of,
)

_log = logging.getLogger(__name__)

_IN_DIALOG = ("ACK", "BYE", "CANCEL", "INVITE", "NOTIFY", "OPTIONS", "PRACK", "UPDATE")
_SUPPORTED = ("100rel", "replaces", "timer")
_BODIES = ("application/sdp", "multipart/mixed", "multipart/alternative")


Refusal = tuple[int, HeaderPairs]
"""Status and headers of a final response."""


def refusal_of(request: Request, known: Collection[str], allowed: Sequence[str]) -> Refusal | None:
    """The first reason to refuse a well-formed request; None when it may go to its handler."""
    if request.method not in known:
        return 405, [("Allow", ", ".join(allowed))]
    if request.max_forwards == 0 and request.method != "OPTIONS":
        # A user agent need not look at it (8.1.1.6), but the nodes here stand for hops; OPTIONS at
        # zero is for the hop that receives it (section 11).
        return 483, ()
    try:
        unknown = sorted(request.tokens("Require") - set(_SUPPORTED))
    except SipSyntaxError:
        return 400, ()
    if unknown and request.method not in ("CANCEL", "ACK"):
        return 420, [("Unsupported", ", ".join(unknown))]
    if request.method not in ("INVITE", "UPDATE", "PRACK"):
        return None
    return _refusal_of_body(request)


def _refusal_of_body(request: Request) -> Refusal | None:
    """RFC 3261 section 8.2.3, for requests whose bodies are session descriptions."""
    encoding = (request.get("Content-Encoding") or "identity").strip().lower()
    if encoding != "identity":
        return 415, [("Accept-Encoding", "identity")]
    disposition = (request.get("Content-Disposition") or "").replace(" ", "").lower()
    is_optional = "handling=optional" in disposition
    if request.body and request.content_type not in ("", *_BODIES) and not is_optional:
        return 415, [("Accept", "application/sdp")]
    accept = request.tokens("Accept")
    if accept and not accept & {"application/sdp", "application/*", "*/*"}:
        return 406, ()
    return None


CallHandler = Callable[[IncomingCall], Awaitable[None]]
RequestHandler = Callable[[IncomingRequest], Awaitable[None]]


class UserAgent(Tasks):
    """One node: its listeners, its calls, and the handlers of incoming requests.

    Outgoing: `invite` makes a call, `request` sends anything outside of dialogs. Incoming: INVITEs
    go to `on_invite`, requests outside of dialogs to the handler that `on` has set for their
    method, requests within a dialog to its call. What no handler may see is refused first, in the
    order of RFC 3261 section 8.2.

    ``filter`` sees every byte, ``trace`` every message.
    """

    least_session_s = LEAST_S

    def __init__(
        self,
        name: str,
        local: Sequence[Endpoint],
        *,
        tls: TlsIdentity | None = None,
        timers: Timers | None = None,
        filter: Filter | None = None,
        trace: Trace | None = None,
        connect_timeout: float = 5.0,
    ) -> None:
        super().__init__(f"{name}: ")
        self.name = name
        self.timers = timers or Timers()
        self.layer = TransactionLayer(self.timers, self.request_arrived, self.ack_arrived)
        traced = TracedFilter(name, filter, trace)
        self.transport = TransportLayer(local, self.layer, traced, tls, connect_timeout)
        self.layer.transport = self.transport
        self.on_invite: CallHandler | None = None
        self._handlers: dict[str, RequestHandler] = {"OPTIONS": self._answer_options}
        self._calls: set[Call] = set()
        self._by_dialog: dict[DialogId, Call] = {}

    # --- life --------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Bind the listeners. Raises ListenError, with nothing left open."""
        await self.transport.start()

    async def stop(self, within: float = 1.0) -> None:
        """Hang up all calls, wait up to ``within`` seconds for the answers, then close everything."""
        hangups = self.hang_up()
        if hangups:
            await asyncio.wait(hangups, timeout=within)
        for call in self.calls():
            call.stop()
        await self.cancel_all()
        self.layer.stop()
        await self.transport.stop()

    # --- what is up ---------------------------------------------------------------------------------

    @property
    def listening(self) -> tuple[Endpoint, ...]:
        """Where it listens, with the ports taken."""
        return self.transport.listening

    def calls(self) -> tuple[Call, ...]:
        """Calls not over yet, and over ones whose dialog still serves a subscription or a BYE under
        way.
        """
        return tuple(self._calls)

    def add_dialog(self, call: Call) -> None:
        """Requests of the call's present dialog belong to that call."""
        if call.dialog is not None:
            self._by_dialog[call.dialog.id] = call

    def forget_dialog(self, call: Call) -> None:
        """The call has another dialog now, or none."""
        if call.dialog is not None:
            self._by_dialog.pop(call.dialog.id, None)

    def forget(self, call: Call) -> None:
        """The call is over, and nothing of it under way."""
        self._calls.discard(call)
        self.forget_dialog(call)

    def hang_up(self) -> list[asyncio.Task[object]]:
        """End every call whatever its state; tasks that end with the answers."""
        return [call.hangup() for call in self.calls()]

    # --- where things are --------------------------------------------------------------------------

    def local(self, transport: TransportName) -> Endpoint:
        """The first listener of a transport. Raises LookupError."""
        return self.transport.find_listen(transport)

    def contact(self, listen: Endpoint, user: str | None = None) -> NameAddr:
        """Our Contact at a listener, with the transport parameter where it is not UDP."""
        return NameAddr(listen.uri(user))

    def flow_for(self, dialog: Dialog) -> Flow:
        """Where requests of a dialog go. Raises LookupError when its next hop has no address.

        The dialog's connection is used again while it is open: a phone that connected by TCP or TLS
        cannot be reached in another way (RFC 5626's reason, without its headers).
        """
        flow = dialog.flow
        if flow.reliable and flow.is_open:
            return flow
        return self.transport.flow_to(hop_of(dialog.remote_target), flow.listen)

    # --- what the application sends ----------------------------------------------------------------

    def invite(
        self,
        uri: Uri | str,
        *,
        from_: NameAddr | str,
        hop: Endpoint | None = None,
        flow: Flow | None = None,
        sdp: bytes | None = None,
        headers: HeaderPairs = (),
        credentials: Credentials | None = None,
    ) -> OutgoingCall:
        """Send an INVITE, at once. Failures come through the call, not from here.

        It goes over ``flow`` if that is open (a registered phone's connection), else to ``hop``,
        else to the address in ``uri``. Raises LookupError without a next hop or a listener of its
        transport, ValueError for headers that cannot be sent.
        """
        way = flow if flow is not None and flow.is_open else self._way(uri, hop)
        lines = [
            ("Contact", str(self.contact(way.listen))),
            *self.capabilities(),
            *headers,
            *content_header(sdp),
        ]
        request = self._outside_dialog("INVITE", uri, from_, lines, sdp or b"")
        digest = DigestClient(credentials) if credentials else None
        call = OutgoingCall(self, request, way, digest)
        self._calls.add(call)
        return call

    async def request(
        self,
        method: str,
        uri: Uri | str,
        *,
        from_: NameAddr | str,
        to: NameAddr | str | None = None,
        hop: Endpoint | None = None,
        headers: HeaderPairs = (),
        credentials: Credentials | None = None,
        call_id: str | None = None,
        cseq: int = 1,
    ) -> Response:
        """A request outside of any dialog, to its final response; challenges are answered.

        Silence gives a local 408, a transport failure a local 503 (``received`` is None). For a
        REGISTER that is refreshed, give the same ``call_id`` and a higher ``cseq`` (a challenge
        answered takes one more).
        """
        way = self._way(uri, hop)
        request = self._outside_dialog(
            method, uri, from_, headers, to=to, call_id=call_id, cseq=cseq
        )
        digest = DigestClient(credentials) if credentials else None
        return await transact(self.layer, request, lambda: way, digest=digest)

    def _outside_dialog(
        self,
        method: str,
        uri: Uri | str,
        from_: NameAddr | str,
        headers: HeaderPairs,
        body: bytes = b"",
        *,
        to: NameAddr | str | None = None,
        call_id: str | None = None,
        cseq: int = 1,
    ) -> Request:
        """A request to send (RFC 3261 section 8.1.1), without Via."""
        source = from_ if isinstance(from_, NameAddr) else NameAddr.parse(from_)
        if not source.tag:
            source = source.with_tag(new_token())
        lines = [
            ("Max-Forwards", "70"),
            ("From", str(source)),
            ("To", str(to or f"<{uri}>")),
            ("Call-ID", call_id or new_token()),
            ("CSeq", f"{cseq} {method}"),
            *headers,
            ("User-Agent", f"simulated-{self.name}"),
        ]
        return Request.build(method, uri, lines, body)

    def _way(self, uri: Uri | str, hop: Endpoint | None) -> Flow:
        if hop is None:
            hop = hop_of(uri if isinstance(uri, Uri) else Uri.parse(uri))
        return self.transport.flow_to(hop)

    # --- handlers ----------------------------------------------------------------------------------

    def on(self, method: str, handler: RequestHandler) -> None:
        """Set the handler of a method's requests outside of any dialog; INVITE has `on_invite`."""
        self._handlers[method] = handler

    def methods(self) -> list[str]:
        """What Allow says."""
        taken = {*_IN_DIALOG, "INFO", "REFER", *self._handlers}
        if self.on_invite is None:
            taken.discard("INVITE")
        return sorted(taken)

    def capabilities(self) -> list[tuple[str, str]]:
        """Allow and Supported, for requests and responses that start or refresh a dialog."""
        return [("Allow", ", ".join(self.methods())), ("Supported", ", ".join(_SUPPORTED))]

    async def _answer_options(self, incoming: IncomingRequest) -> None:
        incoming.respond(200, headers=[*self.capabilities(), ("Accept", "application/sdp")])

    def serve(self, work: Awaitable[None], request: IncomingRequest | IncomingCall) -> None:
        """Run a handler; if it raises before it answered, the answer is 500."""

        async def run() -> None:
            try:
                await work
            except Exception:
                _log.exception("%s: the handler of %s failed", self.name, request.request.method)
                if isinstance(request, IncomingCall):
                    request.reject(500)
                elif not request.is_answered:
                    request.respond(500)

        self.spawn(run(), f"handler of {request.request.method}")

    # --- what transactions report ------------------------------------------------------------------

    def request_arrived(self, transaction: ServerTransaction) -> None:
        """RFC 3261 section 8.2, in its order."""
        request = transaction.request
        dialog = dialog_id_of(request)
        known = set(self.methods())
        if dialog is not None:
            known |= {"INVITE", "INFO"}  # a node that takes no calls still has its own renegotiated
        refusal = refusal_of(request, known, self.methods())
        if refusal is not None:
            self._refuse(transaction, *refusal)
        elif dialog is None and request.method == "INVITE":
            self._invited(transaction)
        elif dialog is None and request.method in self._handlers:
            incoming = IncomingRequest(transaction)
            self.serve(self._handlers[request.method](incoming), incoming)
        elif dialog is None or dialog not in self._by_dialog:
            # A method that is only sensible within a dialog (BYE, PRACK, UPDATE, NOTIFY …), or an
            # unknown dialog.
            self._refuse(transaction, 481)
        else:
            self._by_dialog[dialog].receive(transaction)

    def _refuse(
        self, transaction: ServerTransaction, status: int, headers: HeaderPairs = ()
    ) -> None:
        request = transaction.request
        response = Response.to_request(request, status, tag=new_token(), headers=headers)
        transaction.respond(response)

    def _invited(self, transaction: ServerTransaction) -> None:
        """Make a call of an INVITE outside of dialogs, and hand it to the application."""
        try:
            if is_too_small(transaction.request, self.least_session_s):
                self._refuse(transaction, 422, [("Min-SE", str(self.least_session_s))])
                return
            call = IncomingCall(self, transaction)
        except SipSyntaxError:
            self._refuse(transaction, 400)
            return
        assert self.on_invite is not None
        self._calls.add(call)
        self.add_dialog(call)
        self.serve(self.on_invite(call), call)

    def ack_arrived(self, request: Request, flow: Flow) -> None:
        """The ACK of a 2xx, which belongs to a dialog."""
        dialog = dialog_id_of(request)
        call = self._by_dialog.get(dialog) if dialog is not None else None
        if call is not None:
            call.ack_from(request, flow)
