"""A group rings its agents for a caller, and nobody once the caller has hung up."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from harness.world.b2bua import LegRefusedError
from harness.world.platform.answering import RingGroup
from harness.world.settings import GroupSettings


class Called:
    """A call whose agents do not answer; its caller hangs up while one rings."""

    def __init__(self, hangs_up_at: str) -> None:
        self.toward: Any = SimpleNamespace(call=SimpleNamespace(state="confirmed"))
        self.rang: list[str] = []
        self._hangs_up_at = hangs_up_at

    async def ring(self, target: Any, *_: Any) -> Any:
        self.rang.append(target.peer)
        if target.peer == self._hangs_up_at:
            self.toward.call.state = "ended"
        raise LegRefusedError(480)


@pytest.mark.parametrize("queue_s", [0.0, 60.0])
@pytest.mark.parametrize(("at", "rang"), [("anne", ["anne"]), ("bert", ["anne", "bert"])])
def test_no_next_agent_rings_for_a_caller_who_has_hung_up(
    at: str, rang: list[str], queue_s: float
) -> None:
    called: Any = Called(hangs_up_at=at)
    settings = GroupSettings(rings="one-by-one", pause_s=0.0, queue_s=queue_s)
    agents: Any = [SimpleNamespace(peer=name, accept=None) for name in ("anne", "bert", "eve")]
    group = RingGroup(called, settings, called.toward, ticker=None)  # type: ignore[arg-type]
    with pytest.raises(LegRefusedError) as refused:
        asyncio.run(group.ring(lambda: agents))
    assert (refused.value.status, called.rang) == (487, rang)
