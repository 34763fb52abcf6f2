"""A wire between platform and AI that changes bytes: everybody's address is translated, so that
neither side notices.

Towards the AI it has an address that stands for the platform, towards the platform one that stands
for the AI; ports stay as they are. Digest credentials are left alone: their hash is over what the
sender wrote.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.sip.framing import PING, FramingError, StreamFramer
from tools.strangers.fault import Media, Side, Sip
from tools.strangers.media import AgentsRelay, Flow

_CREDENTIALS = re.compile(rb"(?im)^(?:proxy-)?authorization:[^\r\n]*")
_LOOPBACK = re.compile(rb"(?m)^c=IN IP4 (127\.[\d.]+)")
_AUDIO = re.compile(rb"(?m)^m=audio (\d+) ")
_PRETENDED = 9  #: the port that nobody listens at
_PEAK = 65536
_PULSE_S = 0.05
_BACK: Mapping[Side, Side] = {"to-ai": "from-ai", "from-ai": "to-ai"}
Send = Callable[[bytes], None]


@dataclass(frozen=True)
class Places:
    """Addresses: the two programs, and what stands for each of them on the other side."""

    platform: str
    platform_seen: str  #: by the AI
    ai: str
    ai_seen: str  #: by the platform
    platform_ports: tuple[int, int]  #: for UDP and TCP, and for TLS
    ai_ports: tuple[int, int]
    relay: str  #: the platform's media relay
    relay_seen: str  #: by agents, where RTP with them is changed
    relay_ports: range


@dataclass
class _Calls:
    """What is known of the calls under way, by Call-ID."""

    flows: dict[bytes, Flow] = field(default_factory=dict)
    with_agents: AgentsRelay | None = None

    def close(self) -> None:
        for flow in self.flows.values():
            flow.close()
        if self.with_agents is not None:
            self.with_agents.close()


class Wire:
    """Runs in a thread of its own between ``with`` and its end."""

    def __init__(self, places: Places, server: ssl.SSLContext, client: ssl.SSLContext) -> None:
        self._places, self._server_tls, self._client_tls = places, server, client
        self._changes: Sequence[Sip | Media] = ()
        self._calls = _Calls()
        self._udp: dict[tuple[Side, int], asyncio.DatagramTransport] = {}
        self._sources: dict[
            tuple[Side, int], str
        ] = {}  #: who sent from that port last: an answer goes there
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._servers: list[asyncio.Server] = []
        self._opening: dict[tuple[Side, int], asyncio.Lock] = {}
        self._late_s = 0.0
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)
        self._to_ai = _translation(
            (places.ai_seen, places.ai), (places.platform, places.platform_seen)
        )
        self._to_platform = _translation(
            (places.ai, places.ai_seen), (places.platform_seen, places.platform)
        )

    def __enter__(self) -> Wire:
        self._thread.start()
        self._do(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def becomes(self, changes: Sequence[Sip | Media]) -> None:
        """From now on these changes are made, and calls under way are forgotten."""

        async def change() -> None:
            self._calls.close()
            self._calls = _Calls()
            self._changes = changes
            media = [change for change in changes if isinstance(change, Media)]
            if any(change.side in ("to-agent", "from-agent") for change in media):
                p = self._places
                self._calls.with_agents = AgentsRelay(p.relay_seen, p.relay, p.relay_ports, media)

        self._do(change())

    def late_s(self) -> float:
        """For how long the wire itself held up at worst what it should have passed on, since this
        was last asked.
        """
        late, self._late_s = self._late_s, 0.0
        return late

    async def _watch(self) -> None:
        while True:
            before = self._loop.time()
            await asyncio.sleep(_PULSE_S)
            self._late_s = max(self._late_s, self._loop.time() - before - _PULSE_S)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    # -- opening and closing

    async def _open(self) -> None:
        p = self._places
        self._keep(self._watch())
        listening: Sequence[tuple[Side, tuple[int, int]]] = (
            ("to-ai", p.ai_ports),
            ("from-ai", p.platform_ports),
        )
        for side, ports in listening:
            for port, tls in zip(ports, (None, self._server_tls), strict=True):
                await self._datagrams(side, port)
                await self._listen(side, port, tls)

    async def _close(self) -> None:
        self._calls.close()
        for server in self._servers:
            server.close()
        for transport in self._udp.values():
            transport.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _own(self, side: Side) -> str:
        """The wire's address where what goes that way arrives."""
        return self._places.ai_seen if side == "to-ai" else self._places.platform_seen

    def _far_end(self, side: Side) -> str:
        """Who is reached that way."""
        return self._places.ai if side == "to-ai" else self._places.platform

    async def _listen(self, side: Side, port: int, tls: ssl.SSLContext | None) -> None:
        def started(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._keep(self._connection(side, port, tls is not None, reader, writer))

        self._servers.append(await asyncio.start_server(started, self._own(side), port, ssl=tls))

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- datagrams

    async def _datagrams(self, side: Side, port: int) -> asyncio.DatagramTransport:
        """The socket where what goes that way arrives: ``to-ai`` stands for the AI's port ``port``."""
        opening = self._opening.setdefault((side, port), asyncio.Lock())
        async with opening:  # the next packet waits for it
            if (side, port) not in self._udp:
                made, _ = await self._loop.create_datagram_endpoint(
                    lambda: _Datagrams(
                        lambda data, source: self._keep(self._datagram(side, port, data, source))
                    ),
                    local_addr=(self._own(side), port),
                )
                self._udp[side, port] = made
        return self._udp[side, port]

    async def _datagram(self, side: Side, port: int, data: bytes, source: tuple[str, int]) -> None:
        """``port`` is the receiver's own; the sender's port is kept on the other side as well."""
        host = self._sources.get((side, port), self._far_end(side))
        if data.strip(b"\r\n\0 "):
            back = _BACK[side]
            self._sources[back, source[1]] = source[0]
            out = await self._datagrams(back, source[1])
            self._pass(side, data, lambda changed: out.sendto(changed, (host, port)))

    # -- connections

    async def _connection(
        self,
        side: Side,
        port: int,
        tls: bool,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        back = _BACK[side]
        context = self._client_tls if tls else None
        try:
            far_reader, far_writer = await asyncio.open_connection(
                self._far_end(side), port, ssl=context, local_addr=(self._own(back), 0)
            )
        except OSError:
            writer.close()
            return
        for each in (writer, far_writer):
            if made := each.get_extra_info("socket"):  # none where it has been closed already
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(
            self._stream(side, reader, far_writer), self._stream(back, far_reader, writer)
        )

    async def _stream(
        self, side: Side, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        framer = StreamFramer()

        def send(data: bytes) -> None:
            if not writer.is_closing():
                writer.write(data)

        with contextlib.suppress(OSError, FramingError, asyncio.IncompleteReadError):
            while data := await reader.read(_PEAK):
                for message in framer.feed(data):
                    if message == PING:
                        send(message)
                    else:
                        self._pass(side, message, send)
        writer.close()

    # -- messages

    def _pass(self, side: Side, data: bytes, send: Send) -> None:
        wait, copies, message = 0.0, 1, data
        kind = self._kind(message)
        for change in self._changes:
            if isinstance(change, Sip) and change.side == side and _fits(change.kind, kind):
                if change.do == "drop":
                    return
                if change.do == "hold":
                    wait = change.seconds
                elif change.do == "copy":
                    copies = 2
                else:
                    message = re.sub(change.pattern.encode(), change.into.encode(), message)
        message = self._translated(side, self._relayed(side, message))
        for _ in range(copies):
            if wait:
                self._loop.call_later(wait, send, message)
            else:
                send(message)

    def _kind(self, message: bytes) -> str:
        """A method (``INVITE*`` within a dialog), or a status with its method."""
        start = message.partition(b"\r\n")[0].decode("utf-8", "replace")
        method = (_header(message, b"CSeq") or b"").split()[-1:]
        name = method[0].decode() if method else ""
        if start.startswith("SIP/2.0 "):
            return f"{start.split()[1]} {name}"
        within = b"tag=" in (_header(message, b"To|t") or b"")
        return f"{name}*" if within and name == "INVITE" else name

    def _translated(self, side: Side, message: bytes) -> bytes:
        translate = self._to_ai if side == "to-ai" else self._to_platform
        kept = _CREDENTIALS.findall(message)
        message = translate(message)
        for index, found in enumerate(list(_CREDENTIALS.finditer(message))):
            message = message.replace(found[0], kept[index])
        return _measured(message)

    def _relayed(self, side: Side, message: bytes) -> bytes:
        """An SDP that names the wire's own ports instead of its sender's; what names no address of
        this machine stays.
        """
        address, audio = _LOOPBACK.search(message), _AUDIO.search(message)
        call = _header(message, b"Call-ID|i")
        if address is None or audio is None or call is None or int(audio[1]) in (0, _PRETENDED):
            return message
        p = self._places
        flow = self._calls.flows.get(call)
        if flow is None:
            media = [change for change in self._changes if isinstance(change, Media)]
            flow = self._calls.flows[call] = Flow(p.platform_seen, p.ai_seen, media)
        back = _BACK[side]
        flow.peers[back] = (address[1].decode(), int(audio[1]))
        shown, port = self._own(back), flow.port_towards(side)
        # written as the sender's side knows it: the translation of addresses comes behind
        message = _LOOPBACK.sub(b"c=IN IP4 " + shown.encode().replace(b".", b"\0"), message)
        message = _AUDIO.sub(b"m=audio %d " % port, message)
        return re.sub(rb"(?m)^a=rtcp:\d+[^\r\n]*", b"a=rtcp:%d" % (port + 1), message)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, arrived: Callable[[bytes, tuple[str, int]], None]) -> None:
        self._arrived = arrived

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Hand it on."""
        self._arrived(data, addr)


def _fits(wanted: str, kind: str) -> bool:
    return wanted == "*" or wanted == kind or (wanted == "INVITE" and kind == "INVITE*")


def _header(message: bytes, name: bytes) -> bytes | None:
    found = re.search(
        rb"(?im)^(?:" + name + rb")[ \t]*:[ \t]*([^\r\n]*)", message.partition(b"\r\n\r\n")[0]
    )
    return found[1] if found else None


def _translation(*pairs: tuple[str, str]) -> Callable[[bytes], bytes]:
    """Replaces addresses, all at once, where they stand whole; what the relay has written is made
    whole then.
    """
    into = {old.encode(): new.encode() for old, new in pairs}
    pattern = re.compile(rb"(?<![\d.])(" + b"|".join(map(re.escape, into)) + rb")(?![\d])")

    def translate(message: bytes) -> bytes:
        return pattern.sub(lambda found: into[found[1]], message).replace(b"\0", b".")

    return translate


def _measured(message: bytes) -> bytes:
    """The message with its Content-Length as it is now."""
    head, blank, body = message.partition(b"\r\n\r\n")
    head = re.sub(rb"(?im)^(content-length|l)([ \t]*):[^\r\n]*", rb"\1\2: %d" % len(body), head)
    return head + blank + body


def contexts(certificate: str, key: str) -> Iterator[ssl.SSLContext]:
    """For those who connect to the wire, and for whom it connects to; it looks at nobody's
    certificate.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    for context in (server, client):
        context.load_cert_chain(certificate, key)
        yield context
