"""DNS: has every host an address, and do SRV and NAPTR agree with the file (RFC 3263)?"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import dns.resolver
import httpx

from harness.deployment import Account, Trunk, is_address
from harness.preflight.lines import REGISTRATION, ROUTING, ProbeKind, ProbeResult, failed, ok, warning
from harness.preflight.probes import Probing, by_hosts_file
from harness.sip.grammar import split_host_port

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
        note(httpx.URL(url).host, what)
    return found


def _urls(probing: Probing) -> Iterator[tuple[str, str]]:
    if base := probing.deployment.api_base:
        yield base, "synthflow.api_base"
    if (campaign := probing.deployment.campaign) and campaign.url:
        yield campaign.url, "campaign.url"


async def host_line(probing: Probing, host: str, what: str) -> ProbeResult:
    """A and AAAA records."""
    name = ProbeKind.DNS, host
    if address := await by_hosts_file(host):
        return ok(*name, f"{address}, by this machine's own table")
    found, problems = [], set[str]()
    for kind, answer in zip(("A", "AAAA"), await _ask(probing, host, "A", "AAAA"), strict=True):
        if isinstance(answer, str):
            problems.add(answer)
        else:
            found += [f"{kind} {record}" for record in answer]
    if found:
        return ok(*name, ", ".join(found))
    if not (problems - {"no such name", "no record"}):
        fix = f"Check {what}: the name does not exist."
        if "termination" in what:
            fix += " The Termination URI is the platform's SBC."
        return failed(*name, "it has no address", _row_of(what), fix)
    fix = "Check this machine's DNS servers."
    return failed(*name, f"it cannot be resolved: {', '.join(sorted(problems))}", _row_of(what), fix)


def _row_of(what: str) -> str:
    return ROUTING if what.endswith("host") and what.startswith("trunk") else REGISTRATION


async def allowlist_line(probing: Probing, trunk: Trunk) -> ProbeResult:
    """The addresses the platform allows, as the file lists them, have those the AI's host resolves to."""
    name, host = (ProbeKind.ALLOWLIST, trunk.name), trunk.host or ""
    if is_address(host):
        found = {host.strip("[]")}
    else:
        answers = await _ask(probing, host, "A", "AAAA")
        found = {str(record) for answer in answers if not isinstance(answer, str) for record in answer}
    unlisted = sorted(found - set(trunk.allowed_addresses))
    if unlisted:
        return failed(
            *name,
            f"{host} is at {', '.join(unlisted)}, which allowed_addresses does not list",
            REGISTRATION,
            "Add it to the platform's Allowed IPs, and to the file; ask Synthflow's support for the current list.",
        )
    return ok(*name, f"{', '.join(sorted(found)) or 'no address of the host is known, so nothing'} is listed")


async def service_line(probing: Probing, account: Account) -> ProbeResult:
    """SRV and NAPTR of an account's domain; a domain without them is reached by the host in the file, and that is fine."""
    service, wanted = _SERVICES[account.transport]
    name = ProbeKind.SERVICE, account.domain
    naptr, srv = await _ask(probing, account.domain, "NAPTR", f"{service} SRV")
    said = []
    offered = [] if isinstance(naptr, str) else [record.service.decode() for record in naptr]
    if offered:
        said.append(f"NAPTR {', '.join(offered)}")
    targets = [] if isinstance(srv, str) else [(str(r.target).rstrip("."), int(r.port)) for r in srv]
    if targets:
        said.append(f"SRV {service} " + ", ".join(f"{host}:{port}" for host, port in targets))
    if offered and wanted not in offered:
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


async def _ask(probing: Probing, host: str, *kinds: str) -> list[dns.resolver.Answer | str]:
    """The answers, or why there is none, in the order of ``kinds`` (``SRV`` asks for a service below ``host``)."""

    async def one(kind: str) -> dns.resolver.Answer | str:
        service, _, record = kind.rpartition(" ")
        try:
            return await probing.resolver.resolve(f"{service}.{host}" if service else host, record)
        except dns.resolver.NXDOMAIN:
            return "no such name"
        except dns.resolver.NoAnswer:
            return "no record"
        except dns.exception.Timeout:
            return "the name servers do not answer"
        except dns.exception.DNSException as error:
            return str(error) or type(error).__name__

    return list(await asyncio.gather(*map(one, kinds)))
