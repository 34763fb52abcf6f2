"""What a bad network does to calls, made at the byte level by the nodes' filters."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from typing import Any

import pytest

from harness.world.wire.dialog import CallFailedError, How
from harness.world.wire.invite import IncomingCall
from harness.world.wire.transport import Passage, Passed


class Lossy:
    """Drops a fifth of all datagrams and doubles another fifth, both ways; none is dropped more
    than three times.

    Which they are depends on the order that a busy machine has them come in, and it has a request
    repeated five times instead of seven within 64*T1: every hundredth run had a call that was lost
    each time, and there was nothing wrong with its 408.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._lost: Counter[tuple[str, bytes]] = Counter()
        self.did: Counter[str] = Counter()

    def __call__(self, passage: Passage) -> Passed:
        draw, same = self._random.random(), (passage.direction, passage.data)
        if draw < 0.2 and self._lost[same] < 3:
            self._lost[same] += 1
            self.did["lost"] += 1
            return None
        if draw < 0.4:
            self.did["doubled"] += 1
            return [passage.data, passage.data]
        return passage.data


def test_every_call_comes_and_goes_with_loss_and_duplicates(nodes: Any) -> None:
    """20 % lost and 20 % doubled, each way: 36 % of all exchanges need a second try or more."""

    async def story() -> None:
        network, timers = Lossy(7), nodes.scaled(0.06)
        caller = await nodes.ua("caller", timers=timers, filter=network)
        callee = await nodes.ua("callee", timers=timers)
        taken: Counter[str] = Counter()

        async def take(call: IncomingCall) -> None:
            taken[call.call_id] += 1
            call.ring()
            call.answer(nodes.answer)

        callee.on_invite = take

        few = asyncio.Semaphore(8)  # what 64*T1 allows has to be enough on a busy machine too

        async def one(index: int) -> str:
            async with few:
                call = nodes.dial(caller, callee)
                if (
                    index % 3 == 2
                ):  # a third hang up while it rings, or while the answer is on its way
                    call.cancel()
                try:
                    await call.wait_answered()
                except CallFailedError as error:
                    return f"{error.end.how.value}"
                response = await call.bye()
                assert response is not None
                # A BYE whose answers were all lost is a local 408: the peer has ended the call
                # nevertheless.
                return "ended" if response.status in (200, 408, 481) else f"BYE {response.status}"

        results = await asyncio.gather(*(one(index) for index in range(30)))
        assert set(results) == {"ended", "cancelled"}
        assert results.count("cancelled") == 10
        assert set(taken.values()) == {1}  # a doubled INVITE is one call
        assert network.did["lost"] > 40
        assert network.did["doubled"] > 40

    nodes.run(story(), patient=True)


def no_ack(passage: Passage) -> bytes | None:
    return None if passage.data.startswith(b"ACK") else passage.data


async def test_an_ack_that_never_comes_ends_the_call(nodes: Any) -> None:
    caller = await nodes.ua("caller", timers=nodes.quick, filter=no_ack)
    callee = await nodes.ua("callee", timers=nodes.quick)
    taken = nodes.taking(callee)
    call = nodes.dial(caller, callee)
    await call.wait_answered(5)
    assert (await call.wait_ended(10)).by == "remote"
    assert (await (await taken.get()).wait_ended(10)).how is How.NO_ACK
    # T1, 2*T1 … capped at T2, for 64*T1.
    again = [m for m in nodes.starts("callee", "sent", "SIP/2.0 200") if b"1 INVITE" in m.data]
    assert len(again) >= 8


async def test_invite_into_a_black_hole_is_repeated_and_given_up(nodes: Any) -> None:
    """Timers A and B: at 0, 1, 3, 7 … T1, and a 408 of our own after 64*T1."""

    caller = await nodes.ua("caller", timers=nodes.quick)
    callee = await nodes.answering("callee", timers=nodes.quick, filter=lambda p: None)
    call = nodes.dial(caller, callee)
    with pytest.raises(CallFailedError) as caught:
        await call.wait_answered(10)
    assert (caught.value.status, caught.value.end.how) == (408, How.NO_ANSWER)
    times = [m.at for m in nodes.starts("caller", "sent", "INVITE")]
    assert (
        5 <= len(times) <= 7
    )  # 0, 1, 3, 7, 15, 31 and 63 T1; a busy machine comes late to the last ones
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    for doubling, gap in enumerate(gaps):
        assert gap >= 0.98 * nodes.quick.t1 * 2**doubling


async def test_an_icmp_error_of_one_peer_costs_another_nothing(nodes: Any) -> None:
    caller, callee = (
        await nodes.ua("caller", timers=nodes.quick),
        await nodes.answering("callee", timers=nodes.quick),
    )
    gone = await nodes.ua("gone", timers=nodes.quick)
    nowhere = gone.listening[0]
    await gone.stop()
    good, bad = [], []
    for _ in range(10):
        bad.append(nodes.dial(caller, callee, hop=nowhere))
        good.append(nodes.dial(caller, callee))
    for call in good:
        await call.wait_answered(5)
        await call.bye()
    for call in bad:
        with pytest.raises(CallFailedError):
            await call.wait_answered(5)
