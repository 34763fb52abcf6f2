"""What a case's end finds when the harness has hung up is of the time before: what came later, it brought about itself.

A diagnosis takes for evidence what came before the last finding was made.
"""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.checks.finding import judged
from harness.calls.verdict import Finding
from harness.scenario import conclusion, post_failure_probes
from harness.scenario.conclusion import conclude, require_promised_findings
from harness.scenario.context import CaseContext
from tests.unit.scenario.conftest import MakeContext


class Up:
    """A call that is up when the scenario has said its part."""

    def __init__(self, context: CaseContext) -> None:
        self.hung_up_at: float | None = None
        self.legs = [SimpleNamespace(id="caller.1")]
        calls: list[Any] = context.calls.own
        calls.append(self)

    def is_over(self) -> bool:
        return self.hung_up_at is not None

    def hang_up(self) -> None:
        self.hung_up_at = time.monotonic()


def look() -> list[Finding]:
    return [judged("landing.answered_by", "the call", False, expected="one", actual="two")]


@pytest.fixture
def case(make_context: MakeContext, monkeypatch: pytest.MonkeyPatch) -> tuple[CaseContext, Up]:
    monkeypatch.setattr(conclusion, "_look_at_calls", lambda context: None)
    context = make_context()
    return context, Up(context)


def test_what_is_told_when_the_calls_are_over(case: tuple[CaseContext, Up]) -> None:
    context, up = case
    context.later.append(look)
    context.last_looks.append(look)
    conclude(context, probe=False)
    require_promised_findings(context)
    assert up.hung_up_at is not None
    assert len(context.evidence.findings) > 2
    assert {finding.at <= up.hung_up_at for finding in context.evidence.findings} == {True}


def test_what_is_found_while_they_are_up_is_of_that_time(case: tuple[CaseContext, Up]) -> None:
    context, up = case
    began = time.monotonic()
    context.last_looks.append(look)
    conclude(context, probe=False)
    assert up.hung_up_at is None
    assert all(finding.at >= began for finding in context.evidence.findings)


def test_what_nobody_looked_at_is_of_the_time_before_a_closer_look(
    case: tuple[CaseContext, Up], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which may hang up, for a second call."""
    context, up = case
    monkeypatch.setattr(post_failure_probes, "look_closer", lambda *_: up.hang_up())
    context.last_looks.append(look)
    conclude(context)
    require_promised_findings(context)
    assert up.hung_up_at is not None
    assert len(context.evidence.findings) > 1
    assert {finding.at <= up.hung_up_at for finding in context.evidence.findings} == {True}
