"""What is left of calls that have ended: nothing that only a garbage collection would take."""

from __future__ import annotations

import asyncio
import gc
import weakref
from asyncio.sslproto import SSLProtocol
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from harness.world.wire.agent import UserAgent
from harness.world.wire.call import InDialogRequest, ReferRequest
from harness.world.wire.dialog import CallFailedError
from harness.world.wire.incoming import IncomingCall
from tests.garbage import no_collections
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
        assert await _left(nodes, place, [caller, callee], known) == [None, None]

    nodes.run(story())


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_an_offer_within_a_call_keeps_it_no_longer_than_itself(nodes: Any, method: str) -> None:
    async def story() -> None:
        caller = await nodes.ua("caller", timers=nodes.quick)
        callee = await nodes.ua("callee", timers=nodes.quick)
        known: list[weakref.ref[Any]] = []

        async def change(request: InDialogRequest) -> None:
            known.append(weakref.ref(request))
            request.accept(nodes.answer)

        async def take(call: IncomingCall) -> None:
            known.append(weakref.ref(call))
            call.on_reinvite = call.on_update = change
            call.answer(nodes.answer)

        async def place() -> None:
            call = nodes.dial(caller, callee)
            known.append(weakref.ref(call))
            await call.wait_answered(5)
            await (call.reinvite if method == "INVITE" else call.update)(nodes.offer)
            await call.bye()

        callee.on_invite = take
        assert await _left(nodes, place, [caller, callee], known) == [None] * 3

    nodes.run(story())


@pytest.mark.parametrize("outlasts", [False, True])
def test_a_referral_keeps_its_call_no_longer_than_itself(nodes: Any, outlasts: bool) -> None:
    """``outlasts``: the call is over before its referral is."""

    async def story() -> None:
        caller = await nodes.ua("caller", timers=nodes.quick)
        callee = await nodes.ua("callee", timers=nodes.quick)
        known: list[weakref.ref[Any]] = []

        async def transfer(request: ReferRequest) -> None:
            known.append(weakref.ref(request))
            notifier = request.accept_refer()
            if outlasts:
                await request.call.wait_ended(5)
            await notifier.notify(200)

        async def take(call: IncomingCall) -> None:
            known.append(weakref.ref(call))
            call.on_refer = transfer
            call.answer(nodes.answer)

        async def place() -> None:
            call = nodes.dial(caller, callee)
            await call.wait_answered(5)
            referral = call.refer("<sip:somebody@example.com>")
            known.extend((weakref.ref(call), weakref.ref(referral)))
            # As who relays it does:
            referral.on_progress = lambda status, reason: known.append(weakref.ref(call))
            await referral.wait_accepted(5)
            if not outlasts:
                await referral.wait_final(5)
            await call.bye()

        callee.on_invite = take
        left = await _left(nodes, place, [caller, callee], known)
        assert len(left) > 4
        assert not any(left)

    nodes.run(story())


async def _left(
    nodes: Any, place: Callable[[], Awaitable[None]], agents: list[UserAgent], known: list[weakref.ref[Any]]
) -> list[Any]:
    """What is still there of what is ``known`` by then, once calls were placed and their transactions are over."""
    with no_collections():
        await place()
        await nodes.settled(agents)
        return [one() for one in known]


def test_a_handshake_that_failed_leaves_nothing(nodes: Any) -> None:
    """Neither here nor there: TLS has a buffer of 256 kB for each connection."""

    def protocols() -> list[object]:
        return [one for one in gc.get_objects() if type(one) is SSLProtocol]

    async def story() -> None:
        caller = await nodes.ua("caller", "tls")
        callee = await nodes.answering("callee", "tls", tls=nodes.identity("callee.example", days=-1))
        with no_collections():
            assert not protocols()
            call = nodes.dial(caller, callee)
            with pytest.raises(CallFailedError):
                await call.wait_answered(10)
            async with asyncio.timeout(10):
                while protocols():  # noqa: ASYNC110 - nobody tells of its end
                    await asyncio.sleep(0.02)

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
        with no_collections():
            await call.bye()
            async with asyncio.timeout(10):
                while known[0]() is not None:  # noqa: ASYNC110 - nobody tells of its end
                    await asyncio.sleep(0.02)
        lingering = callee.transactions()
        assert [t.last_response.status for t in lingering] == [200, 200]
        for transaction in lingering:
            with pytest.raises(LookupError):
                _ = transaction.request

    nodes.run(story())
