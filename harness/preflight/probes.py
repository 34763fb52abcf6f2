"""What all probes share."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import dns.asyncresolver
import dns.exception

from harness.deployment import Account, Deployment, Transport, Trunk, is_address

#: How long a single exchange may take, in seconds. UDP is sent again after 0.5 and 1.5 s (RFC 3261, timer E).
PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Target:
    """Somewhere requests go to, over a transport, from an address of ours. ``host`` is kept without an address's brackets."""

    host: str
    port: int
    transport: Transport
    bind: str | None = None  #: the local address, None for any
    ca_file: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "host", self.host.strip("[]"))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}/{self.transport}"


def termination(deployment: Deployment, trunk: Trunk) -> Target | None:
    """The platform's end of a trunk, as the AI's side calls it; None where the file names none."""
    if trunk.termination_host is None:
        return None
    port = trunk.termination_port or (5061 if trunk.transport == "tls" else 5060)  # RFC 3261 section 19.1.2
    return Target(trunk.termination_host, port, trunk.transport, deployment.stand_in.bind, deployment.ca_file)


def ai_end(deployment: Deployment, trunk: Trunk, bind: str | None = None) -> Target | None:
    """The AI's own end of a trunk; None where the file names none."""
    return Target(trunk.host, trunk.port, trunk.transport, bind, deployment.ca_file) if trunk.host else None


@dataclass
class Probing:
    """One preflight under way."""

    deployment: Deployment
    resolver: dns.asyncresolver.Resolver = field(default_factory=lambda: system_resolver())
    wall_clock: Callable[[], float] = time.time
    patience: float = PATIENCE_S
    _addresses: dict[str, asyncio.Task[str | None]] = field(default_factory=dict)

    async def address(self, host: str) -> str | None:
        """An address of ``host``: itself if it is one, by the hosts file, or by DNS; None when it has none."""
        if is_address(host):
            return host.strip("[]")
        if host not in self._addresses:
            self._addresses[host] = asyncio.create_task(self._look_up(host))
        return await self._addresses[host]

    async def _look_up(self, host: str) -> str | None:
        if found := await by_hosts_file(host):
            return found
        for kind in ("A", "AAAA"):
            try:
                answer = await self.resolver.resolve(host, kind)
                return str(answer[0])
            except dns.exception.DNSException:
                continue
        return None

    def account_place(self, account: Account) -> Target | None:
        """Where the phones of an account send everything."""
        if account.host is None or account.port is None:
            return None
        ca_file = account.ca_file or self.deployment.ca_file
        return Target(account.host, account.port, account.transport, account.bind, ca_file)

    @cached_property
    def accounts(self) -> dict[Target, list[str]]:
        """The places of all accounts, with the accounts' names; a phone's own address makes a place of its own."""
        found: dict[Target, list[str]] = {}
        for name, account in self.deployment.accounts.items():
            if place := self.account_place(account):
                found.setdefault(place, []).append(name)
        return found


def system_resolver() -> dns.asyncresolver.Resolver:
    """As this machine is set up; one that asks nobody where that is nothing."""
    try:
        resolver = dns.asyncresolver.Resolver()
    except dns.exception.DNSException:
        resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.lifetime = resolver.timeout = PATIENCE_S
    return resolver


async def by_hosts_file(host: str) -> str | None:
    """What this machine's own table says of ``host``; asks nobody else."""
    if host != "localhost" and not host.endswith(".localhost") and host not in _hosts_file():
        return None
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return None
    return str(found[0][4][0])


def _hosts_file() -> set[str]:
    try:
        with open("/etc/hosts", encoding="utf-8") as file:
            return {name for line in file for name in line.partition("#")[0].split()[1:]}
    except OSError:
        return set()


def unverified() -> ssl.SSLContext:
    """For a client that takes any certificate, since the lines on it look at it themselves."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def verified(ca_file: str | None) -> ssl.SSLContext:
    """For a client that trusts ``ca_file``, or the system's authorities; names are not checked by the handshake.

    Reading the system's list takes a tenth of a second, in which no answer could be timed: a thread does it.
    """
    context = await asyncio.to_thread(ssl.create_default_context, cafile=ca_file)
    context.check_hostname = False
    return context
