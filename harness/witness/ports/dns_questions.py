"""Questions to DNS, by dnspython, which is imported with the first: where all hosts are addresses
there is none.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import dns.asyncresolver
    import dns.resolver

#: What DNS says of a name that is not there; all else is trouble with asking.
NO_NAME, NO_RECORD = "no such name", "no record"


def system_resolver(patience: float) -> dns.asyncresolver.Resolver:
    """This machine's resolver, or one without servers if none is configured. ``patience``: seconds
    to wait for an answer.
    """
    import dns.asyncresolver
    import dns.exception

    try:
        resolver = dns.asyncresolver.Resolver()
    except dns.exception.DNSException:
        resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.lifetime = patience
    # one that is dead leaves time to ask the next
    resolver.timeout = patience / max(2, len(resolver.nameservers))
    return resolver


async def ask(
    resolver: dns.asyncresolver.Resolver, host: str, *kinds: str
) -> list[dns.resolver.Answer | str]:
    """The answers, or why there is none, in the order of ``kinds`` (``_sip._udp SRV`` asks for a
    service below ``host``).
    """
    import dns.exception
    import dns.resolver

    async def one(kind: str) -> dns.resolver.Answer | str:
        service, _, record = kind.rpartition(" ")
        try:
            # A host's name is completed by the machine's search list, as the softphones' lookups
            # have it; a SIP domain's is not.
            return await resolver.resolve(
                f"{service}.{host}" if service else host, record, search=record in ("A", "AAAA")
            )
        except dns.resolver.NXDOMAIN:
            return NO_NAME
        except dns.resolver.NoAnswer:
            return NO_RECORD
        except dns.exception.Timeout:
            return "the name servers do not answer"
        except dns.exception.DNSException as error:
            return str(error) or type(error).__name__

    return list(await asyncio.gather(*map(one, kinds)))
