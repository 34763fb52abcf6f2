"""DNS and address translation: has every host an address, do SRV and NAPTR agree with the file (RFC 3263), and which address do far
ends see (RFC 8489)?
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from harness.deployment import Account, Trunk, is_address
from harness.run.preflight.lines import AUDIO, REGISTRATION, ROUTING, ProbeKind, ProbeResult, failed, ok, warning
from harness.sip.grammar import SipSyntaxError, split_host_port
from harness.witness.ports.dns_questions import NO_NAME, NO_RECORD
from harness.witness.ports.probes import Probing, Target, UnresolvedError
from harness.witness.ports.wire import RequestOutcome

#: The services of RFC 3263 section 4.1 and what NAPTR calls them, by transport.
_SERVICES = {"udp": ("_sip._udp", "SIP+D2U"), "tcp": ("_sip._tcp", "SIP+D2T"), "tls": ("_sips._tcp", "SIPS+D2T")}


def hosts(probing: Probing) -> dict[str, str]:
    """Every host the deployment names, and what for; addresses are left out."""
    deployment = probing.deployment
    found: dict[str, str] = {}

    def note(host: str | None, what: str) -> None:
        if host and not is_address(host):
            found.setdefault(host, what)

    for name, account in deployment.accounts.items():
        note(account.host, f"accounts.{name}.host")
        if account.stun_server:
            note(split_host_port(account.stun_server)[0], f"accounts.{name}.stun_server")
    note(deployment.platform.host, "platform.host")
    for trunk in deployment.trunks:
        note(trunk.host, f"trunk {trunk.name}, host")
        note(trunk.termination_host, f"trunk {trunk.name}, termination")
    for url, what in _urls(probing):
        note(urlsplit(url).hostname, what)
    return found


def _urls(probing: Probing) -> Iterator[tuple[str, str]]:
    if base := probing.deployment.api_base:
        yield base, "synthflow.api_base"
    if (campaign := probing.deployment.campaign) and campaign.url:
        yield campaign.url, "campaign.url"


async def host_line(probing: Probing, host: str, what: str) -> ProbeResult:
    """A and AAAA records."""
    name, found = (ProbeKind.DNS, host), await probing.look_up(host)
    said = ", ".join(f"{kind} {address}" for kind, address in found.records)
    if found.by_hosts_file:
        said += ", by this machine's own table"
    if found.records and (found.of("A") or host not in probing.called_by_phones):
        return ok(*name, said)
    if found.trouble:
        fix = "Check this machine's DNS servers."
        return failed(*name, f"it cannot be resolved: {found.trouble}", _row_of(what), fix)
    if found.records:
        fix = f"Give {what} a name with an A record, or an IPv6 address and an IPv6 bind."
        return failed(*name, f"{said}: no IPv4, in which alone the softphones look names up", _row_of(what), fix)
    fix = f"Check {what}: the name does not exist."
    if NO_NAME not in found.problems:
        fix = f"Name a host with an address as {what}: this name is there, and has none; its SRV records are not followed."
    if "termination" in what:
        fix += " The Termination URI is the platform's SBC."
    return failed(*name, "it has no address", _row_of(what), fix)


def _row_of(what: str) -> str:
    return ROUTING if what.endswith("host") and what.startswith("trunk") else REGISTRATION


async def allowlist_line(probing: Probing, trunk: Trunk) -> ProbeResult:
    """The addresses the platform allows, as the file lists them, have those the AI's host resolves to."""
    name, host = (ProbeKind.ALLOWLIST, trunk.name), trunk.host or ""
    looked_up = None if is_address(host) else await probing.look_up(host)
    found = looked_up.addresses if looked_up else [host.strip("[]")]
    unlisted = sorted(address for address in found if not _is_listed(address, trunk.allowed_addresses))
    if not found:
        why = (looked_up and looked_up.trouble) or "it has none"
        fix = "Mend the name, then look again: nothing is known of its addresses."
        return warning(*name, f"no address of {host} is known: {why}", REGISTRATION, fix)
    if unlisted:
        return failed(
            *name,
            f"{host} is at {', '.join(unlisted)}, which allowed_addresses does not list",
            REGISTRATION,
            "Add it to the platform's Allowed IPs, and to the file; ask Synthflow's support for the current list.",
        )
    return ok(*name, f"{', '.join(sorted(found))} is listed")


def _is_listed(address: str, allowed: Sequence[str]) -> bool:
    """Whether one of the addresses or networks of the list holds it; a name there allows nothing that could be compared."""

    def holds(entry: str) -> bool:
        try:
            return ip_address(address.partition("%")[0]) in ip_network(entry.strip("[]"), strict=False)
        except ValueError:
            return False

    return any(map(holds, allowed))


async def service_line(probing: Probing, account: Account) -> ProbeResult:
    """SRV and NAPTR of an account's domain; a domain without them is reached by the host in the file, and that is fine."""
    service, wanted = _SERVICES[account.transport]
    name = ProbeKind.SERVICE, account.domain
    naptr, srv = await probing.ask_dns(account.domain, "NAPTR", f"{service} SRV")
    if trouble := {answer for answer in (naptr, srv) if isinstance(answer, str)} - {NO_NAME, NO_RECORD}:
        why = f"not known: {', '.join(sorted(trouble))}"
        return warning(*name, why, REGISTRATION, "Check this machine's DNS servers; the file's host is used.")
    said = []
    services = [] if isinstance(naptr, str) else [record.service.decode("utf-8", "replace") for record in naptr]
    # A domain may have others' as well: ENUM's, or a radius server's. RFC 3263 section 4.1 has these alone, in any case.
    offered = [text for text in services if text.upper().startswith(("SIP+", "SIPS+"))]
    if offered:
        said.append(f"NAPTR {', '.join(offered)}")
    targets = [] if isinstance(srv, str) else [(str(r.target).rstrip("."), int(r.port)) for r in srv]
    if targets and not any(host for host, _ in targets):  # RFC 2782: "." says that there is no such service
        return warning(
            *name,
            f"{'; '.join([*said, f'SRV {service} .'])}: the domain says that it has no SIP over {account.transport}",
            REGISTRATION,
            "Check the account's transport.",
        )
    if targets:
        said.append(f"SRV {service} " + ", ".join(f"{host}:{port}" for host, port in targets))
    if offered and wanted not in [text.upper() for text in offered]:
        return warning(
            *name,
            f"{'; '.join(said)}: nothing for {account.transport}",
            REGISTRATION,
            f"The domain announces no SIP over {account.transport}: check the account's transport.",
        )
    if targets and (account.host, account.port) not in targets and account.port not in {port for _, port in targets}:
        return warning(
            *name,
            f"{'; '.join(said)}, but the file says port {account.port}",
            REGISTRATION,
            "Check the account's host and port against what the domain announces.",
        )
    return ok(*name, "; ".join(said) or "it announces no SIP service, so the file's host is used")


# -- address translation

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
