"""The router in between: the address that far ends see, by their answers and by STUN (RFC 8489, RFC 4787 section 4.1)."""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
import socket
import struct
import time

from harness.deployment import Account, is_address
from harness.run.preflight.lines import AUDIO, ProbeKind, ProbeResult, failed, ok, warning
from harness.sip.grammar import SipSyntaxError, split_host_port
from harness.witness.ports.probes import Probing, Target, UnresolvedError
from harness.witness.ports.wire import RequestOutcome

#: After how many seconds a STUN request is sent again.
_AGAIN_S = 0.3


def address_line(probing: Probing, place: Target, outcome: RequestOutcome) -> ProbeResult:
    """The address that the far end saw (``received``, ``rport``: RFC 3581), against the one that the phones will name."""
    assert outcome.response is not None
    assert outcome.local is not None
    name = ProbeKind.ADDRESS, place
    try:
        via = outcome.response.via
    except SipSyntaxError:
        return warning(*name, "the answer has no readable Via", AUDIO, "The far end breaks RFC 3261 section 8.2.6.2.")
    here, port = outcome.local
    # RFC 5118 section 4.5: an IPv6 address may stand in brackets there
    seen, seen_port = (via.params.get("received") or via.host).strip("[]"), via.params.get("rport") or str(port)
    accounts = [a for a in probing.deployment.accounts.values() if probing.account_place(a) == place]
    named = next((account.public_address for account in accounts if account.public_address), None)
    by_stun = any(account.stun_server for account in accounts)
    if named is not None and named != seen and is_address(named):
        fix = f"Set public_address to {seen}: audio is sent to the address that SDP names."
        return failed(*name, f"the far end sees {seen}, but public_address says {named}", AUDIO, fix)
    if seen == here:
        return ok(*name, f"{here}, no address translation")
    translated = f"{here} is seen as {seen}" + ("" if seen_port == str(port) else f", port {port} as {seen_port}")
    if named or by_stun:
        return ok(*name, f"{translated}; the phones name {named or 'what STUN tells'}")
    fix = (
        "Behind address translation audio needs a symmetric-RTP far end, and a call to a registered phone (an agent's) one that "
        f'goes by where its REGISTER came from, not by Contact; else give public_address = "{seen}", or stun_server.'
    )
    return warning(*name, f"{translated}, and the phones name {here}", AUDIO, fix)


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
    received: asyncio.Queue[bytes] = asyncio.Queue()

    class Datagrams(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            received.put_nowait(data)

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
    received: asyncio.Queue[bytes],
    server: tuple[str, int],
    within: float,
) -> tuple[str, int] | None:
    request, transaction = stun_request()
    sent_at = -math.inf
    try:
        async with asyncio.timeout(within):
            while True:
                if time.monotonic() - sent_at >= _AGAIN_S:
                    transport.sendto(request, server)
                    sent_at = time.monotonic()
                with contextlib.suppress(TimeoutError):
                    data = await asyncio.wait_for(received.get(), _AGAIN_S)
                    if found := stun_address(data, transaction):
                        return found
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
