"""DNS: has every host an address, and do SRV and NAPTR agree with the file (RFC 3263)?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from harness.deployment import Account, Trunk, is_address
from harness.run.preflight.lines import REGISTRATION, ROUTING, ProbeKind, ProbeResult, failed, ok, warning
from harness.sip.grammar import split_host_port
from harness.witness.ports.dns_questions import NO_NAME, NO_RECORD
from harness.witness.ports.probes import Probing

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
