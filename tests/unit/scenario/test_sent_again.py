"""An AI that was down is back only when nothing of the case's can come to it any more: the next case would take it for its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.phone import Reject
from harness.phone.leg import accept_every_leg
from harness.phone.waiter import never_came
from harness.scenario import ai as place
from harness.scenario.ai import Ai
from harness.scenario.context import CaseContext, Line
from harness.scenario.endpoints import StandInEndpoint
from tests.unit.scenario.conftest import MakeContext

TIMER_B_S = 32.0  # RFC 3261 section 17.1.1.2


@dataclass
class Phone:
    """The stand-in's, on a clock of its own; the platform's INVITE comes at ``comes_at``, if ever."""

    clock: list[float]
    comes_at: float | None
    name: str = "stand-in"
    policy: Any = None
    is_ours: Any = accept_every_leg
    refused: list[float] = field(default_factory=list)

    def next_call(self, within: float) -> Any:
        until = self.clock[0] + max(0.0, within)
        if self.comes_at is None or self.comes_at > until or within <= 0:  # it waits nowhere meanwhile
            self.clock[0] = until
            raise never_came("a call", within, self.name, "no call", "")
        self.clock[0] = max(self.clock[0], self.comes_at)
        assert isinstance(self.policy, Reject), "it would be answered"
        self.refused.append(self.clock[0])
        return SimpleNamespace()


def down(context: CaseContext, phone: Any, monkeypatch: pytest.MonkeyPatch, rang_at: float | None) -> None:
    """The case's AI is down, an agent rings in its place, and the case comes to its end."""
    rang = [] if rang_at is None else [SimpleNamespace(direction="incoming", events=[SimpleNamespace(at=rang_at)])]
    monkeypatch.setattr(type(context.phones), "legs", rang)
    monkeypatch.setattr(Ai, "_take", lambda _: StandInEndpoint(context, phone, context.trunk))
    monkeypatch.setattr(type(context.phones), "leave", lambda *_: None)
    monkeypatch.setattr(place, "time", SimpleNamespace(monotonic=lambda: phone.clock[0]))
    ai = Ai(context)
    ai.take_place()
    entry: Any = SimpleNamespace(reachable=True)
    line: Line = SimpleNamespace(entry=entry)  # type: ignore[assignment]
    ai.goes_down(line)
    for wait in context.outlasted:
        wait()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    after=st.floats(0.0, 40.0),
    comes=st.one_of(st.none(), st.floats(0.0, 60.0)),
    rang=st.one_of(st.none(), st.floats(0.0, 1.0)),
)
def test_what_the_platform_sends_again_is_refused_before_the_case_is_over(
    make_context: MakeContext, after: float, comes: float | None, rang: float | None
) -> None:
    """The agent's phone rang behind the INVITE, so that from then on it may come for as long as Timer B."""
    context = make_context("TD-FALLBACK-DOWN", "stand-in")
    clock = [1000.0 + after]
    rang_at = None if rang is None else 1000.0 + rang * after
    phone = Phone(clock, None if comes is None else 1000.0 + comes)
    last = (rang_at if rang_at is not None else 1000.0 + after) + TIMER_B_S
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(context), "trunk", SimpleNamespace(transport="udp"))
        down(context, phone, patch, rang_at)
    ended_late = 1000.0 + after >= last  # the case itself took so long that nothing can come any more
    assert bool(phone.refused) is (phone.comes_at is not None and phone.comes_at <= last and not ended_late)
    assert phone.refused or clock[0] == pytest.approx(max(last, 1000.0 + after))


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_over_a_connection_nothing_is_sent_again(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    context = make_context("TD-FALLBACK-DOWN", "stand-in")
    monkeypatch.setattr(type(context), "trunk", SimpleNamespace(transport=transport))
    phone = Phone([1000.0], 1001.0)
    down(context, phone, monkeypatch, None)
    assert phone.clock == [1000.0]
    assert not phone.refused
