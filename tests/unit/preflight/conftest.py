"""Small SIP, HTTP, STUN and DNS servers with configurable defects, and a deployment that points at
them.
"""

from __future__ import annotations

import asyncio
import io
import ipaddress
import itertools
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from rich.console import Console

from harness.deployment import Deployment, from_plain
from harness.run.preflight import ProbeKind, ProbeResult, Report, Status, answers, run, show
from harness.sip.digest import DigestServer
from harness.sip.framing import StreamFramer
from harness.sip.message import Message, Request, Response
from tests.certificates import Authority
from tests.loopback import fresh_address

OK, WARNING, FAILED = Status.OK, Status.WARNING, Status.FAILED
#: Patience for a silent far end; long enough for a TLS handshake on a busy machine.
SOON = {"patience": 1.5}

_TURNS = 5
#: The lowest port that the kernel picks by itself.
_CHOSEN_FROM = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])

Answer = Callable[[Request], "Response | bytes | None"]


def says(
    status: int, *headers: tuple[str, str], body: str = "", reason: str | None = None
) -> Answer:
    """A far end that gives every request this response."""
    return lambda request: Response.to_request(
        request, status, reason, tag="far", headers=headers, body=body
    )


def fine(request: Request) -> Response:
    return Response.to_request(request, 200, tag="far")


def silent(request: Request) -> None:
    return None


def registrar(
    password: str | None = "right", realm: str = "carrier.example", **options: Any
) -> Answer:
    """A far end that challenges REGISTER for the password of +14155550101."""
    server = DigestServer(realm, {"+14155550101": password}.get, **options)

    def answer(request: Request) -> Response:
        if request.method != "REGISTER" or server.verify(request).accepted:
            return fine(request)
        return Response.to_request(request, server.status, tag="far", headers=[server.challenge()])

    return answer


def only(method: str, answer: Answer) -> Answer:
    """A far end that gives this answer to one method, and 200 to others."""
    return lambda request: (answer if request.method == method else fine)(request)


def check(line: ProbeResult, status: Status, detail: str, fix: str = "", *, row: str = "") -> None:
    assert line.status is status, line
    assert detail in line.detail, line
    assert row == line.row, line
    assert fix in line.fix, line
    if status is not OK:
        assert line.fix, "what to do"


def printed(report: Report) -> str:
    """The report as the command shows it."""
    out = io.StringIO()
    show(Console(file=out, width=300), report, all_lines=False)
    return out.getvalue()


async def _settle() -> None:
    """Run a few iterations of the event loop, which an accepted connection needs to start its
    handler.
    """
    for _ in range(_TURNS):
        await asyncio.sleep(0)


