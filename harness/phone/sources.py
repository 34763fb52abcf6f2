"""The addresses from which a phone accepts requests (``PhoneConfig.accepts_from``)."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import Iterable
from functools import lru_cache


def networks(places: Iterable[str]) -> list[str]:
    """The addresses and networks of ``places``, with host names resolved now.

    A name without an address adds nothing; requests from it are then refused, and reported.
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


@lru_cache(maxsize=256)  # keeps successes only: a failed lookup is repeated for the next phone
def _addresses(name: str) -> tuple[str, ...]:
    return tuple({str(entry[4][0]): None for entry in socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)})


class Sources:
    """The hosts from which a phone accepts requests: ``places``, and hosts that were added. None for ``places`` accepts all."""

    def __init__(self, places: Iterable[str] | None) -> None:
        self._networks = None if places is None else [ipaddress.ip_network(place) for place in places]
        self._addressed: set[str] = set()

    def add(self, host: str) -> None:
        """Accept ``host``, to which the phone sends requests: requests in its dialogs may come from there (RFC 3261 section 12.2)."""
        self._addressed.add(host)

    def include(self, host: str) -> bool:
        """Whether requests from the address ``host`` are accepted."""
        if self._networks is None or host in self._addressed:
            return True
        address = ipaddress.ip_address(host)
        return any(address in network for network in self._networks)
