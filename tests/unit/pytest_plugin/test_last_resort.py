"""What ends a case that hangs leaves a case the time that its deployment lets others take."""

from __future__ import annotations

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


def test_a_report_may_come_as_late_as_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default five minutes after the call, and a case was ended three minutes after it had begun."""
    found = load(EXAMPLES / "simulated-talkdesk.toml")
    before = limits_s(found, monkeypatch)
    group = found.groups["billing"].model_copy(update={"agents": (), "reported_as": ("Billing",)})
    platform = found.platform.model_copy(update={"report": Report(url="https://reports.example/calls")})
    after = limits_s(
        found.model_copy(update={"platform": platform, "groups": {**found.groups, "billing": group}}), monkeypatch
    )
    longest = found.limits.seconds_per_call
    assert after["TD-TRANSFER-BLIND"] > longest + 300.0
    assert after["TD-INBOUND"] == before["TD-INBOUND"], "which waits for no report"


@pytest.mark.parametrize(
    ("trigger", "waits"), [({"trigger": "manual", "manual_within_s": 180.0}, 180.0), ({"calls_within_s": 600.0}, 600.0)]
)
def test_a_campaign_may_call_as_late_as_is_said(
    monkeypatch: pytest.MonkeyPatch, trigger: dict[str, Any], waits: float
) -> None:
    found = load(EXAMPLES / "simulated-talkdesk.toml")
    before = limits_s(found, monkeypatch)
    assert found.campaign is not None
    campaign = found.campaign.model_copy(update={"trigger": "http"} | trigger)
    after = limits_s(found.model_copy(update={"campaign": campaign}), monkeypatch)
    row = "TD-OUTBOUND-CAMPAIGN"
    assert after[row] >= found.limits.seconds_per_call + waits
    assert after["TD-INBOUND"] == before["TD-INBOUND"]


def test_words_may_come_as_late_as_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    found = load(EXAMPLES / "live-talkdesk.toml", secrets=False)
    assert found.synthflow is not None
    late = found.synthflow.model_copy(update={"transcript_within_s": 400.0})
    ended = limits_s(found.model_copy(update={"synthflow": late}), monkeypatch)
    assert min(ended.values()) >= found.limits.seconds_per_call + 400.0


def test_a_number_may_register_again_as_late_as_it_was_asked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default 295 s after it has, and the case was ended after 180 s."""
    found = load(EXAMPLES / "simulated-talkdesk.toml")
    assert found.timings.register_expires_s == 300
    assert limits_s(found, monkeypatch)["TD-REGISTER-OK"] > 120.0 + 300.0


def test_calls_may_begin_as_seldom_as_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """One a minute, as trial accounts have it: a case of several was ended while it waited for the second."""
    found = load(EXAMPLES / "live-talkdesk.toml", secrets=False)
    before = limits_s(found, monkeypatch)
    limits = found.limits.model_copy(update={"calls_per_second": 1 / 60})
    after = limits_s(found.model_copy(update={"limits": limits}), monkeypatch)
    assert after["TD-INBOUND"] >= before["TD-INBOUND"] + 60.0
