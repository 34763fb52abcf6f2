"""What is left of calls that have ended: nothing that only a garbage collection would take.

Of thousands of calls a collection takes half a second, in which a world's audio stands still.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from asyncio.sslproto import SSLProtocol
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from harness.world.wire.agent import UserAgent
from harness.world.wire.dialog import CallFailedError
from harness.world.wire.invite import IncomingCall
from tests.garbage import no_collections
from tests.process.wire.conftest import provisional


async def quick_pair(nodes: Any) -> list[UserAgent]:
    return [await nodes.ua(name, timers=nodes.quick) for name in ("caller", "callee")]


async def nothing_is_left(
    nodes: Any,
    place: Callable[[], Awaitable[None]],
    agents: list[UserAgent],
    known: list[weakref.ref[Any]],
) -> None:
    """Nothing of what is ``known`` by then is there once calls were placed and their transactions
    are over.
    """
    with no_collections():
        await place()
        await nodes.settled(agents)
        assert known
        assert not any(one() for one in known)


@pytest.mark.parametrize("how", ["answered", "refused", "cancelled"])
async def test_a_call(nodes: Any, how: str) -> None:
    caller, callee = agents = await quick_pair(nodes)
    known: list[weakref.ref[Any]] = []

    async def take(call: IncomingCall) -> None:
        known.append(weakref.ref(call))
        call.on_refer = call.on_info = call.on_offer = lambda request: take(
            call
        )  # as a relay has them
        call.ring()
        if how == "answered":
            call.answer(nodes.answer)
        elif how == "refused":
            call.reject(486)

    async def place() -> None:
        call = nodes.dial(caller, callee)
        known.append(weakref.ref(call))
        call.on_ended = lambda end: call.cancel()
        await provisional(call, 5)
        if how != "cancelled":
            with suppress(CallFailedError):
                await call.wait_answered(5)
        call.hangup()
        await call.wait_ended(5)

    callee.on_invite = take
    await nothing_is_left(nodes, place, agents, known)


async def test_a_handshake_that_failed(nodes: Any) -> None:
    """At neither end: TLS has a buffer of 256 kB for each connection."""

    def protocols() -> list[object]:
        return [one for one in gc.get_objects() if type(one) is SSLProtocol]

    caller = await nodes.ua("caller", "tls")
    callee = await nodes.answering("callee", "tls", tls=nodes.identity("callee.example", days=-1))
    with no_collections():
        assert not protocols()
        with pytest.raises(CallFailedError):
            await nodes.dial(caller, callee).wait_answered(10)
        async with asyncio.timeout(10):
            while protocols():  # noqa: ASYNC110 - nothing reports its end
                await asyncio.sleep(0.02)
