"""What is left of calls that have ended: nothing that only a garbage collection would take."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest

from harness.simulation.wire.incoming import IncomingCall
from tests.process.wire.conftest import provisional


@pytest.mark.parametrize("who", ["answered", "refused", "cancelled"])
def test_what_ended_goes_without_a_garbage_collection(nodes: Any, who: str) -> None:
    """Of thousands of calls a collection takes half a second, in which a world's audio stands still."""

    async def story() -> None:
        caller = await nodes.ua("caller", timers=nodes.quick)
        callee = await nodes.ua("callee", timers=nodes.quick)
        known: list[weakref.ref[Any]] = []

        async def take(call: IncomingCall) -> None:
            known.append(weakref.ref(call))
            call.on_refer = call.on_info = call.on_reinvite = lambda request: take(call)  # as who relays a call does
            call.ring()
            if who == "answered":
                call.answer(nodes.answer)
            elif who == "refused":
                call.reject(486)

        async def place() -> None:
            call = nodes.dial(caller, callee)
            known.append(weakref.ref(call))
            call.on_ended = lambda end: call.cancel()
            await provisional(call, 5)
            if who == "answered":
                await call.wait_answered(5)
            call.hangup()
            await call.wait_ended(5)

        callee.on_invite = take
        gc.disable()
        try:
            await place()
            await nodes.settled([caller, callee])
            assert len(known) == 2
            assert [one() for one in known] == [None, None]
        finally:
            gc.enable()

    nodes.run(story())


def test_an_answered_transaction_waits_for_repetitions_without_its_call(nodes: Any) -> None:
    async def story() -> None:
        caller, callee = await nodes.ua("caller"), await nodes.ua("callee")
        known: list[weakref.ref[Any]] = []

        async def take(call: IncomingCall) -> None:
            known.append(weakref.ref(call))
            call.answer(nodes.answer)

        callee.on_invite = take
        call = nodes.dial(caller, callee)
        await call.wait_answered(5)
        gc.disable()
        try:
            await call.bye()
            async with asyncio.timeout(10):
                while known[0]() is not None:  # noqa: ASYNC110 - nobody tells of its end
                    await asyncio.sleep(0.02)
        finally:
            gc.enable()
        lingering = callee.transactions()
        assert [t.last_response.status for t in lingering] == [200, 200]
        for transaction in lingering:
            with pytest.raises(LookupError):
                _ = transaction.request

    nodes.run(story())
