"""End the calls and registrations of phones whose process died.

The far ends would keep the calls up, and the platform would keep calling the phones until their
registrations expire; a registrar that allows only a few bindings would also refuse the next phone
of the same address of record.

Dialogs and registrations are rebuilt from the messages: which message ends a call
(``pending_teardown``), and the REGISTER that takes a binding back (RFC 3261 section 10.2.2). They
go out from a plain socket (``CrashLine``).
"""

from __future__ import annotations

import contextlib
import errno
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

from harness.calls.events import (
    Direction,
    Event,
    Recorded,
    RegistrationState,
    SipMessage,
    from_values,
)
from harness.calls.model import Call
from harness.deployment import is_address
from harness.phone import recording
from harness.phone.config import PhoneConfig
from harness.sip.digest import Credentials, DigestClient, parse
from harness.sip.framing import StreamFramer
from harness.sip.grammar import Params, SipSyntaxError, host_of
from harness.sip.headers import MAGIC_COOKIE, CSeq, Via
from harness.sip.message import Message, Request, Response, read
from harness.sip.uri import NameAddr, Uri
from harness.support.network_text import redacted_bytes


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
    with contextlib.suppress(OSError, SipSyntaxError, ValueError):
        teardown = pending_teardown(messages)
        if teardown is None:
            return True
        with CrashLine(
            config, leg, teardown.transport, teardown.local, teardown.next_hop, note
        ) as line:
            return _settle(teardown, line)
    return False


def _settle(teardown: Teardown, line: CrashLine) -> bool:
    """Send the message that ends the call; True when the far end answered it."""
    message, invite = teardown.message, teardown.invite
    if isinstance(message, Response):  # sent until its ACK arrives
        return (
            line.exchange(message, lambda m: isinstance(m, Request) and m.method == "ACK")
            is not None
        )
    if message.method == "BYE":
        return _hangs_up(message, invite, line)
    # CANCEL is sent until the INVITE has a final response. If a 2xx crossed it, acknowledge the 2xx
    # and send BYE.
    final = line.exchange(
        message, lambda m: isinstance(m, Response) and m.is_final and m.cseq.method == "INVITE"
    )
    if not isinstance(final, Response):
        return False
    if not final.is_success:
        line.send(_in_transaction(invite, "ACK", str(final.to)))  # RFC 3261 section 17.1.1.3
        return True
    dialog = _Dialog(invite, final, final.contact.uri if final.contact else invite.uri, sent=True)
    number = invite.cseq.number
    line.send(dialog.request("ACK", number, teardown.local, teardown.transport))  # section 13.2.2.4
    return _hangs_up(
        dialog.request("BYE", number + 1, teardown.local, teardown.transport), invite, line
    )


def _hangs_up(bye: Request, invite: Request, line: CrashLine) -> bool:
    own = (
        invite if invite.from_.tag == bye.from_.tag else None
    )  # None when the far end sent the INVITE
    answer = line.ask(bye, own)
    return answer is not None and not (isinstance(answer, Response) and answer.is_challenge)


