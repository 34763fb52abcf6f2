"""A socket that sends the last messages of a phone whose process died.

UDP uses the phone's port if it becomes free; TCP and TLS use a new connection from the phone's bind address. The addresses in the
phone's messages are not used for this: they may be a router's, which this machine cannot bind to.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
import time
from collections.abc import Callable
from typing import Final, Self

from harness.calls.events import Direction, SipMessage
from harness.deployment import is_address
from harness.phone.config import PhoneConfig
from harness.sip.digest import Credentials, DigestClient, parse
from harness.sip.framing import StreamFramer
from harness.sip.grammar import SipSyntaxError, host_of
from harness.sip.headers import CSeq
from harness.sip.message import Message, Request, Response
from harness.support.network_text import redacted_bytes

_T1: Final = 0.5  # RFC 3261 table 4
_PATIENCE: Final = 2.0  # four times T1; a far end that is alive answers sooner
#: Twice as long for the port: other processes of the run may end calls of a shared phone from the same port.
_PORT_PATIENCE: Final = 2 * _PATIENCE
_POLL_S: Final = 0.02


def port_deadline() -> float:
    """The monotonic time until which to wait for the phone's port."""
    return time.monotonic() + _PORT_PATIENCE


def only_realm(config: PhoneConfig, request: Request | None) -> str | None:
    """The digest realm that may receive credentials: the configured realm, or the realm ``request`` already answered.

    None allows the realm of the next challenge.
    """
    if config.realm:
        return None if config.realm == "*" else config.realm
    shown = request and (request.get("Proxy-Authorization") or request.get("Authorization"))
    return parse(shown).get("realm") if shown else None


class CrashLine:
    """A socket to the far end. ``local`` and ``remote`` are the ``address:port`` of the phone's messages.

    ``note`` receives each message sent or received, as an event of ``leg``. Raises ``OSError`` when the far end cannot be reached.
    """

    def __init__(
        self,
        config: PhoneConfig,
        leg: str | None,
        transport: str,
        local: str,
        remote: str,
        note: Callable[[SipMessage], None],
        port_by: float,
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
                self._bind(int(local.rpartition(":")[2]), port_by)
                self._socket.connect(self._peer)
            except OSError:
                self._socket.close()
                raise
        else:
            self._socket = socket.create_connection(self._peer, _PATIENCE, (config.bind_address, 0))
            if transport == "tls":
                self._socket = self._wrap(self._socket)

    def _bind(self, port: int, by: float) -> None:
        """Bind to the phone's port; to any other port when it is still in use at ``by``, or does not exist on this machine."""
        host = self._config.bind_address
        while True:
            try:
                return self._socket.bind((host, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE or time.monotonic() >= by:
                    break
            time.sleep(_POLL_S)
        # A new phone may use the port by now. A request belongs to its dialog from any source port (RFC 3261
        # section 12.2.2), and rport returns the answer to this socket (RFC 3581).
        self._socket.bind((host, 0))

    def _wrap(self, plain: socket.socket) -> socket.socket:
        tls = self._config.tls
        context = ssl.create_default_context(cafile=tls.ca_file)
        if not tls.verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if tls.certificate:
            context.load_cert_chain(tls.certificate, tls.private_key)
        # The certificate names the proxy's host; the call's messages mostly contain addresses.
        known_as = [self._peer[0], host_of(self._config.proxy or "")]
        name = next((host for host in known_as if host and not is_address(host)), known_as[0])
        try:
            return context.wrap_socket(plain, server_hostname=name)
        except OSError:
            plain.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def ask(self, request: Request, realm: str | None) -> Message | None:
        """The final response to ``request``; one challenge is answered, for ``realm`` only (None: any realm)."""
        method, number = request.cseq.method, request.cseq.number
        answer = self.exchange(request, lambda m: isinstance(m, Response) and m.is_final and m.cseq.method == method)
        config = self._config
        if isinstance(answer, Response) and answer.is_challenge and config.username is not None:
            number += 1
            client = DigestClient(Credentials(config.username, config.password or "", realm))
            again = client.answer(request.setting("CSeq", str(CSeq(number, method))), answer)
            if again is not None:
                via = again.via
                again = again.setting("Via", str(via).replace(via.branch, via.branch + "a"))
                answer = self.exchange(
                    again, lambda m: isinstance(m, Response) and m.is_final and m.cseq.number == number
                )
        return answer

    def exchange(self, message: Message, wanted: Callable[[Message], bool]) -> Message | None:
        """The first ``wanted`` message received after sending ``message``; UDP retransmits as timers E and G do."""
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
                if isinstance(received, Request) and received.method == "BYE":  # the far end ended the call first
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
