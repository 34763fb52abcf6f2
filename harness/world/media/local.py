"""Packets between two ports of this process: handed over without the kernel, which would wake the same process for each.

Nothing outside sees them, and nothing else is different: they leave one port and reach the other as any packet does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from weakref import WeakKeyDictionary

Address = tuple[str, int]
Take = Callable[[bytes, Address], None]
"""Takes a packet, and where it came from."""


class LocalNetwork:
    """The open ports of one event loop."""

    def __init__(self) -> None:
        #: Who takes what is sent to an address.
        self.ports: dict[Address, Take] = {}
        self._under_way: deque[tuple[Address, bytes, Address]] = deque()
        self._awaited = False

    def carry(self, to: Address, data: bytes, source: Address) -> None:
        """Deliver a packet soon: never within the sender, which does not expect what the packet causes."""
        self._under_way.append((to, data, source))
        self._await()

    def _await(self) -> None:
        if not self._awaited:
            self._awaited = True
            asyncio.get_running_loop().call_soon(self._deliver)

    def _deliver(self) -> None:
        self._awaited = False
        try:
            # What is sent meanwhile comes later, so that two ports that return everything leave others their turn.
            for _ in range(len(self._under_way)):
                to, data, source = self._under_way.popleft()
                take = self.ports.get(to)
                if take is not None:
                    take(data, source)
        finally:
            if self._under_way:
                self._await()


_networks: WeakKeyDictionary[asyncio.AbstractEventLoop, LocalNetwork] = WeakKeyDictionary()


def local_network() -> LocalNetwork:
    """The network of the running loop."""
    return _networks.setdefault(asyncio.get_running_loop(), LocalNetwork())
