"""The time limit that ends a hanging case leaves room for every wait that its deployment declares."""

from __future__ import annotations

from typing import Any

import pytest

from harness.deployment import Deployment, Report
from harness.integrations import load
from harness.integrations.matrix import cases, waits_of
from harness.support.resources import EXAMPLES


def waits_s(deployment: Deployment) -> dict[str, float]:
    return {case.row.id: waits_of(case, deployment) for case in cases([deployment])}


def changed(deployment: Deployment, part: str, **values: Any) -> Deployment:
    return deployment.model_copy(update={part: getattr(deployment, part).model_copy(update=values)})


def with_a_report(found: Deployment) -> Deployment:
    """By default the report comes up to five minutes after the call."""
    group = found.groups["billing"].model_copy(update={"agents": (), "reported_as": ("Billing",)})
    reported = found.model_copy(update={"groups": {**found.groups, "billing": group}})
    return changed(reported, "platform", report=Report(url="https://reports.example/calls"))


def by_hand(found: Deployment) -> Deployment:
    return changed(found, "campaign", trigger="manual", manual_within_s=180.0)


@pytest.mark.parametrize(
    ("example", "change", "row", "least_s"),
    [
        ("simulated-talkdesk", with_a_report, "TD-TRANSFER-BLIND", 300.0),
        ("simulated-talkdesk", by_hand, "TD-OUTBOUND-CAMPAIGN", 180.0),
        (
            "simulated-talkdesk",
            lambda found: found,
            "TD-REGISTER-OK",
            295.0,
        ),  # the next registration may be that late
        (
            "live-talkdesk",
            lambda found: changed(found, "synthflow", transcript_within_s=400.0),
            "TD-INBOUND",
            400.0,
        ),
        # a trial account's rate: a case with two calls waits for the second
        (
            "live-talkdesk",
            lambda found: changed(found, "limits", calls_per_second=1 / 60),
            "TD-INBOUND",
            60.0,
        ),
    ],
)
def test_time_limit_leaves_room_for_declared_waits(
    example: str, change: Any, row: str, least_s: float
) -> None:
    found = load(EXAMPLES / f"{example}.toml", secrets=False)
    before, after = waits_s(found), waits_s(change(found))
    assert after[row] >= least_s
    if row != "TD-INBOUND":
        assert after["TD-INBOUND"] == before["TD-INBOUND"], "which waits for none of it"
