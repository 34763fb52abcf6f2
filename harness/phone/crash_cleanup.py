"""End the calls of phones whose process died; the far ends would keep them up.

The dialogs are rebuilt from the messages: ``pending_teardown`` has the message that ends a call,
and it goes out over a ``CrashLine``. Registrations are left to expire.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import secrets
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Self

from harness.case.events import (
    Direction,
    Event,
    Recorded,
    SipMessage,
)
from harness.case.model import Call
from harness.deployment import is_address
from harness.phone import recording
from harness.phone.config import PhoneConfig
from harness.phone.sip_link import SipLink
from harness.sip.digest import Credentials, DigestClient, parse
from harness.sip.grammar import Params, SipSyntaxError, host_of
from harness.sip.headers import MAGIC_COOKIE, CSeq, Via
from harness.sip.message import Message, Request, Response
from harness.sip.uri import NameAddr, Uri


def end(
    config: PhoneConfig,
    directory: Path,
    leg: str,
    messages: Sequence[SipMessage],
    note: Callable[[Event], None],
) -> bool:
    """Hang up (see :func:`hang_up`), and complete the leg's recordings in ``directory``. ``note``
    receives the events.
    """
    ended = hang_up(config, leg, messages, note)
    received, sent = recording.paths(directory, leg)
    if recording.mend(received):
        note(
            Recorded(
                at=time.monotonic(),
                phone=config.name,
                leg=leg,
                path=str(received),
                sent_path=str(sent) if recording.mend(sent) else None,
            )
        )
    return ended


def hang_up(
    config: PhoneConfig,
    leg: str,
    messages: Sequence[SipMessage],
    note: Callable[[SipMessage], None],
) -> bool:
    """End the call that ``messages`` describe; ``note`` receives each message sent or received.

    Returns True when the far end confirmed the end, or the call was already over. Takes at most two
    seconds for each message sent, and four seconds to wait for the phone's port.
    """
    with contextlib.suppress(OSError, EOFError, SipSyntaxError, ValueError):
        teardown = pending_teardown(messages)
        return teardown is None or asyncio.run(_end(config, leg, teardown, note))
    return False


async def _end(
    config: PhoneConfig, leg: str, teardown: Teardown, note: Callable[[SipMessage], None]
) -> bool:
    async with CrashLine(config, leg, teardown, note) as line:
        return await _settle(teardown, line)


async def _settle(teardown: Teardown, line: CrashLine) -> bool:
    """Send the message that ends the call; True when the far end answered it."""
    message = teardown.message
    invite = teardown.invite
    if isinstance(message, Response):  # sent until its ACK arrives
        ack = await line.first(message, lambda m: isinstance(m, Request) and m.method == "ACK")
        return ack is not None
    if message.method == "BYE":
        return await _hangs_up(message, invite, line)
    # CANCEL is sent until the INVITE has a final response. If a 2xx crossed it, acknowledge the 2xx
    # and send BYE.
    final = await line.first(message, partial(_is_final, "INVITE"))
    if not isinstance(final, Response):
        return False
    if not final.is_success:
        line.send(_in_transaction(invite, "ACK", str(final.to)))  # RFC 3261 section 17.1.1.3
        return True
    target = final.contact.uri if final.contact else invite.uri
    dialog = _Dialog(invite, final, target, sent=True)
    number = invite.cseq.number
    ack = dialog.request("ACK", number, teardown.local, teardown.transport)
    line.send(ack)  # section 13.2.2.4
    bye = dialog.request("BYE", number + 1, teardown.local, teardown.transport)
    return await _hangs_up(bye, invite, line)


def _is_final(method: str, message: Message) -> bool:
    """Whether the message is a final response to a request of that method."""
    return isinstance(message, Response) and message.is_final and message.cseq.method == method


async def _hangs_up(bye: Request, invite: Request, line: CrashLine) -> bool:
    is_own = invite.from_.tag == bye.from_.tag  # else the far end sent the INVITE
    answer = await line.ask(bye, invite if is_own else None)
    if answer is None:
        return False
    return not (isinstance(answer, Response) and answer.is_challenge)


_PATIENCE: Final = 2.0  # four times T1 (RFC 3261 table 4); a far end that is alive answers sooner
#: Twice as long for the port: other processes of the run may end calls of a shared phone from the
#: same port.
_PORT_PATIENCE: Final = 2 * _PATIENCE
_POLL_S: Final = 0.02


class CrashLine(SipLink):
    """Sends the last messages of a phone whose process died.

    UDP uses the phone's port if it becomes free; TCP and TLS use a new connection from the phone's
    bind address. The addresses in the phone's messages are not used for this: they may be a
    router's, which this machine cannot bind to.

    ``note`` receives each message sent or received, as an event of ``leg``. Raises ``OSError`` when
    the far end cannot be reached.
    """

    def __init__(
        self,
        config: PhoneConfig,
        leg: str,
        teardown: Teardown,
        note: Callable[[SipMessage], None],
    ) -> None:
        super().__init__(teardown.transport)
        self._config = config
        self._leg = leg
        self._note = note
        self._remote = teardown.next_hop
        self._port = 0
        if self.transport == "udp":
            self._port = int(teardown.local.rpartition(":")[2])

    async def __aenter__(self) -> Self:
        """Bind and connect; the port is waited for as long as another process has it."""
        host, _, port = self._remote.rpartition(":")
        peer = host.strip("[]"), int(port)
        tls = self._context() if self.transport == "tls" else None
        # The certificate names the proxy's host; the call's messages mostly contain addresses.
        known_as = [peer[0], host_of(self._config.proxy or "")]
        names = [host for host in known_as if host and not is_address(host)]
        name = names[0] if names else peer[0]
        by = time.monotonic() + _PORT_PATIENCE
        while True:
            try:
                async with asyncio.timeout(_PATIENCE):
                    local = self._config.bind_address, self._port
                    await self.open(peer, local, tls, name if tls else None)
                return self
            except OSError as error:
                if not self._port:
                    raise
                if error.errno != errno.EADDRINUSE or time.monotonic() >= by:
                    # A new phone may use the port by now. A request belongs to its dialog from any
                    # source port (RFC 3261 section 12.2.2), and rport returns the answer to this
                    # socket (RFC 3581).
                    self._port = 0
            await asyncio.sleep(_POLL_S)

    def _context(self) -> ssl.SSLContext:
        """The phone's own TLS: the same trust, the same certificate."""
        tls = self._config.tls
        context = ssl.create_default_context(cafile=tls.ca_file)
        if not tls.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if tls.certificate:
            context.load_cert_chain(tls.certificate, tls.private_key)
        return context

    async def ask(self, request: Request, own: Request | None) -> Message | None:
        """The final response to ``request``; one challenge is answered.

        Only the configured realm gets credentials, or the realm that the phone's request ``own``
        already answered.
        """
        answer = await self.first(request, partial(_is_final, request.cseq.method))
        if not isinstance(answer, Response) or not answer.is_challenge:
            return answer
        again = self._with_credentials(request, answer, own)
        if again is None:
            return answer
        number = again.cseq.number
        return await self.first(
            again, lambda m: isinstance(m, Response) and m.is_final and m.cseq.number == number
        )

    def _with_credentials(
        self, request: Request, challenge: Response, own: Request | None
    ) -> Request | None:
        """The request as a new one that answers the challenge (RFC 3261 section 22.2)."""
        config = self._config
        if config.username is None:
            return None
        realm = None if config.realm == "*" else config.realm or _answered_realm(own)
        client = DigestClient(Credentials(config.username, config.password or "", realm))
        number = CSeq(request.cseq.number + 1, request.cseq.method)
        again = client.answer(request.setting("CSeq", str(number)), challenge)
        if again is None:
            return None
        via = again.via
        return again.setting("Via", str(via).replace(via.branch, via.branch + "a"))

    async def first(self, message: Message, wanted: Callable[[Message], bool]) -> Message | None:
        """The first ``wanted`` message that arrives after ``message`` was sent."""
        async for received in self.exchange(message, _PATIENCE):
            if isinstance(received, SipSyntaxError):
                continue
            self._note(self.event("received", received))
            if received.call_id != message.call_id:
                continue
            if isinstance(received, Request) and received.method == "BYE":
                self.send(Response.to_request(received, 200))  # the far end ended the call first
                return received
            if wanted(received):
                return received
        return None

    def send(self, message: Message) -> None:
        super().send(message)
        self._note(self.event("sent", message))

    def event(self, direction: Direction, message: Message) -> SipMessage:
        """The message as an event of the phone, with the current time."""
        host, port = self.local
        return SipMessage(
            at=time.monotonic(),
            phone=self._config.name,
            leg=self._leg,
            direction=direction,
            transport=self.transport,
            local=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            remote=self._remote,
            text=message.raw.decode("utf-8", "surrogateescape"),
        )


