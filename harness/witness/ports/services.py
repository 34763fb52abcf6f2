"""Where a SIP name is served: by its SRV records (RFC 3263 section 4.2). The file names the
transport, so NAPTR is not asked.
"""

from __future__ import annotations

from functools import cache

from harness.deployment import Transport, Trunk, in_uri, is_address
from harness.sip.grammar import split_host_port

#: The services of RFC 3263 section 4.1, by transport.
SERVICES: dict[Transport, str] = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}
_WITHIN_S = 2.0


@cache  # a run goes by one answer
def server_of(host: str, port: int | None, transport: Transport) -> tuple[str, int]:
    """Host and port that requests go to.

    A port or an address is taken as it is. Of several records, the one of the first priority with
    the greatest weight counts; the others are not tried. Without records it is the host at the
    transport's own port.
    """
    own_port = 5061 if transport == "tls" else 5060
    if port is not None or is_address(host):
        return host, port or own_port
    records = srv_records(f"{SERVICES[transport]}.{host}")
    _, _, target, at = min(records, default=(0, 0, host, own_port))
    if not target:  # RFC 2782: "." says that there is no such service
        return host, own_port
    return target, at


def srv_records(service: str) -> list[tuple[int, int, str, int]]:
    """Priority, negative weight, target and port of each record; none where DNS has none or does
    not answer.
    """
    import dns.exception
    import dns.resolver

    try:
        found = dns.resolver.resolve(service, "SRV", lifetime=_WITHIN_S, search=False)
    except dns.exception.DNSException:
        return []
    return [(one.priority, -one.weight, str(one.target).rstrip("."), one.port) for one in found]


def termination_of(trunk: Trunk) -> tuple[str, int] | None:
    """Host and port where the AI's side sends its calls; None where the file names none."""
    if trunk.termination is None:
        return None
    host, port = split_host_port(trunk.termination)
    return server_of(host, port, trunk.transport)


def as_place(server: tuple[str, int]) -> str:
    """``host:port``."""
    return f"{in_uri(server[0])}:{server[1]}"
