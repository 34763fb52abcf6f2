"""When a fallback took over: by the agent's ring, and behind a queue by the moment at which the platform gave the AI up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.deployment import Group
from harness.scenario.expect import ExpectGroup
from harness.verdict import Verdict
from tests.unit.scenario.conftest import MakeContext

ROUTED, RING_TIMEOUT_S, QUEUE_S = 100.0, 2.0, 10.0


def landing(rang: float, entry: Group) -> tuple[Any, Any]:
    """A group without phones of its own, and a leg that began to ring ``rang`` seconds after the routing."""
    group: Any = SimpleNamespace(name="Warteschleife", entry=entry, phones=())
    return group, SimpleNamespace(label="agent", began=ROUTED + rang)


def verdict(make_context: MakeContext, rang: float, given_up: float | None, queue_s: float) -> Verdict:
    context = make_context()
    group, landed = landing(rang, Group(did="+13125550142", agents=("Ödön",), queue_s=queue_s))
    moment = None if given_up is None else ROUTED + given_up
    ExpectGroup(context, group).took_over(landed, ROUTED, RING_TIMEOUT_S, moment)
    return context.evidence.findings[-1].verdict


@pytest.mark.parametrize(
    ("rang", "given_up", "queue_s", "expected"),
    [
        (2.4, 2.0, 0.0, Verdict.PASSED),
        (3.5, 2.0, 0.0, Verdict.FAILED),  # no queue: the caller was left alone in between
        (7.0, 2.0, QUEUE_S, Verdict.PASSED),
        (7.0, 4.0, QUEUE_S, Verdict.FAILED),  # the queue does not excuse that the AI rang for too long
        (2.0, 0.5, QUEUE_S, Verdict.FAILED),  # nor that it was let go at once
        (12.0, None, QUEUE_S, Verdict.PASSED),
        (0.5, None, QUEUE_S, Verdict.FAILED),
        (13.5, None, QUEUE_S, Verdict.FAILED),
    ],
)
def test_took_over(
    make_context: MakeContext, rang: float, given_up: float | None, queue_s: float, expected: Verdict
) -> None:
    assert verdict(make_context, rang, given_up, queue_s) is expected


def test_a_queue_lasts_as_long_as_it_says(make_context: MakeContext) -> None:
    context = make_context()
    for queue_s, rang, expected in (
        (0.0, 3.5, Verdict.FAILED),
        (QUEUE_S, 12.9, Verdict.PASSED),
        (QUEUE_S, 13.1, Verdict.FAILED),
    ):
        group, landed = landing(rang, Group(did="+13125550142", queue_s=queue_s))
        ExpectGroup(context, group).came_within(landed, RING_TIMEOUT_S + 1.0, ROUTED)
        assert context.evidence.findings[-1].verdict is expected
