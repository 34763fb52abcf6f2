"""A stream of too few packets is its source's fault, but not where nothing on this machine had a processor."""

from __future__ import annotations

import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.verdict import Verdict
from harness.scenario import conclusion
from tests.unit.checks.calls import counted
from tests.unit.scenario.conftest import MakeContext


@pytest.mark.parametrize(("starved_s", "verdict"), [(0.1, Verdict.FAILED), (0.5, Verdict.BROKEN)])
def test_too_few_packets_are_the_sources_fault_on_a_machine_that_has_time(
    make_context: MakeContext, starved_s: float, verdict: Verdict
) -> None:
    context = make_context()
    context.evidence.starved = lambda begin, end: starved_s
    thin = replace(counted(50, 0), rx_spanned_ms=3000, rx_filled_ms=1000)
    began: Any = SimpleNamespace(at=time.monotonic() - 4.0)
    leg: Any = SimpleNamespace(id="caller.1", statistics=lambda: thin, events=[began])
    conclusion._little_loss(context, leg)
    assert [(finding.check, finding.verdict) for finding in context.evidence.findings] == [("audio.loss", verdict)]
