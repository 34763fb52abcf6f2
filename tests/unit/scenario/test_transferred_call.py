"""Which leg a call is after its phone followed a REFER."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.events import CallState
from harness.scenario.ends import Call


def leg(name: str, *states: str, successor: Any = None) -> Any:
    events = [CallState(at=float(at), phone="caller", leg=name, state=state) for at, state in enumerate(states)]  # type: ignore[arg-type]
    return SimpleNamespace(id=name, events=events, state=states[-1], successor=successor)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (("calling",), "caller.2"),
        (("calling", "early", "confirmed"), "caller.2"),
        (("calling", "confirmed", "disconnected"), "caller.2"),
        (("calling", "disconnected"), "caller.1"),  # RFC 5589 section 6.2: the first call goes on
        (("calling", "early", "disconnected"), "caller.1"),
    ],
)
def test_a_transfer_that_failed_leaves_the_call_as_it_was(states: tuple[str, ...], expected: str) -> None:
    first = leg("caller.1", "calling", "confirmed", successor=leg("caller.2", *states))
    assert Call(SimpleNamespace(), first, "caller").leg.id == expected  # type: ignore[arg-type]
