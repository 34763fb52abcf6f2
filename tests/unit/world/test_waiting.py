"""What somebody waited for is forgotten with him, without a garbage collection: audio would stand still for one."""

from __future__ import annotations

import asyncio
import weakref

import pytest

from harness.world.wire.dialog import Waitable
from tests.garbage import no_collections


class Call:
    """Waits, and is the frame's own."""

    def __init__(self) -> None:
        self.answered: Waitable[int] = Waitable()

    async def answer(self) -> int:
        """Raises LookupError."""
        return await self.answered


def test_an_error_keeps_nobody_who_waited_for_it() -> None:
    async def refused() -> weakref.ref[Call]:
        call = Call()
        call.answered.fail(lambda: LookupError("486"))
        for _ in range(2):
            with pytest.raises(LookupError, match="486"):
                await call.answer()
        return weakref.ref(call)

    with no_collections():
        assert asyncio.run(refused())() is None


def test_the_first_that_comes_counts() -> None:
    async def answered() -> int:
        call = Call()
        call.answered.set(200)
        call.answered.fail(lambda: LookupError("486"))
        return await call.answer()

    assert asyncio.run(answered()) == 200
