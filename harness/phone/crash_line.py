"""A socket in the place of a phone whose process is gone: what it still has to tell the far end goes out from there.

Over UDP from the phone's own port if that comes free, over TCP and TLS on a new connection from its own address. Its messages may
name a router's address instead, which nobody here can bind to.
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
_PATIENCE: Final = 2.0  # four of them: longer than a far end that is there at all needs
#: Other processes of the run may have had calls at the same port (a shared phone), and hang up from there as well.
_PORT_PATIENCE: Final = 2 * _PATIENCE
_POLL_S: Final = 0.02


def port_deadline() -> float:
    """Until when the phone's own port is waited for, from now on."""
    return time.monotonic() + _PORT_PATIENCE


def only_realm(config: PhoneConfig, request: Request | None) -> str | None:
    """The one realm that gets an answer, as with the phone itself, which has sent ``request``; None: the one that asks now."""
    if config.realm:
        return None if config.realm == "*" else config.realm
    shown = request and (request.get("Proxy-Authorization") or request.get("Authorization"))
    return parse(shown).get("realm") if shown else None


class CrashLine:
    """A socket to the far end. ``local`` is what the phone's messages named, ``remote`` where they go (both ``address:port``).

    ``note`` gets what is sent and received, as of ``leg``. Raises ``OSError`` where nobody is there.
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
        """To the phone's port; to any other where that does not come free in time, or a router's port is none to be had here."""
        host = self._config.bind_address
        while True:
            try:
                return self._socket.bind((host, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE or time.monotonic() >= by:
                    break
            time.sleep(_POLL_S)
        # The phone may have been started anew there. A request belongs to its dialog wherever it comes from (RFC 3261
        # section 12.2.2), and rport brings the answer here (RFC 3581).
        self._socket.bind((host, 0))

    def _wrap(self, plain: socket.socket) -> socket.socket:
        tls = self._config.tls
        context = ssl.create_default_context(cafile=tls.ca_file)
        if not tls.verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if tls.certificate:
            context.load_cert_chain(tls.certificate, tls.private_key)
        # The phone knew whom it calls by the proxy's name; the call's messages, and the log, mostly have an address.
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
        """What :meth:`exchange` gives for a final response to ``request``; a challenge is answered once, in that realm (None: any)."""
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
        """Send until something ``wanted`` comes, over UDP again and again as timers E and G say."""
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
                if isinstance(received, Request) and received.method == "BYE":  # the far end was quicker
                    self.send(Response.to_request(received, 200))
                    return received
                if wanted(received):
                    return received
        return None

    def send(self, message: Message) -> None:
        """Send it once."""
        self._socket.sendall(message.raw)
        self._tell("sent", message)

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
                self._tell("received", message)
                found.append(message)
        return found

    def _tell(self, direction: Direction, message: Message) -> None:
        self._note(self.event(direction, message))

    def event(self, direction: Direction, message: Message) -> SipMessage:
        """The message as one of the phone's, now."""
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
