"""The router in between, by STUN: its public address, and whether it keeps to one port (RFC 8489, RFC 4787 section 4.1)."""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct

from harness.deployment import Account
from harness.run.preflight.lines import AUDIO, ProbeKind, ProbeResult, failed, ok, warning
from harness.sip.grammar import split_host_port
from harness.witness.ports.probes import Probing, Target, UnresolvedError


async def stun_line(probing: Probing, name: str, account: Account) -> ProbeResult:
    """The address the account's phones will be told, and the kind of mapping."""
    line = ProbeKind.STUN, name
    assert account.stun_server is not None
    host, port = split_host_port(account.stun_server)
    port = port or 3478  # RFC 8489 section 18.6
    fix = f"Correct accounts.{name}.stun_server, or give public_address instead."
    try:
        address = await probing.address(Target(host, port, "udp"))
    except UnresolvedError as error:
        return failed(*line, str(error), AUDIO, fix)
    loop = asyncio.get_running_loop()
    received: asyncio.Queue[tuple[bytes, int]] = asyncio.Queue()

    class Datagrams(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            received.put_nowait((data, addr[1]))

    transport, _ = await loop.create_datagram_endpoint(Datagrams, local_addr=(account.bind or "0.0.0.0", 0))
    try:
        here = transport.get_extra_info("sockname")[:2]
        mapped = await _mapped(transport, received, (address, port), probing.patience)
        # A second port of the same server tells whether the mapping depends on whom one talks to; most servers have 3479.
        other = await _mapped(transport, received, (address, port + 1), min(0.5, probing.patience)) if mapped else None
    finally:
        transport.close()
    if mapped is None:
        return failed(*line, f"{account.stun_server} does not answer", AUDIO, fix)
    said = f"{mapped[0]}:{mapped[1]}"
    if other is not None and other != mapped:
        return warning(
            *line,
            f"{said} to one port, {other[0]}:{other[1]} to another: the mapping depends on the destination",
            AUDIO,
            "STUN cannot help behind such a router: use public_address with forwarded ports, or a far end with symmetric RTP.",
        )
    kind = (
        "one mapping for all destinations" if other else "its second port is silent, so the kind of mapping is unknown"
    )
    translation = "no address translation" if mapped == here else kind
    return ok(*line, f"{said}, {translation}")


async def _mapped(
    transport: asyncio.DatagramTransport,
    received: asyncio.Queue[tuple[bytes, int]],
    server: tuple[str, int],
    within: float,
) -> tuple[str, int] | None:
    request, transaction = stun_request()
    try:
        async with asyncio.timeout(within):
            while True:
                transport.sendto(request, server)
                try:
                    async with asyncio.timeout(0.3):
                        while True:
                            data, _ = await received.get()
                            if found := stun_address(data, transaction):
                                return found
                except TimeoutError:
                    continue
    except TimeoutError:
        return None


def stun_request() -> tuple[bytes, bytes]:
    """A binding request and its transaction id (RFC 8489 section 5)."""
    transaction = secrets.token_bytes(12)
    return struct.pack("!HHI", 1, 0, 0x2112A442) + transaction, transaction


def stun_address(answer: bytes, transaction: bytes) -> tuple[str, int] | None:
    """The mapped address of a binding response, None when it is none or has none (RFC 8489 sections 14.1 and 14.2)."""
    if len(answer) < 20 or answer[:2] != b"\x01\x01" or answer[8:20] != transaction:
        return None
    rest, found = answer[20:], None
    while len(rest) >= 4:
        kind, length = struct.unpack("!HH", rest[:4])
        value = rest[4 : 4 + length]
        if kind in (0x0001, 0x0020) and len(value) >= 8 and value[1] == 1:
            port = int.from_bytes(value[2:4], "big")
            address = int.from_bytes(value[4:8], "big")
            if kind == 0x0020:
                port, address = port ^ 0x2112, address ^ 0x2112A442
            found = (socket.inet_ntoa(address.to_bytes(4, "big")), port)
            if kind == 0x0020:  # a router may have rewritten the plain one
                return found
        rest = rest[4 + (length + 3) // 4 * 4 :]
    return found