def _answered_realm(request: Request | None) -> str | None:
    """The realm for which a request has credentials; None without, which allows the realm of the
    next challenge.
    """
    if request is None:
        return None
    shown = request.get("Proxy-Authorization") or request.get("Authorization")
    return parse(shown).get("realm") if shown else None


@dataclass(frozen=True)
class Teardown:
    """The message that ends a call, the call's INVITE, and where to send the message; ``local`` is
    the phone's address.

    It is a BYE after a 2xx, a CANCEL for a call that the phone has begun, and a refusal (480) of one
    that rings at it.
    """

    message: Request | Response
    invite: Request
    transport: str
    local: str
    next_hop: str


def pending_teardown(messages: Sequence[SipMessage]) -> Teardown | None:
    """None when the call has ended, never began, or its messages form no dialog."""
    call = Call(messages)
    seen = call.invite
    if seen is None or call.byes:
        return None
    invite = seen.message
    if not isinstance(invite, Request):
        return None
    of_invite = [m for m in call.messages if m.is_of(seen)]
    answers = [m for m in of_invite if m.answers("INVITE")]
    successes = [m.message for m in answers if 200 <= m.status < 300]
    if successes:
        target = _remote_target(call)
        if target is None:
            return None
        dialog = _Dialog(invite, successes[0], target, sent=not seen.received)
        # RFC 3261 section 12.2.1.1: each side has its own sequence of CSeq numbers.
        numbers = [m.number for m in call.sent if isinstance(m.message, Request)]
        bye = dialog.request("BYE", max(numbers, default=0) + 1, seen.local, seen.transport)
        return Teardown(bye, invite, seen.transport, seen.local, dialog.next_hop)
    if any(m.is_final for m in answers):
        return None
    if seen.received:
        # All responses of the phone belong to one dialog (section 12.1.1).
        tags = [m.message.to.tag for m in answers if m.message.to.tag]
        refusal = Response.to_request(invite, 480, tag=tags[0] if tags else secrets.token_hex(8))
        return Teardown(refusal, invite, seen.transport, seen.local, seen.remote)
    if any(m.is_request("CANCEL") for m in call.messages):
        return None
    cancel = _in_transaction(invite, "CANCEL", str(invite.to))  # RFC 3261 section 9.1
    return Teardown(cancel, invite, seen.transport, seen.local, seen.remote)


