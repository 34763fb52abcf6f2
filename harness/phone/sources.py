"""From where a phone takes requests: addresses, networks and names, as a configuration lists them."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Iterable
from functools import lru_cache


def networks(places: Iterable[str]) -> list[str]:
    """Every address and network of ``places``, names by their addresses now.

    A name that has none adds nothing: who comes from there is then refused, and told of.
    """
    found: dict[str, None] = {}
    for place in places:
        bare = place.strip("[]")
        with contextlib.suppress(ValueError):
            found[str(ipaddress.ip_network(bare, strict=False))] = None
            continue
        with contextlib.suppress(OSError):
            found |= dict.fromkeys(_addresses(bare))
    return list(found)


@lru_cache(maxsize=256)  # of what was found: a name server that was slow once is asked again for the next phone
def _addresses(name: str) -> tuple[str, ...]:
    return tuple({str(entry[4][0]): None for entry in socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)})


class Sources:
    """The hosts that a phone listens to: those of ``places``, those that it has itself sent requests to, and those that
    its dialogs' other ends name.

    ``None`` for ``places`` is everybody.
    """

    def __init__(self, places: Iterable[str] | None) -> None:
        self._networks = None if places is None else [ipaddress.ip_network(place) for place in places]
        self._addressed: set[str] = set()

    def add(self, host: str) -> None:
        """The phone sends requests there (RFC 3261 section 12.2: what is in its dialogs may come from there)."""
        self._addressed.add(host)

    def include(self, host: str) -> bool:
        """Whether requests from ``host``, an address, are listened to."""
        if self._networks is None or host in self._addressed:
            return True
        address = ipaddress.ip_address(host)
        return any(address in network for network in self._networks)
