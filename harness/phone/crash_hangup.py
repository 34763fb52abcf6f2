"""Hang up for a phone whose process is gone: the far end of each of its calls would talk on.

The dialog is rebuilt from the leg's messages (``pending_teardown.py``), and the BYE, CANCEL or refusal goes out from a plain socket:
over UDP from the phone's own port if it comes free, over TCP and TLS on a new connection from its own address. Its messages may
name a router's address instead, which nobody here can bind to.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from harness.deployment import is_address
from harness.events import Direction, Event, Recorded, SipMessage
from harness.phone import recording
from harness.phone.config import PhoneConfig
from harness.phone.pending_teardown import Teardown, acknowledgement, acknowledgement_of_success, pending_teardown
from harness.sip.digest import Credentials, DigestClient, parse
from harness.sip.framing import StreamFramer
from harness.sip.grammar import SipSyntaxError, host_of
from harness.sip.headers import CSeq
from harness.sip.message import Message, Request, Response

_T1: Final = 0.5  # RFC 3261 table 4
_PATIENCE: Final = 2.0  # four of them: longer than a far end that is there at all needs
#: Other processes of the run may have had calls at the same port (a shared phone), and hang up from there as well.
_PORT_PATIENCE: Final = 2 * _PATIENCE
_POLL_S: Final = 0.02


def end(
    config: PhoneConfig, directory: Path, leg: str, messages: Sequence[SipMessage], note: Callable[[Event], None]
) -> bool:
    """What :func:`hang_up` returns; makes whole what the process recorded in ``directory``, too. ``note`` gets the events."""
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


def hang_up(config: PhoneConfig, leg: str, messages: Sequence[SipMessage], note: Callable[[SipMessage], None]) -> bool:
    """End the call that ``messages`` describe; ``note`` gets what is sent and received on the way.

    True when the far end knows, or there was nothing to end. Takes two seconds at most for each message it sends, and four
    for the phone's port to come free.
    """
    teardown = pending_teardown(messages)
    if teardown is None:
        return True
    port_by = time.monotonic() + _PORT_PATIENCE
    for address in dict.fromkeys((teardown.next_hop, teardown.last_peer)):
        try:
            with _Line(config, leg, teardown, address, note, port_by) as line:
                if line.settle():
                    return True
        except (OSError, SipSyntaxError, ValueError):
            continue
    return False


class _Line:
    """A socket to the far end, for one message and its answers."""

    def __init__(
        self,
        config: PhoneConfig,
        leg: str,
        teardown: Teardown,
        address: str,
        note: Callable[[SipMessage], None],
        port_by: float,
    ) -> None:
        self._config, self._leg, self._teardown, self._note = config, leg, teardown, note
        self._remote = address
        host, port = address.rsplit(":", 1)
        self._peer = (host.strip("[]"), int(port))
        family = socket.AF_INET6 if ":" in self._peer[0] else socket.AF_INET
        self._datagrams = teardown.transport == "udp"
        self._framer = StreamFramer()
        if self._datagrams:
            self._socket = socket.socket(family, socket.SOCK_DGRAM)
            try:
                self._bind(int(teardown.local.rpartition(":")[2]), port_by)
                self._socket.connect(self._peer)
            except OSError:
                self._socket.close()
                raise
        else:
            self._socket = socket.create_connection(self._peer, _PATIENCE, (config.bind_address, 0))
            if teardown.transport == "tls":
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

    def __enter__(self) -> _Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def settle(self) -> bool:
        """Send the message and see it answered."""
        teardown = self._teardown
        if isinstance(teardown.message, Response):
            return self._refuse(teardown.message)
        if teardown.message.method == "CANCEL":
            return self._cancel(teardown.message)
        return self._bye(teardown.message)

    def _bye(self, bye: Request) -> bool:
        answer = self._exchange(bye, lambda m: isinstance(m, Response) and m.is_final and m.cseq.method == "BYE")
        if answer is None:
            return False
        config = self._config
        if isinstance(answer, Response) and answer.is_challenge and config.username is not None:
            number = bye.cseq.number + 1
            client = DigestClient(Credentials(config.username, config.password or "", self._only_realm(bye)))
            again = client.answer(bye.setting("CSeq", str(CSeq(number, "BYE"))), answer)
            if again is not None:
                via = again.via
                again = again.setting("Via", str(via).replace(via.branch, via.branch + "a"))
                answer = self._exchange(
                    again, lambda m: isinstance(m, Response) and m.is_final and m.cseq.number == number
                )
        return isinstance(answer, Response) and not answer.is_challenge

    def _only_realm(self, bye: Request) -> str | None:
        """The one realm that gets an answer, as with the phone itself; None: the one that asks now."""
        if realm := self._config.realm:
            return None if realm == "*" else realm
        invite = self._teardown.invite
        shown = invite.get("Proxy-Authorization") or invite.get("Authorization")
        return parse(shown).get("realm") if shown and invite.from_.tag == bye.from_.tag else None

    def _cancel(self, cancel: Request) -> bool:
        """CANCEL until the INVITE has its final response; a 2xx that crossed it gets its ACK, and a BYE."""
        final = self._exchange(cancel, lambda m: isinstance(m, Response) and m.is_final and m.cseq.method == "INVITE")
        if not isinstance(final, Response):
            return False
        invite = self._teardown.invite
        if not final.is_success:
            self._send(acknowledgement(invite, final))
            return True
        self._send(acknowledgement_of_success(invite, final, self._teardown.local, self._teardown.transport))
        sent = replace(self._event("sent", invite), local=self._teardown.local)
        bye = pending_teardown([sent, self._event("received", final)])
        return bye is not None and isinstance(bye.message, Request) and self._bye(bye.message)

    def _refuse(self, refusal: Response) -> bool:
        """The final response, until its ACK comes."""
        return self._exchange(refusal, lambda m: isinstance(m, Request) and m.method == "ACK") is not None

    def _exchange(self, message: Message, wanted: Callable[[Message], bool]) -> Message | None:
        """Send until something ``wanted`` comes, over UDP again and again as timers E and G say."""
        deadline, interval = time.monotonic() + _PATIENCE, _T1
        again = time.monotonic()
        while (now := time.monotonic()) < deadline:
            if now >= again:
                self._send(message)
                again = now + interval if self._datagrams else deadline
                interval *= 2
            for received in self._receive(min(again, deadline) - time.monotonic()):
                if received.call_id != message.call_id:
                    continue
                if isinstance(received, Request) and received.method == "BYE":  # the far end was quicker
                    self._send(Response.to_request(received, 200))
                    return received
                if wanted(received):
                    return received
        return None

    def _send(self, message: Message) -> None:
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
                message = Message.parse(raw)
                self._tell("received", message)
                found.append(message)
        return found

    def _tell(self, direction: Direction, message: Message) -> None:
        self._note(self._event(direction, message))

    def _event(self, direction: Direction, message: Message) -> SipMessage:
        host, port = self._socket.getsockname()[:2]
        return SipMessage(
            at=time.monotonic(),
            phone=self._config.name,
            leg=self._leg,
            direction=direction,
            transport=self._teardown.transport,
            local=f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            remote=self._remote,
            text=message.raw.decode("utf-8", "surrogateescape"),
        )