def _remote_target(call: Call) -> Uri | None:
    """The Contact of the far end's last target refresh (RFC 3261 section 12.2)."""
    for m in reversed(call.received):
        refreshes = m.is_request("INVITE", "UPDATE") or m.accepts("INVITE") or m.accepts("UPDATE")
        if refreshes and m.message.contact is not None:
            return m.message.contact.uri
    return None


@dataclass(frozen=True)
class _Dialog:
    """A dialog from the phone's point of view; ``sent``: the phone sent the INVITE."""

    invite: Request
    success: Message
    target: Uri
    sent: bool

    @property
    def _routes(self) -> list[NameAddr]:
        # RFC 3261 section 12.1: the caller reverses the route set of the 2xx, the callee uses that
        # of the INVITE.
        if self.sent:
            return list(reversed(self.success.record_routes))
        return list(self.invite.record_routes)

    @property
    def next_hop(self) -> str:
        hop = self._routes[0].uri if self._routes else self.target
        return f"{hop.host}:{hop.effective_port}"

    def request(self, method: str, number: int, local: str, transport: str) -> Request:
        """A request within the dialog (RFC 3261 section 12.2.1.1) from the address ``local``."""
        ours, theirs = self.invite.from_, self.success.to
        if not self.sent:
            ours, theirs = theirs, ours
        host, port = local.rsplit(":", 1)
        branch = MAGIC_COOKIE + secrets.token_hex(12)
        via = Via(transport.upper(), host, int(port), Params((("branch", branch), ("rport", None))))
        lines = [
            ("Via", str(via)),
            ("Max-Forwards", "70"),
            *(("Route", str(route)) for route in self._routes),
            ("From", str(ours)),
            ("To", str(theirs)),
            ("Call-ID", self.invite.call_id),
            ("CSeq", f"{number} {method}"),
        ]
        if method == "BYE":
            lines.append(("Reason", 'SIP;cause=500;text="softphone lost"'))  # RFC 3326
        return Request.build(method, self.target, lines)


def _in_transaction(invite: Request, method: str, to: str) -> Request:
    """A request with the INVITE's own Request-URI, topmost Via, From, Call-ID, Route and CSeq
    number.
    """
    return Request.build(
        method,
        invite.request_uri,
        [
            ("Via", str(invite.via)),
            ("Max-Forwards", "70"),
            *(("Route", value) for value in invite.get_all("Route")),
            ("From", str(invite.from_)),
            ("To", to),
            ("Call-ID", invite.call_id),
            ("CSeq", f"{invite.cseq.number} {method}"),
        ],
    )
