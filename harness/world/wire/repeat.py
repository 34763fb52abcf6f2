"""Responses that their user agent repeats until they are acknowledged: 2xx to INVITE, reliable provisionals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from harness.world.wire.timers import Timers


class Repeater:
    """Calls ``send`` now, then after T1, 2*T1 … until `stop`; after 64*T1 calls ``on_timeout`` instead.

    RFC 3261 section 13.3.1.4 caps the interval at T2 and repeats over every transport, since a 2xx is end to end;
    RFC 3262 section 3 has no cap.
    """

    def __init__(
        self, timers: Timers, send: Callable[[], None], on_timeout: Callable[[], None], *, capped: bool
    ) -> None:
        self._send = send
        self._on_timeout = on_timeout
        self._interval = timers.t1
        self._most = timers.t2 if capped else timers.transaction
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.call_later(timers.transaction, self._give_up)
        self._next = self._loop.call_later(self._interval, self._again)
        send()

    def _again(self) -> None:
        self._interval = min(self._interval * 2, self._most)
        self._next = self._loop.call_later(self._interval, self._again)
        self._send()

    def _give_up(self) -> None:
        self.stop()
        self._on_timeout()

    def stop(self) -> None:
        """Stop: it was acknowledged, or need not be any longer."""
        self._deadline.cancel()
        self._next.cancel()
