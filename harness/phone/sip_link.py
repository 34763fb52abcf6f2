"""A client's socket for single SIP messages, without a softphone."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from typing import Any, Final, Self

from harness.sip.framing import StreamFramer
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message
from harness.support.network_text import redacted_bytes

_T1_S: Final = 0.5  # RFC 3261 table 4


class SipLink(asyncio.Protocol, asyncio.DatagramProtocol):
    """Sends messages to one address, and queues those that arrive.

    Used for single requests: to end calls of a softphone that died, and to ask a SIP port what it
    answers.
    """

    def __init__(self, transport: str) -> None:
        self.transport = transport
        #: Messages; the error of an unreadable one, of the socket, or EOFError of a closed
        #: connection.
        self._received: asyncio.Queue[Message | Exception] = asyncio.Queue()
        self._framer = StreamFramer()
        self._closed = asyncio.Event()
        self._socket: Any = None  # asyncio's transports have no common class with abort()
        self.local: tuple[str, int] = ("", 0)
        self.certificate: bytes | None = None  #: of a TLS server, DER
        self.tls_version = self.cipher = ""  #: what was negotiated

    async def open(
        self,
        remote: tuple[str, int],
        local: tuple[str, int] | None,
        context: ssl.SSLContext | None = None,
        name: str | None = None,
    ) -> None:
        """Bind to ``local`` and connect; ``name`` is the TLS server's. Raises OSError."""
        loop = asyncio.get_running_loop()
        if self.transport == "udp":
            self._socket, _ = await loop.create_datagram_endpoint(
                lambda: self, local_addr=local, remote_addr=remote
            )
        else:
            self._socket, _ = await loop.create_connection(
                lambda: self, *remote, ssl=context, server_hostname=name, local_addr=local
            )
            session = self._socket.get_extra_info("ssl_object")
            if session:
                self.certificate = session.getpeercert(binary_form=True)
                self.tls_version = str(session.version())
                self.cipher = str(session.cipher()[0])
        self.local = self._socket.get_extra_info("sockname")[:2]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._socket is not None:
            self._socket.abort()

    async def lasts(self, seconds: float) -> bool:
        """Whether a connection is still open after so many seconds."""
        try:
            await asyncio.wait_for(self._closed.wait(), seconds)
        except TimeoutError:
            return True
        return False

    def send(self, message: Message) -> None:
        """Send a message once."""
        write = self._socket.sendto if self.transport == "udp" else self._socket.write
        write(message.raw)

    async def exchange(
        self, message: Message, within: float
    ) -> AsyncIterator[Message | SipSyntaxError]:
        """Send a message, over UDP again as timers E and G do (RFC 3261 sections 17.1.2.2 and
        17.2.1); yields what arrives, or why it cannot be read, for ``within`` seconds.

        Raises OSError, and EOFError when the connection was closed.
        """
        now = asyncio.get_running_loop().time
        deadline = now() + within
        again = 0.0  # when to send: at once, then after T1, 2 × T1 …
        interval = _T1_S
        while now() < deadline:
            if now() >= again:
                self.send(message)
                again = deadline  # TCP and TLS repeat by themselves
                if self.transport == "udp":
                    again = now() + interval
                interval *= 2
            try:
                async with asyncio.timeout_at(min(again, deadline)):
                    arrived = await self._received.get()
            except TimeoutError:
                continue
            if isinstance(arrived, Message | SipSyntaxError):
                yield arrived
            else:
                raise arrived

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Called by asyncio."""
        self._take(data)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        try:
            for raw in self._framer.feed(data):
                self._take(raw)
        except SipSyntaxError as error:
            self._received.put_nowait(error)
            self._closed.set()

    def _take(self, raw: bytes) -> None:
        if raw.strip():  # no keep-alive
            try:
                self._received.put_nowait(Message.parse(redacted_bytes(raw)))
            except SipSyntaxError as error:
                self._received.put_nowait(error)

    def error_received(self, exc: Exception) -> None:
        """Called by asyncio: of UDP."""
        self._received.put_nowait(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self._received.put_nowait(exc or EOFError("the connection was closed without an answer"))
        self._closed.set()
