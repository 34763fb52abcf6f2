"""A call that waits for the deployment's own limits: until its turn comes, however many are before it, and told as a wait."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.deployment import from_plain, to_plain
from harness.deployment.limits import MOST_WORKERS
from harness.scenario.case_phones import CasePhones
from harness.scenario.context import CaseContext
from tests.unit.scenario.conftest import MakeContext


class Gate:
    """One that lets a call through at the end of a wait, which is measured and does not take place."""

    def __init__(self, clock: list[float], waits: float) -> None:
        self.clock, self.waits, self.within = clock, waits, 0.0

    def admit(self, within: float) -> str:
        self.within = within
        self.clock[0] += self.waits
        return "permit"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr("harness.scenario.case_phones.time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def admitted(context: CaseContext, gate: Gate, per_second: float) -> list[Any]:
    plain = to_plain(context.deployment)
    plain["limits"] = {**plain["limits"], "calls_per_second": per_second}
    told: list[Any] = []
    evidence: Any = SimpleNamespace(scripted=lambda seconds, why, began: told.append((seconds, why, began)))
    nothing: Any = SimpleNamespace()
    phones = CasePhones(from_plain(plain), evidence, nothing, iter(()), gate)  # type: ignore[arg-type]
    rules: Any = phones._rules
    assert rules.admit(rules.admitted_within_s) == "permit"
    return told


@pytest.mark.parametrize(("per_second", "least"), [(50.0, 30.0), (0.05, MOST_WORKERS / 0.05)])
def test_every_worker_s_call_may_be_before_it(
    make_context: MakeContext, clock: list[float], per_second: float, least: float
) -> None:
    gate = Gate(clock, 0.0)
    assert admitted(make_context(), gate, per_second) == []
    assert gate.within >= least


def test_the_wait_is_no_time_of_the_harness_s_own(make_context: MakeContext, clock: list[float]) -> None:
    told = admitted(make_context(), Gate(clock, 7.5), 1.0)
    assert told == [(7.5, "until [limits] let the call be placed", 100.0)]
