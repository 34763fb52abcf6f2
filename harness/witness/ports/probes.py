"""What all probes share."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from harness.deployment import Account, Deployment, Transport, Trunk, in_uri, is_address, is_ipv6
from harness.support.files import user_files
from harness.witness.ports import dns_questions
from harness.witness.ports.dns_questions import NO_NAME, NO_RECORD
from harness.witness.ports.services import server_of, termination_of

if TYPE_CHECKING:
    import dns.asyncresolver
    import dns.resolver

#: This machine's own table of names.
HOSTS = Path("/etc/hosts")
#: How long a single exchange may take, in seconds: longer than a busy machine stalls. UDP is sent
#: again after 0.5, 1.5 and 3.5 s (RFC 3261, timer E).
PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Target:
    """The destination, transport and local address of requests. ``host`` has no IPv6 brackets."""

    host: str
    port: int
    transport: Transport
    bind: str | None = None  #: the local address, None for any
    ca_file: str | None = None
    #: The client certificate for TLS: the files of the certificate and its key.
    own_pair: tuple[str, str] | None = None
    #: Harness softphones send there. They resolve IPv4 only.
    by_phones: bool = field(default=True, compare=False)
    #: Which of the host's; None: the first.
    address: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "host", self.host.strip("[]"))

    def __str__(self) -> str:
        return f"{in_uri(self.host)}:{self.port}/{self.transport}"


def termination(deployment: Deployment, trunk: Trunk) -> Target | None:
    """The platform's end of a trunk, as the AI's side calls it; None where the file names none."""
    server = termination_of(trunk)
    if server is None:
        return None
    host, port = server
    place, by_phones = deployment.stand_in, trunk.ai == "stand-in"
    pair = place.own_pair if by_phones else None
    return Target(host, port, trunk.transport, place.bind, deployment.ca_file, pair, by_phones)


def ai_end(deployment: Deployment, trunk: Trunk, bind: str | None = None) -> Target | None:
    """The AI's own end of a trunk; None where the file names none."""
    if trunk.host is None:
        return None
    return Target(
        trunk.host, trunk.port, trunk.transport, bind, deployment.ca_file, by_phones=False
    )


class UnresolvedError(Exception):
    """A name without an address that can be used; says why."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a name resolves to."""

    records: tuple[tuple[str, str], ...]  #: ("A" or "AAAA", address)
    problems: frozenset[str] = frozenset()  #: why there are no others
    by_hosts_file: bool = False

    @property
    def addresses(self) -> list[str]:
        """All of them, IPv4 before IPv6."""
        return self.of("A") + self.of("AAAA")

    @property
    def trouble(self) -> str:
        """Why it is unknown whether there are more addresses; empty if DNS answered."""
        return ", ".join(sorted(self.problems - {NO_NAME, NO_RECORD}))

    def of(self, wanted: str) -> list[str]:
        """Those of one kind."""
        return [address for kind, address in self.records if kind == wanted]

    def why_not(self, *, ipv4: bool) -> str:
        """Why there is no address of use, to stand behind "has no address"."""
        if self.trouble:
            return f": {self.trouble}"
        return " in IPv4, in which alone the softphones look names up" if ipv4 else ""


