"""DNS and address translation: has every host an address, do SRV and NAPTR agree with the file (RFC
3263), and which address do far ends see (RFC 8489)?
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
import socket
import struct
import time
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from harness.deployment import Account, Trunk, is_address
from harness.run.preflight.lines import Look, ProbeKind, ProbeResult
from harness.sip.grammar import SipSyntaxError, split_host_port
from harness.witness.ports.dns_questions import NO_NAME, NO_RECORD
from harness.witness.ports.probes import Probing, Target, UnresolvedError, termination
from harness.witness.ports.services import SERVICES
from harness.witness.ports.wire import RequestOutcome

#: What NAPTR calls the services of RFC 3263 section 4.1, by transport.
_NAPTR = {"udp": "SIP+D2U", "tcp": "SIP+D2T", "tls": "SIPS+D2T"}


def hosts(probing: Probing) -> dict[str, str]:
    """Every host the deployment names, and what for; addresses are left out."""
    deployment = probing.deployment
    found: dict[str, str] = {}

    def note(host: str | None, what: str) -> None:
        if host and not is_address(host):
            found.setdefault(host, what)

    for name, account in deployment.accounts.items():
        place = probing.account_place(account)
        note(place.host if place else None, f"accounts.{name}.host")
        if account.stun_server:
            note(split_host_port(account.stun_server)[0], f"accounts.{name}.stun_server")
    note(deployment.platform.host, "platform.host")
    for trunk in deployment.trunks:
        note(trunk.host, f"trunk {trunk.name}, host")
        end = termination(deployment, trunk)
        note(end.host if end else None, f"trunk {trunk.name}, termination")
    for reached in deployment.interfaces():
        note(urlsplit(reached.api_base or "").hostname, "synthflow.api_base")
    if deployment.campaign:
        note(urlsplit(deployment.campaign.url or "").hostname, "campaign.url")
    return found


async def host_line(look: Look, probing: Probing, what: str) -> ProbeResult:
    """A and AAAA records."""
    host = look.subject
    found = await probing.look_up(host)
    said = ", ".join(f"{kind} {address}" for kind, address in found.records)
    if found.by_hosts_file:
        said += ", by this machine's own table"
    if found.records and (found.of("A") or host not in probing.called_by_phones):
        return look.ok(said)
    if found.trouble:
        fix = "Check this machine's DNS servers."
        return look.failed(f"it cannot be resolved: {found.trouble}", fix)
    if found.records:
        fix = f"Give {what} a name with an A record, or an IPv6 address and an IPv6 bind."
        return look.failed(f"{said}: no IPv4, and softphones resolve IPv4 only", fix)
    fix = f"Check {what}: the name does not exist."
    if NO_NAME not in found.problems:
        fix = f"Name a host with an address as {what}: this name is there, and has none; SRV records are followed only without a port."
    if "termination" in what:
        fix += " The Termination URI is the platform's SBC."
    return look.failed("it has no address", fix)


async def allowlist_line(look: Look, probing: Probing, trunk: Trunk, end: Target) -> ProbeResult:
    """The addresses the platform allows, as the file lists them, have those the AI's host resolves
    to.
    """
    try:
        found = sorted(await probing.addresses(end))
    except UnresolvedError as error:
        fix = "Correct the name, then look again: nothing is known of its addresses."
        return look.warning(str(error), fix)
    allowed = trunk.allowed_addresses
    if unlisted := [address for address in found if not _is_listed(address, allowed)]:
        fix = "Add it to the platform's Allowed IPs, and to the file; ask Synthflow's support for the current list."
        said = f"{end.host} is at {', '.join(unlisted)}, which allowed_addresses does not list"
        return look.failed(said, fix)
    return look.ok(f"{', '.join(found)} is listed")


def _is_listed(address: str, allowed: Sequence[str]) -> bool:
    """Whether an address or network of the list contains it; names in the list are ignored."""
    for entry in allowed:
        with contextlib.suppress(ValueError):
            if ip_address(address) in ip_network(entry.strip("[]"), strict=False):
                return True
    return False


async def service_line(look: Look, probing: Probing, account: Account) -> ProbeResult:
    """SRV and NAPTR of an account's domain; a domain without them is reached by the host in the
    file, and that is fine.
    """
    service, wanted = SERVICES[account.transport], _NAPTR[account.transport]
    naptr, srv = await probing.ask_dns(account.domain, "NAPTR", f"{service} SRV")
    trouble = {answer for answer in (naptr, srv) if isinstance(answer, str)}
    trouble -= {NO_NAME, NO_RECORD}
    if trouble:
        fix = "Check this machine's DNS servers; the file's host is used."
        return look.warning(f"not known: {', '.join(sorted(trouble))}", fix)
    said = []
    offered = []
    if not isinstance(naptr, str):
        services = [record.service.decode("utf-8", "replace") for record in naptr]
        # a domain may also have NAPTR of ENUM or RADIUS; RFC 3263 section 4.1 names these, in upper
        # or lower case
        offered = [text for text in services if text.upper().startswith(("SIP+", "SIPS+"))]
    if offered:
        said.append(f"NAPTR {', '.join(offered)}")
    targets = []
    if not isinstance(srv, str):
        targets = [(str(record.target).rstrip("."), int(record.port)) for record in srv]
    if targets:
        named = [f"{host}:{port}" if host else "." for host, port in targets]
        said.append(f"SRV {service} {', '.join(named)}")
    found = "; ".join(said)
    has_a_host = any(host for host, _ in targets)
    if targets and not has_a_host:  # RFC 2782: "." says that there is no such service
        said_so = f"{found}: the domain says that it has no SIP over {account.transport}"
        return look.warning(said_so, "Check the account's transport.")
    if offered and wanted not in [text.upper() for text in offered]:
        nothing = f"The domain announces no SIP over {account.transport}"
        fix = f"{nothing}: check the account's transport."
        return look.warning(f"{found}: nothing for {account.transport}", fix)
    ports = {None, *(port for _, port in targets)}
    if targets and (account.host, account.port) not in targets and account.port not in ports:
        fix = "Check the account's host and port against what the domain announces."
        return look.warning(f"{found}, but the file says port {account.port}", fix)
    return look.ok(found or "it announces no SIP service, so the file's host is used")


# -- address translation

#: After how many seconds a STUN request is sent again.
_AGAIN_S = 0.3
_MAGIC_COOKIE = 0x2112A442  # RFC 8489 section 5
_XOR_MAPPED_ADDRESS, _IPV4 = 0x0020, 1  # RFC 8489 section 14.2


def address_line(probing: Probing, place: Target, outcome: RequestOutcome) -> ProbeResult:
    """The address that the far end saw (``received``, ``rport``: RFC 3581), against the one that
    the phones will name.
    """
    assert outcome.response is not None
    assert outcome.local is not None
    look = Look(ProbeKind.ADDRESS, str(place))
    try:
        via = outcome.response.via
    except SipSyntaxError:
        fix = "The far end breaks RFC 3261 section 8.2.6.2."
        return look.warning("the answer has no readable Via", fix)
    here, port = outcome.local
    # RFC 5118 section 4.5: an IPv6 address may stand in brackets there
    seen = (via.params.get("received") or via.host).strip("[]")
    seen_port = via.params.get("rport") or str(port)
    every = probing.deployment.accounts.values()
    accounts = [account for account in every if probing.account_place(account) == place]
    named = next((account.public_address for account in accounts if account.public_address), None)
    by_stun = any(account.stun_server for account in accounts)
    if named is not None and named != seen and is_address(named):
        fix = f"Set public_address to {seen}: audio is sent to the address that SDP names."
        return look.failed(f"the far end sees {seen}, but public_address says {named}", fix)
    if seen == here:
        return look.ok(f"{here}, no address translation")
    translated = f"{here} is seen as {seen}"
    if seen_port != str(port):
        translated += f", port {port} as {seen_port}"
    if named or by_stun:
        return look.ok(f"{translated}; the phones name {named or 'what STUN tells'}")
    fix = (
        "Behind address translation audio needs a symmetric-RTP far end, and a call to a registered phone (an agent's) one that "
        f'goes by where its REGISTER came from, not by Contact; else give public_address = "{seen}", or stun_server.'
    )
    return look.warning(f"{translated}, and the phones name {here}", fix)


async def stun_line(look: Look, probing: Probing, account: Account) -> ProbeResult:
    """The address the account's phones will be told, and the kind of mapping."""
    assert account.stun_server is not None
    host, port = split_host_port(account.stun_server)
    port = port or 3478  # RFC 8489 section 18.6
    fix = f"Correct accounts.{look.subject}.stun_server, or give public_address instead."
    try:
        address = await probing.address(Target(host, port, "udp"))
    except UnresolvedError as error:
        return look.failed(str(error), fix)
    loop = asyncio.get_running_loop()
    received: asyncio.Queue[bytes] = asyncio.Queue()

    class Datagrams(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            received.put_nowait(data)

    transport, _ = await loop.create_datagram_endpoint(
        Datagrams, local_addr=(account.bind or "0.0.0.0", 0)
    )
    try:
        here = transport.get_extra_info("sockname")[:2]
        mapped = await _mapped(transport, received, (address, port), probing.patience)
        # a second port (most servers have 3479) shows whether the mapping depends on the
        # destination
        other = None
        if mapped:
            patience = min(0.5, probing.patience)
            other = await _mapped(transport, received, (address, port + 1), patience)
    finally:
        transport.close()
    if mapped is None:
        return look.failed(f"{account.stun_server} does not answer", fix)
    said = f"{mapped[0]}:{mapped[1]}"
    if other is not None and other != mapped:
        return look.warning(
            f"{said} to one port, {other[0]}:{other[1]} to another: the mapping depends on the destination",
            "STUN cannot help behind such a router: use public_address with forwarded ports, or a far end with symmetric RTP.",
        )
    if mapped == here:
        return look.ok(f"{said}, no address translation")
    if other:
        return look.ok(f"{said}, one mapping for all destinations")
    return look.ok(f"{said}, its second port is silent, so the kind of mapping is unknown")


async def _mapped(
    transport: asyncio.DatagramTransport,
    received: asyncio.Queue[bytes],
    server: tuple[str, int],
    within: float,
) -> tuple[str, int] | None:
    """The address that a STUN server sees; None without an answer ``within`` so many seconds."""
    request, transaction = stun_request()
    sent_at = -math.inf
    try:
        async with asyncio.timeout(within):
            while True:
                if time.monotonic() - sent_at >= _AGAIN_S:
                    transport.sendto(request, server)
                    sent_at = time.monotonic()
                # then it is sent again: UDP may lose it (RFC 8489 section 6.2.1)
                with contextlib.suppress(TimeoutError):
                    data = await asyncio.wait_for(received.get(), _AGAIN_S)
                    if found := stun_address(data, transaction):
                        return found
    except TimeoutError:
        return None


def stun_request() -> tuple[bytes, bytes]:
    """A binding request and its transaction id (RFC 8489 section 5)."""
    transaction = secrets.token_bytes(12)
    return struct.pack("!HHI", 1, 0, _MAGIC_COOKIE) + transaction, transaction


def stun_address(answer: bytes, transaction: bytes) -> tuple[str, int] | None:
    """The XOR-MAPPED-ADDRESS of a binding response, None when it is none or has none (RFC 8489
    section 14.2).
    """
    if len(answer) < 20 or answer[:2] != b"\x01\x01" or answer[8:20] != transaction:
        return None
    rest = answer[20:]
    while len(rest) >= 4:
        kind, length = struct.unpack("!HH", rest[:4])
        value = rest[4 : 4 + length]
        if kind == _XOR_MAPPED_ADDRESS and len(value) >= 8 and value[1] == _IPV4:
            port = int.from_bytes(value[2:4]) ^ _MAGIC_COOKIE >> 16
            address = int.from_bytes(value[4:8]) ^ _MAGIC_COOKIE
            return socket.inet_ntoa(address.to_bytes(4)), port
        padded = (length + 3) // 4 * 4  # attributes begin at multiples of four (section 14)
        rest = rest[4 + padded :]
    return None
