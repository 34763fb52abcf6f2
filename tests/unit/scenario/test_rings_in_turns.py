"""A group that rings in turns: the first turn is waited for once the caller has waited in the queue."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.calls.verdict import Verdict
from harness.deployment import Group as GroupEntry
from harness.scenario.people import Group
from tests.unit.scenario.conftest import MakeContext

AGENTS = ("Ağ", "night-desk", "Øre", "2nd")
OF: Any = SimpleNamespace(is_over=lambda: False)


class Platform:
    """A platform whose callers wait ``queued`` looks long, and whose group rings then, turn by turn; each is waited for as long."""

    def __init__(self, queued: int) -> None:
        self.queued = queued
        self.looks = 0
        self.waited_from: list[int] = []

    def rang(self, numbers: set[str]) -> list[str]:
        self.looks += 1
        return [AGENTS[0]] if self.looks > self.queued else []

    def ringing(self, phone: Any, within: float, unless: Any) -> Any:
        self.waited_from.append(self.looks)
        if self.looks <= self.queued:
            return None
        leg = SimpleNamespace(taken=False, reject=lambda code: None)
        phone.incoming.append(leg)
        return leg


@given(
    queued=st.integers(0, 40),
    agents=st.integers(2, len(AGENTS)),
    rings=st.sampled_from(["all", "batches", "one-by-one"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_ringing_is_waited_for_after_the_queue(
    make_context: MakeContext, queued: int, agents: int, rings: Any
) -> None:
    context, platform = make_context(), Platform(queued)
    phones: Any = [SimpleNamespace(name=name, incoming=[]) for name in AGENTS[:agents]]
    entry = GroupEntry(did="+13125550147", agents=AGENTS[:agents], rings=rings, queue_s=600.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context.phones, "rang_for", platform.rang)
        patch.setattr(context.phones, "ringing", platform.ringing)
        Group(context, "Zweite Stufe", entry, phones).rings_in_turns(OF)
    assert min(platform.waited_from) > queued, "the agents' time began while the caller was still waiting in the queue"
    assert {one.verdict for one in context.evidence.findings} == {Verdict.PASSED}


@pytest.mark.parametrize(("queue_s", "is_over"), [(0.0, False), (0.02, False), (600.0, True)])
def test_a_queue_that_nobody_is_served_from_ends(make_context: MakeContext, queue_s: float, is_over: bool) -> None:
    """By the time the deployment grants, or with the call: the agents fail."""
    context = make_context()
    phones: Any = [SimpleNamespace(name=name, incoming=[]) for name in AGENTS[:2]]
    entry = GroupEntry(did="+13125550147", agents=AGENTS[:2], queue_s=queue_s)
    of: Any = SimpleNamespace(is_over=lambda: is_over)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(context.phones, "rang", list)
        patch.setattr(context.phones, "ringing", lambda *_, **__: None)
        Group(context, "Zweite Stufe", entry, phones).rings_in_turns(of)
    assert [one.verdict for one in context.evidence.findings] == [Verdict.FAILED] * 2