class FarEnd:
    """Servers on one loop in a thread of their own."""

    def __init__(self, directory: Path, address: str | None = None) -> None:
        self.directory = directory
        self._authorities: dict[str, Authority] = {}
        self.address = address or fresh_address()
        self.requests: list[Request] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._closers: list[Callable[[], None]] = []
        self._listeners: list[int] = []
        self._closed_ports = itertools.count(_CHOSEN_FROM - 1, -1)
        # kept here, or a task that waits for it could be garbage collected
        self._never = asyncio.Event()

    def _do(self, work: Awaitable[Any]) -> Any:
        async def waits() -> Any:
            return await work

        return asyncio.run_coroutine_threadsafe(waits(), self._loop).result(10)

    def close(self) -> None:
        async def end() -> None:
            # a server that is closed between an accept and the connection's own first step leaves
            # its socket open
            for listener in self._listeners:
                self._loop.remove_reader(listener)
            await _settle()
            for closer in self._closers:
                closer()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await _settle()  # let closed connections finish

        self._do(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _datagrams(
        self, reply: Callable[[bytes, tuple[str, int]], bytes | None], port: int = 0
    ) -> int:
        """A port that replies to each datagram, unless the reply is None."""

        class Server(asyncio.DatagramProtocol):
            def connection_made(self, transport: Any) -> None:
                self.transport = transport

            def datagram_received(self, data: bytes, addr: Any) -> None:
                if (answer := reply(data, addr)) is not None:
                    self.transport.sendto(answer, addr)

        transport, _ = self._do(
            self._loop.create_datagram_endpoint(Server, local_addr=(self.address, port))
        )
        self._closers.append(transport.close)
        found: int = transport.get_extra_info("sockname")[1]
        return found

    # SIP

    def udp(self, answer: Answer = fine) -> int:
        """A port that answers datagrams."""
        return self._datagrams(lambda data, source: self._answered(data, answer))

    def _answered(self, data: bytes, answer: Answer) -> bytes | None:
        request = Message.parse(data)
        assert isinstance(request, Request)
        self.requests.append(request)
        response = answer(request)
        return None if response is None else bytes(response)

    def stream(
        self, answer: Answer = fine, context: ssl.SSLContext | None = None, *, hang_up: bool = False
    ) -> int:
        """A port that answers on connections, over TLS if there is a context."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            framer = StreamFramer()
            with suppress(OSError, asyncio.CancelledError):
                while data := await reader.read(65536):
                    if hang_up:
                        break
                    for raw in framer.feed(data):
                        writer.write(self._answered(raw, answer) or b"")
            writer.transport.abort()

        return self._serve(serve, context)

    def tls(self, **certificate: Any) -> int:
        """A port that answers over TLS, with such a certificate."""
        return self.stream(context=self.certificate(**certificate))

    def _serve(self, serve: Any, context: ssl.SSLContext | None) -> int:
        server = self._do(asyncio.start_server(serve, self.address, 0, ssl=context))
        self._closers.append(server.close)
        self._listeners.append(server.sockets[0].fileno())
        port: int = server.sockets[0].getsockname()[1]
        return port

    def closed_port(self) -> int:
        """A port without a listener, below the range from which the kernel picks ports."""
        return next(self._closed_ports)

    # HTTP

    def api(
        self,
        status: str = "200 OK",
        headers: str = "",
        *,
        body: str | Callable[[str], str] = '{"response": {"calls": []}}',
        silent: bool = False,
    ) -> str:
        """Start the API; returns its base address. ``body`` may depend on the request."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
                asked = (await reader.readuntil(b"\r\n\r\n")).decode()
                if silent:
                    await self._never.wait()
                text = body if isinstance(body, str) else body(asked)
                said = text if text[:3].isdigit() else status  # the body is a status line
                writer.write(
                    f"HTTP/1.1 {said}\r\nContent-Length: {len(text)}\r\n{headers}\r\n{text}".encode()
                )
                await writer.drain()
            writer.close()

        return f"http://{self.address}:{self._serve(serve, None)}/v2"

    # STUN

    def stun(self, mapped: Callable[[tuple[str, int], int], tuple[str, int]] | None) -> str:
        """Two adjacent STUN ports; ``mapped`` (source, index) gives the address they report."""

        def reply(which: int) -> Callable[[bytes, tuple[str, int]], bytes | None]:
            def answer(data: bytes, source: tuple[str, int]) -> bytes | None:
                if mapped is None:
                    return None
                host, port = mapped(source[:2], which)
                packed = int(ipaddress.IPv4Address(host)) ^ 0x2112A442
                value = b"\0\x01" + (port ^ 0x2112).to_bytes(2, "big") + packed.to_bytes(4, "big")
                return b"\x01\x01\0\x0c" + data[4:20] + b"\0\x20\0\x08" + value

            return answer

        port = self._datagrams(reply(0))
        self._datagrams(reply(1), port + 1)
        return f"{self.address}:{port}"

    # DNS

    def dns(
        self, zone: dict[tuple[str, str], list[str]], *, silent: bool = False
    ) -> dns.asyncresolver.Resolver:
        """A resolver that asks a name server with this zone."""

        def reply(data: bytes, source: tuple[str, int]) -> bytes | None:
            query = dns.message.from_wire(data)
            answer = dns.message.make_response(query)
            answer.flags |= dns.flags.RA
            question = query.question[0]
            name, kind = (
                question.name.to_text(omit_final_dot=True),
                dns.rdatatype.to_text(question.rdtype),
            )
            if records := zone.get((name, kind)):
                answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *records))
            elif not any(known == name for known, _ in zone):
                answer.set_rcode(dns.rcode.NXDOMAIN)
            return None if silent else answer.to_wire()

        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = [self.address]
        resolver.port = self._datagrams(reply)
        resolver.lifetime = resolver.timeout = 0.5 if silent else 10.0
        return resolver

    # Certificates

    def certificate(
        self,
        names: tuple[str, ...] | None = None,
        *,
        days: int = 90,
        starts: int = -1,
        signed_by: str = "ca",
        versions: tuple[ssl.TLSVersion, ssl.TLSVersion] = (
            ssl.TLSVersion.TLSv1_2,
            ssl.TLSVersion.TLSv1_2,
        ),
        common_name: str = "server",
        rsa_key: bool = False,
        is_mutual: bool = False,
    ) -> ssl.SSLContext:
        """A server's TLS context with this certificate; ``signed_by`` is ``ca``, ``stranger`` or
        ``self``. One that ``is_mutual`` asks its client for a certificate of ``ca``.
        """
        names = (self.address,) if names is None else names
        certificate, key = self._authority("ca" if signed_by == "self" else signed_by).issue(
            *names,
            days=(starts, days),
            common_name=common_name,
            self_signed=signed_by == "self",
            rsa_key=rsa_key,
        )
        path = self.directory / f"server-{certificate.stem}.pem"
        path.write_bytes(certificate.read_bytes() + key.read_bytes())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        context.minimum_version, context.maximum_version = versions
        if is_mutual:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca_file)
        return context

    def pem(self, names: tuple[str, ...], **options: Any) -> str:
        """A file with a certificate for these names and its key."""
        before = set(self.directory.glob("server-*.pem"))
        self.certificate(names, **options)
        (made,) = set(self.directory.glob("server-*.pem")) - before
        return str(made)

    @property
    def ca_file(self) -> str:
        """The authority of ``signed_by="ca"``."""
        return self._authority("ca").ca_file

    def _authority(self, name: str) -> Authority:
        if name not in self._authorities:
            self._authorities[name] = Authority(self.directory, name)
        return self._authorities[name]


