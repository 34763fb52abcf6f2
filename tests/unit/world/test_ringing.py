"""Whom a back-to-back user agent still calls for a party that is gone."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from harness.world.audit import Audit
from harness.world.b2bua import BackToBack, LegRefusedError


@pytest.mark.parametrize(("state", "called"), [("confirmed", ["billing"]), ("ended", [])])
def test_an_agent_is_called_for_a_caller_who_is_there(state: str, called: list[str]) -> None:
    invited: list[str] = []

    def invite(*_: Any, **__: Any) -> Any:
        invited.append("billing")
        raise LookupError("no such host")

    target: Any = SimpleNamespace(
        peer="billing", uri=None, from_=None, hop=None, flow=None, headers=[], credentials=None
    )
    target.ua = SimpleNamespace(invite=invite)
    remote: Any = SimpleNamespace(remote=b"", pass_on=lambda remote: b"", close=lambda: None)
    toward: Any = SimpleNamespace(call=SimpleNamespace(state=state), media=remote)
    call = BackToBack("transfer", Audit(), set())
    with pytest.raises(LegRefusedError) as refused:
        asyncio.run(call.ring(target, toward, 1.0))
    assert invited == called
    assert refused.value.status == (503 if called else 487)
