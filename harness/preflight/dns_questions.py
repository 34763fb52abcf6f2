"""Questions to DNS, by dnspython."""

from __future__ import annotations

import asyncio

import dns.asyncresolver
import dns.exception
import dns.resolver

from harness.preflight.probes import NO_NAME, NO_RECORD, PATIENCE_S


def system_resolver() -> dns.asyncresolver.Resolver:
    """As this machine is set up; one that asks nobody where that is nothing."""
    try:
        resolver = dns.asyncresolver.Resolver()
    except dns.exception.DNSException:
        resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.lifetime = resolver.timeout = PATIENCE_S
    return resolver


async def ask(resolver: dns.asyncresolver.Resolver, host: str, *kinds: str) -> list[dns.resolver.Answer | str]:
    """The answers, or why there is none, in the order of ``kinds`` (``_sip._udp SRV`` asks for a service below ``host``)."""

    async def one(kind: str) -> dns.resolver.Answer | str:
        service, _, record = kind.rpartition(" ")
        try:
            return await resolver.resolve(f"{service}.{host}" if service else host, record)
        except dns.resolver.NXDOMAIN:
            return NO_NAME
        except dns.resolver.NoAnswer:
            return NO_RECORD
        except dns.exception.Timeout:
            return "the name servers do not answer"
        except dns.exception.DNSException as error:
            return str(error) or type(error).__name__

    return list(await asyncio.gather(*map(one, kinds)))