@pytest.fixture
def far(tmp_path: Path) -> Iterator[FarEnd]:
    far = FarEnd(tmp_path)
    yield far
    far.close()


class Lab:
    """A small deployment whose account is at a port of ``far`` that answers; tests change it and run
    preflight.
    """

    def __init__(self, far: FarEnd, monkeypatch: pytest.MonkeyPatch) -> None:
        self.far = far
        self.monkeypatch = monkeypatch
        self.settings: dict[str, Any] = {"patience": 10.0}  # tests of silence pass SOON
        self.plain: dict[str, Any] = {
            "name": "lab",
            "integration": "talkdesk",
            "kind": "live",
            "ca_file": far.ca_file,
            "platform": {"domain": "acme.example"},
            "trunks": [
                {
                    "name": "udp-ip",
                    "transport": "udp",
                    "port": 32681,
                    "ai": "stand-in",
                    "host": "127.0.0.1",
                    "termination": None,
                }
            ],
            "lines": {"inbound": {"did": "+13125550100", "assistant": "main"}},
            "assistants": {"main": {"did": "+12065550100"}},
            "accounts": {
                "carrier": {
                    "domain": "carrier.example",
                    "transport": "udp",
                    "host": far.address,
                    "port": far.udp(),
                    "register": True,
                }
            },
            "phones": {
                "caller": {"account": "carrier", "number": "+14155550101", "password": "right"}
            },
        }

    @property
    def account(self) -> dict[str, Any]:
        account: dict[str, Any] = self.plain["accounts"]["carrier"]
        return account

    @property
    def trunk(self) -> dict[str, Any]:
        trunk: dict[str, Any] = self.plain["trunks"][0]
        return trunk

    def resolves(self, zone: dict[tuple[str, str], list[str]], **options: Any) -> None:
        self.settings["resolver"] = self.far.dns(zone, **options)

    def deployment(self) -> Deployment:
        return from_plain(self.plain)

    def report(self, **settings: Any) -> Report:
        return run(self.deployment(), **(self.settings | settings))

    def lines(self) -> dict[ProbeKind, ProbeResult]:
        """A line of each kind."""
        return {line.look: line for line in self.report().lines}

    def line(self, start: str, **settings: Any) -> ProbeResult:
        """The only line whose name begins with ``start``."""
        report = self.report(**settings)
        found = [line for line in report.lines if line.name.startswith(start)]
        assert len(found) == 1, [line.name for line in report.lines]
        return found[0]


@pytest.fixture
def lab(far: FarEnd, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """With a high bound for slow answers, since the machine may be busy."""
    monkeypatch.setattr(answers, "SLOW_S", 10.0)
    return Lab(far, monkeypatch)