@dataclass
class Probing:
    """One preflight under way."""

    deployment: Deployment
    resolver: dns.asyncresolver.Resolver | None = None  #: None: as this machine is set up
    wall_clock: Callable[[], float] = time.time
    patience: float = PATIENCE_S
    #: Targets that answered a REGISTER with any status.
    registrars: set[Target] = field(default_factory=set)
    admitting: set[Target] = field(default_factory=set)  #: targets that accepted a REGISTER
    deaf: set[Target] = field(default_factory=set)  #: targets that did not answer OPTIONS
    forbidding: set[Target] = field(default_factory=set)  #: targets that refused OPTIONS with 403
    _names: dict[str, asyncio.Task[Found]] = field(default_factory=dict)

    async def address(self, place: Target) -> str:
        """The one that is meant, or the first. Raises :class:`UnresolvedError`."""
        return place.address or (await self.addresses(place))[0]

    async def addresses(self, place: Target) -> list[str]:
        """All addresses that a caller would use. Raises :class:`UnresolvedError` if there are none."""
        if is_address(place.host):
            return [place.host]
        found = await self.look_up(place.host)
        from_ipv4 = bool(place.bind) and not is_ipv6(str(place.bind))
        usable = found.of("A") if place.by_phones or from_ipv4 else found.addresses
        if not usable:
            raise UnresolvedError(
                f"{place.host} has no address{found.why_not(ipv4=bool(found.addresses))}"
            )
        return usable

    async def look_up(self, host: str) -> Found:
        """What ``host`` resolves to: by the hosts file, or by DNS."""
        if host not in self._names:
            self._names[host] = asyncio.create_task(self._look_up(host))
        return await self._names[host]

    async def _look_up(self, host: str) -> Found:
        if found := await by_hosts_file(host):
            return Found(found, by_hosts_file=True)
        kinds = "A", "AAAA"
        answers = await self.ask_dns(host, *kinds)
        problems: set[str] = set()
        records: list[tuple[str, str]] = []
        for kind, answer in zip(kinds, answers, strict=True):
            if isinstance(answer, str):
                problems.add(answer)
            else:
                records += [(kind, str(record)) for record in answer]
        return Found(tuple(records), frozenset(problems))

    async def ask_dns(self, host: str, *kinds: str) -> list[dns.resolver.Answer | str]:
        """What :func:`harness.witness.ports.dns_questions.ask` has for an answer."""
        self.resolver = self.resolver or dns_questions.system_resolver(PATIENCE_S)
        return await dns_questions.ask(self.resolver, host, *kinds)

    def account_place(self, account: Account) -> Target | None:
        """Where the phones of an account send everything."""
        if account.host is None:
            return None
        ca_file = account.ca_file or self.deployment.ca_file
        host, port = server_of(account.host, account.port, account.transport)
        return Target(host, port, account.transport, account.bind, ca_file, account.own_pair)

    @cached_property
    def called_by_phones(self) -> set[str]:
        """Every host that harness softphones send to."""
        deployment = self.deployment
        hosts = {place.host for place in self.accounts}
        for trunk in deployment.trunks:
            end = termination(deployment, trunk) if trunk.ai == "stand-in" else None
            if end is not None:
                hosts.add(end.host)
        agents = [agent for group in deployment.groups.values() for agent in group.agents]
        # agents without a number are at the platform, and ask it by OPTIONS
        if any(deployment.phones[agent].number is None for agent in agents):
            hosts.add(deployment.platform.host or "")
        return hosts - {""}

    @cached_property
    def accounts(self) -> dict[Target, list[str]]:
        """The places of all accounts, with the accounts' names; a phone's own address makes a place
        of its own.
        """
        found: dict[Target, list[str]] = {}
        for name, account in self.deployment.accounts.items():
            if place := self.account_place(account):
                found.setdefault(place, []).append(name)
        return found


async def by_hosts_file(host: str) -> tuple[tuple[str, str], ...]:
    """The addresses of ``host`` in this machine's hosts file, as A and AAAA, without asking DNS."""
    is_local = host == "localhost" or host.endswith(".localhost")
    if not is_local and host.lower() not in named_in(_hosts_file()):
        return ()
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
    return tuple(("AAAA" if ":" in address else "A", address) for address in addresses)


def _hosts_file() -> str:
    try:
        # a remark in another encoding hides no name
        return user_files.read_text(HOSTS, user_files.SETTINGS, "replace")
    except OSError:
        return ""


def named_in(hosts: str) -> set[str]:
    """The names that a table of hosts has, in lower case (hosts(5): an address, its name, its
    aliases; # begins a remark).
    """
    lines = (line.partition("#")[0].split() for line in hosts.splitlines())
    return {name.lower() for words in lines for name in words[1:]}


def unverified(own_pair: tuple[str, str] | None = None) -> ssl.SSLContext:
    """For a client that takes any certificate, since the lines on it look at it themselves; it
    shows ``own_pair``.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _show(context, own_pair)
    return context


def _show(context: ssl.SSLContext, own_pair: tuple[str, str] | None) -> None:
    if own_pair is not None:
        with suppress(OSError, ValueError):  # no pair: the line on it says so
            context.load_cert_chain(*own_pair, password="")  # else it asks at the terminal for one


async def verified(
    ca_file: str | None, own_pair: tuple[str, str] | None = None, *, by_others: bool = False
) -> ssl.SSLContext:
    """The TLS context of a client that trusts ``ca_file`` or the system's authorities and shows
    ``own_pair``. It checks no names.

    ``by_others``: no harness phone calls there; other callers may trust more than ``ca_file``. A
    thread reads the system's list, which takes 0.1 s and would disturb the timing of answers.
    """
    context = await asyncio.to_thread(_trusting, ca_file, by_others)
    context.check_hostname = False
    _show(context, own_pair)
    return context


def _trusting(ca_file: str | None, and_the_systems: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    if ca_file and and_the_systems:
        context.load_default_certs()
    return context
