"""The time limit that ends a hanging case leaves room for every wait that its deployment declares."""

from types import SimpleNamespace
from typing import Any

import pytest

from harness.deployment import Deployment, Report
from harness.integrations import load
from harness.integrations.matrix import cases
from harness.run.plugin import collection
from harness.support.resources import EXAMPLES


def limits_s(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Row → after how many seconds a case of it is ended."""
    ended: dict[str, float] = {}
    run = SimpleNamespace(deployment=lambda _: deployment)
    for name, value in (("run_of", lambda _: run), ("case_of", lambda item: item.case), ("in_order", lambda i, _: i)):
        monkeypatch.setattr(collection, name, value)

    def item(case: Any) -> Any:
        def mark(timeout: pytest.MarkDecorator) -> None:
            ended[case.row.id] = float(timeout.args[0])

        return SimpleNamespace(case=case, get_closest_marker=lambda _: True, add_marker=mark)

    config: Any = SimpleNamespace()
    collection.pytest_collection_modifyitems(config, [item(case) for case in cases([deployment])])
    return ended


def with_a_report(found: Deployment) -> Deployment:
    """By default it comes up to five minutes after the call."""
    group = found.groups["billing"].model_copy(update={"agents": (), "reported_as": ("Billing",)})
    platform = found.platform.model_copy(update={"report": Report(url="https://reports.example/calls")})
    return found.model_copy(update={"platform": platform, "groups": {**found.groups, "billing": group}})


def with_a_campaign(**trigger: Any) -> Any:
    def changed(found: Deployment) -> Deployment:
        assert found.campaign is not None
        return found.model_copy(update={"campaign": found.campaign.model_copy(update={"trigger": "http"} | trigger)})

    return changed


def with_late_words(found: Deployment) -> Deployment:
    assert found.synthflow is not None
    return found.model_copy(update={"synthflow": found.synthflow.model_copy(update={"transcript_within_s": 400.0})})


def with_a_call_a_minute(found: Deployment) -> Deployment:
    """As trial accounts have it: a case of several calls waits for the second."""
    return found.model_copy(update={"limits": found.limits.model_copy(update={"calls_per_second": 1 / 60})})


@pytest.mark.parametrize(
    ("example", "change", "row", "waits_s"),
    [
        ("simulated-talkdesk", with_a_report, "TD-TRANSFER-BLIND", 300.0),
        ("simulated-talkdesk", with_a_campaign(trigger="manual", manual_within_s=180.0), "TD-OUTBOUND-CAMPAIGN", 180.0),
        ("simulated-talkdesk", with_a_campaign(calls_within_s=600.0), "TD-OUTBOUND-CAMPAIGN", 600.0),
        ("simulated-talkdesk", lambda found: found, "TD-REGISTER-OK", 295.0),  # it may register again as late as that
        ("live-talkdesk", with_late_words, "TD-INBOUND", 400.0),
        ("live-talkdesk", with_a_call_a_minute, "TD-INBOUND", 60.0),
    ],
)
def test_a_case_may_wait_as_long_as_its_deployment_declares(
    monkeypatch: pytest.MonkeyPatch, example: str, change: Any, row: str, waits_s: float
) -> None:
    found = load(EXAMPLES / f"{example}.toml", secrets=False)
    before, after = limits_s(found, monkeypatch), limits_s(change(found), monkeypatch)
    assert after[row] >= found.limits.seconds_per_call + waits_s
    if row != "TD-INBOUND":
        assert after["TD-INBOUND"] == before["TD-INBOUND"], "which waits for none of it"