class Registrations:
    """The last REGISTER of each phone of one process, by phone key. Thread-safe if each phone is
    used from one thread.
    """

    def __init__(self) -> None:
        self._configs: dict[int, PhoneConfig] = {}
        self._asked: dict[int, SipMessage] = {}

    def added(self, phone: int, config: dict[str, Any]) -> None:
        """Note a new phone; ``config`` comes from :meth:`PhoneConfig.to_plain`."""
        self._configs[phone] = PhoneConfig.from_plain(config)

    def removed(self, phone: int) -> None:
        """Forget a phone that un-registered itself."""
        self._configs.pop(phone, None)
        self._asked.pop(phone, None)

    def take(self, phone: int, events: Iterable[Sequence[Any]]) -> None:
        """Note events of a phone, in the form of :func:`harness.calls.events.to_values`."""
        for values in events:
            if values[0] not in ("SipMessage", "RegistrationState"):
                continue
            match from_values(values):
                case SipMessage(direction="sent") as message if message.text.startswith(
                    "REGISTER "
                ):
                    self._asked[phone] = message
                case RegistrationState(active=False):  # refused or removed
                    self._asked.pop(phone, None)

    def withdraw(self, note: Callable[[int, SipMessage], None]) -> None:
        """Remove all remaining registrations at the same time; ``note`` receives each phone's key
        and SIP messages.
        """
        threads = [
            threading.Thread(
                target=unregister, args=(self._configs[phone], asked, partial(note, phone))
            )
            for phone, asked in list(self._asked.items())
            if phone in self._configs
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def unregister(config: PhoneConfig, asked: SipMessage, note: Callable[[SipMessage], None]) -> None:
    """Remove the binding that the phone's last REGISTER asked for, unless the registrar refuses."""
    with contextlib.suppress(OSError, SipSyntaxError, ValueError):
        register = read(asked.text)
        if isinstance(register, Request):
            with CrashLine(config, None, asked.transport, asked.local, asked.remote, note) as line:
                line.ask(_withdrawal(register), register)


def _withdrawal(register: Request) -> Request:
    """The next REGISTER with the same Call-ID and Contact, and Expires: 0 (RFC 3261 sections 10.2
    and 10.2.2).
    """
    via = register.via
    branch = MAGIC_COOKIE + secrets.token_hex(12)
    contacts = [
        replace(contact, params=contact.params.without("expires")) for contact in register.contacts
    ]
    request = register.without("Authorization", "Proxy-Authorization").setting(
        "Via", str(via).replace(via.branch, branch)
    )
    request = request.setting("CSeq", str(CSeq(register.cseq.number + 1, "REGISTER")))
    return request.setting("Contact", ", ".join(map(str, contacts))).setting("Expires", "0")


_T1: Final = 0.5  # RFC 3261 table 4
_PATIENCE: Final = 2.0  # four times T1; a far end that is alive answers sooner
#: Twice as long for the port: other processes of the run may end calls of a shared phone from the
#: same port.
_PORT_PATIENCE: Final = 2 * _PATIENCE
_POLL_S: Final = 0.02


class CrashLine:
    """A socket that sends the last messages of a phone whose process died.

    UDP uses the phone's port if it becomes free; TCP and TLS use a new connection from the phone's
    bind address. The addresses in the phone's messages are not used for this: they may be a
    router's, which this machine cannot bind to.

    ``local`` and ``remote`` are the ``address:port`` of the phone's messages. ``note`` receives
    each message sent or received, as an event of ``leg``. Raises ``OSError`` when the far end
    cannot be reached.
    """

    def __init__(
        self,
        config: PhoneConfig,
        leg: str | None,
        transport: str,
        local: str,
        remote: str,
        note: Callable[[SipMessage], None],
    ) -> None:
        self._config, self._leg, self._transport, self._note = config, leg, transport, note
        self._remote = remote
        host, port = remote.rsplit(":", 1)
        self._peer = (host.strip("[]"), int(port))
        family = socket.AF_INET6 if ":" in self._peer[0] else socket.AF_INET
        self._datagrams = transport == "udp"
        self._framer = StreamFramer()
        if self._datagrams:
            self._socket = socket.socket(family, socket.SOCK_DGRAM)
            try:
                self._bind(int(local.rpartition(":")[2]))
                self._socket.connect(self._peer)
            except OSError:
                self._socket.close()
                raise
        else:
            self._socket = socket.create_connection(self._peer, _PATIENCE, (config.bind_address, 0))
            if transport == "tls":
                self._socket = self._wrap(self._socket)

    def _bind(self, port: int) -> None:
        """Bind to the phone's port; to any other port when it stays in use, or does not exist on
        this machine.
        """
        host, by = self._config.bind_address, time.monotonic() + _PORT_PATIENCE
        while True:
            try:
                return self._socket.bind((host, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE or time.monotonic() >= by:
                    break
            time.sleep(_POLL_S)
        # A new phone may use the port by now. A request belongs to its dialog from any source port
        # (RFC 3261 section 12.2.2), and rport returns the answer to this socket (RFC 3581).
        self._socket.bind((host, 0))

    def _wrap(self, plain: socket.socket) -> socket.socket:
        tls = self._config.tls
        context = ssl.create_default_context(cafile=tls.ca_file)
        if not tls.verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if tls.certificate:
            context.load_cert_chain(tls.certificate, tls.private_key)
        # The certificate names the proxy's host; the call's messages mostly contain addresses.
        address = self._peer[0]
        known_as = filter(None, (address, host_of(self._config.proxy or "")))
        name = next((host for host in known_as if not is_address(host)), address)
        try:
            return context.wrap_socket(plain, server_hostname=name)
        except OSError:
            plain.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, request: Request, own: Request | None) -> Message | None:
        """The final response to ``request``; one challenge is answered.

        Only the configured realm gets credentials, or the realm that the phone's request ``own``
        already answered.
        """
        method, number = request.cseq.method, request.cseq.number
        answer = self.exchange(
            request, lambda m: isinstance(m, Response) and m.is_final and m.cseq.method == method
        )
        config = self._config
        if isinstance(answer, Response) and answer.is_challenge and config.username is not None:
            number += 1
            realm = None if config.realm == "*" else config.realm or _answered_realm(own)
            client = DigestClient(Credentials(config.username, config.password or "", realm))
            again = client.answer(request.setting("CSeq", str(CSeq(number, method))), answer)
            if again is not None:
                via = again.via
                again = again.setting("Via", str(via).replace(via.branch, via.branch + "a"))
                answer = self.exchange(
                    again,
                    lambda m: isinstance(m, Response) and m.is_final and m.cseq.number == number,
                )
        return answer

    def exchange(self, message: Message, wanted: Callable[[Message], bool]) -> Message | None:
        """The first ``wanted`` message received after sending ``message``; UDP retransmits as
        timers E and G do.
        """
        deadline, interval = time.monotonic() + _PATIENCE, _T1
        again = time.monotonic()
        while (now := time.monotonic()) < deadline:
            if now >= again:
                self.send(message)
                again = now + interval if self._datagrams else deadline
                interval *= 2
            for received in self._receive(min(again, deadline) - time.monotonic()):
                if received.call_id != message.call_id:
                    continue
                if (
                    isinstance(received, Request) and received.method == "BYE"
                ):  # the far end ended the call first
                    self.send(Response.to_request(received, 200))
                    return received
                if wanted(received):
                    return received
        return None

    def send(self, message: Message) -> None:
        self._socket.sendall(message.raw)
        self._note(self.event("sent", message))

    def _receive(self, within: float) -> list[Message]:
        self._socket.settimeout(max(within, 0.001))
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            return []
        if not data and not self._datagrams:
            raise ConnectionError("the far end closed the connection")
        found: list[Message] = []
        for raw in [data] if self._datagrams else self._framer.feed(data):
            with contextlib.suppress(SipSyntaxError):
                message = Message.parse(redacted_bytes(raw))
                self._note(self.event("received", message))
                found.append(message)
        return found

    def event(self, direction: Direction, message: Message) -> SipMessage:
        """The message as an event of the phone, with the current time."""
        host, port = self._socket.getsockname()[:2]
        return SipMessage(
            at=time.monotonic(),
            phone=self._config.name,
            leg=self._leg,
            direction=direction,
            transport=self._transport,
            local=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            remote=self._remote,
            text=message.raw.decode("utf-8", "surrogateescape"),
        )


def _answered_realm(request: Request | None) -> str | None:
    """The realm for which a request has credentials; None without, which allows the realm of the
    next challenge.
    """
    shown = request and (request.get("Proxy-Authorization") or request.get("Authorization"))
    return parse(shown).get("realm") if shown else None


@dataclass(frozen=True)
class Teardown:
    """The message that ends a call, the call's INVITE, and where to send the message; ``local`` is
    the phone's address.
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
    if seen is None or not isinstance(invite := seen.message, Request) or call.byes:
        return None
    of_invite = [m for m in call.messages if m.is_of(seen)]
    answers = [m for m in of_invite if m.answers("INVITE")]
    success = next((m.message for m in answers if 200 <= m.status < 300), None)
    if success is not None:
        if (target := _remote_target(call)) is None:
            return None
        dialog = _Dialog(invite, success, target, sent=not seen.received)
        # RFC 3261 section 12.2.1.1: each side has its own sequence of CSeq numbers.
        number = max((m.number for m in call.sent if isinstance(m.message, Request)), default=0) + 1
        bye = dialog.request("BYE", number, seen.local, seen.transport)
        return Teardown(bye, invite, seen.transport, seen.local, dialog.next_hop)
    if any(m.is_final for m in answers):
        return None
    if seen.received:
        tag = next(
            (m.message.to.tag for m in answers if m.message.to.tag), None
        ) or secrets.token_hex(8)
        return Teardown(
            Response.to_request(invite, 480, tag=tag),
            invite,
            seen.transport,
            seen.local,
            seen.remote,
        )
    if any(m.is_request("CANCEL") for m in call.messages):
        return None
    cancel = _in_transaction(invite, "CANCEL", str(invite.to))  # RFC 3261 section 9.1
    return Teardown(cancel, invite, seen.transport, seen.local, seen.remote)


def _remote_target(call: Call) -> Uri | None:
    """The Contact of the far end's last target refresh (RFC 3261 section 12.2)."""
    for m in reversed(call.received):
        refreshes = (
            m.is_request("INVITE", "UPDATE")
            or 200 <= max(m.answers("INVITE"), m.answers("UPDATE")) < 300
        )
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
        return (
            list(reversed(self.success.record_routes))
            if self.sent
            else list(self.invite.record_routes)
        )

    @property
    def next_hop(self) -> str:
        hop = self._routes[0].uri if self._routes else self.target
        return f"{hop.host}:{hop.effective_port}"

    def request(self, method: str, number: int, local: str, transport: str) -> Request:
        """A request within the dialog (RFC 3261 section 12.2.1.1) from the address ``local``."""
        ends = (
            (self.invite.from_, self.success.to)
            if self.sent
            else (self.success.to, self.invite.from_)
        )
        host, port = local.rsplit(":", 1)
        branch = MAGIC_COOKIE + secrets.token_hex(12)
        via = Via(transport.upper(), host, int(port), Params((("branch", branch), ("rport", None))))
        return Request.build(
            method,
            self.target,
            [
                ("Via", str(via)),
                ("Max-Forwards", "70"),
                *(("Route", str(route)) for route in self._routes),
                ("From", str(ends[0])),
                ("To", str(ends[1])),
                ("Call-ID", self.invite.call_id),
                ("CSeq", f"{number} {method}"),
                *([("Reason", 'SIP;cause=500;text="softphone lost"')] if method == "BYE" else []),
            ],
        )


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
