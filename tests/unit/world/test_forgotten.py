"""A call that is over is forgotten with the last who knows it, without a garbage collection: audio would stand still for one."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, cast

import pytest

from harness.world.audit import Audit
from harness.world.b2bua import BackToBack, LegRefusedError, LegTarget, WireLeg
from harness.world.media.sound import Ticker
from harness.world.platform.answering import RingGroup
from harness.world.settings import GroupSettings
from tests.garbage import no_collections


class Endless(BackToBack):
    """A call that does something until it is hung up."""

    async def run(self, first: WireLeg) -> None:
        await asyncio.Event().wait()


@dataclass
class Agent:
    """Whom a group calls, and what that comes to."""

    status: int
    accept = None


class Ringing(BackToBack):
    """A call that rings agents."""

    async def ring(self, target: LegTarget, *_: Any) -> WireLeg:
        await asyncio.sleep(0)
        status = cast("Agent", target).status
        if status >= 300:
            raise LegRefusedError(status)
        return cast("WireLeg", Answered())


class Answered:
    """A leg that was answered."""

    def __init__(self) -> None:
        self.call = self
        self.was_let_go = False

    def hangup(self) -> None:
        """Another was sooner."""
        self.was_let_go = True


async def hung_up() -> weakref.ref[BackToBack]:
    registry: set[Any] = set()
    call = Endless("a call", Audit(), registry)
    call._registry.add(call)
    call._work = work = call.audit.spawn(call._run(cast("WireLeg", None)), call.name)
    await asyncio.sleep(0)
    call.hangup()
    await asyncio.wait([work])
    assert not registry
    return weakref.ref(call)


def rung(*statuses: int, expected: int = 0) -> Callable[[], Coroutine[Any, Any, weakref.ref[BackToBack]]]:
    async def ring() -> weakref.ref[BackToBack]:
        call = Ringing("a call", Audit(), set())
        agents = cast("list[LegTarget]", list(map(Agent, statuses)))
        group = RingGroup(call, GroupSettings(), cast("WireLeg", None), cast("Ticker", None))
        wait = group.ring(lambda: agents)
        if min(statuses) < 300:
            answered = cast("Answered", await wait)
            assert not answered.was_let_go
        else:
            with pytest.raises(LegRefusedError, match=str(expected)):
                await wait
        return weakref.ref(call)

    return ring


@pytest.mark.parametrize(
    "story", [hung_up, rung(486, expected=486), rung(480, 486, 603, expected=603), rung(486, 200), rung(200, 200)]
)
def test_a_call_that_is_over_is_forgotten_at_once(story: Callable[[], Coroutine[Any, Any, weakref.ref[Any]]]) -> None:
    async def told() -> weakref.ref[Any]:
        known = await story()
        await asyncio.sleep(0)
        return known

    with no_collections():
        assert asyncio.run(told())() is None
