"""Which groups a case's calls are to land with."""

from __future__ import annotations

import pytest

from harness.deployment import Report
from harness.deployment.hours import AS_OF_VARIABLE
from harness.integrations import load
from harness.integrations.matrix import cases, landing_groups, why_never_passed
from harness.support.resources import EXAMPLES


@pytest.mark.parametrize(
    ("integration", "row", "groups"),
    [
        ("talkdesk", "TD-INBOUND", set()),  # the AI takes it, so that the line's fallback does not
        ("talkdesk", "TD-TRANSFER-BLIND", {"billing"}),
        ("talkdesk", "TRANSFER-UNAVAILABLE", {"nobody"}),
        ("talkdesk", "TD-FALLBACK-TIMEOUT", {"reception"}),
        ("talkdesk", "ABANDON", set()),
        ("talkdesk", "PEOPLE", {"everybody"}),
        ("talkdesk", "CLOSED", {"reception"}),
        ("talkdesk", "TD-REGISTER-OK", set()),
        ("talkdesk", "NOANSWER", set()),
        ("gladly", "GL-TRANSFER-PLAIN", {"queue"}),
        ("gladly", "GL-TRANSFER-TOPIC", {"queue", "billing"}),
        ("gladly", "GL-ALLOWLIST-LISTED", {"queue"}),  # the group's own number is called
    ],
)
def test_the_groups_that_a_call_is_to_land_with(
    integration: str, row: str, groups: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(AS_OF_VARIABLE, "2026-03-04T12:00+00:00")
    deployment = load(EXAMPLES / f"simulated-{integration}.toml")
    found = [set(landing_groups(case, deployment)) for case in cases([deployment]) if case.row.id == row]
    assert found
    assert all(each == groups for each in found)


def test_a_transfer_and_people_in_time_land_neither_with_the_fallback_nor_where_a_closed_number_leads() -> None:
    deployment = load(EXAMPLES / "simulated-talkdesk.toml")
    elsewhere = {"fallback": "support", "closed": "support"}
    lines = {
        name: entry.model_copy(update=elsewhere if entry.assistant or entry.group else {})
        for name, entry in deployment.lines.items()
    }
    changed = deployment.model_copy(update={"lines": lines})
    found = [c for c in cases([changed]) if c.row.moment in ("transfer", "people") and not c.row.out_of_hours]
    assert {"TD-TRANSFER-BLIND", "PEOPLE"} <= {case.row.id for case in found}
    for case in found:
        assert "support" not in landing_groups(case, changed), case.id


def test_a_number_of_people_that_is_closed_lands_where_it_leads_then_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The people of its hours counted as well: where only a report knows them, the plan said that the case cannot pass."""
    monkeypatch.setenv(AS_OF_VARIABLE, "2026-03-04T12:00+00:00")
    deployment = load(EXAMPLES / "simulated-talkdesk.toml")
    to_people = deployment.lines["out-of-hours"].model_copy(update={"assistant": None, "group": "others"})
    others = deployment.groups["everybody"].model_copy(
        update={"did": "+18155550199", "agents": (), "away": (), "reported_as": ("Others",)}
    )
    platform = deployment.platform.model_copy(update={"report": Report(url="https://reports.example/calls")})
    changed = deployment.model_copy(
        update={
            "lines": {**deployment.lines, "out-of-hours": to_people},
            "groups": {**deployment.groups, "others": others},
            "platform": platform,
        }
    )
    (case,) = [case for case in cases([changed]) if case.row.id == "CLOSED" and case.line == "out-of-hours"]
    assert set(landing_groups(case, changed)) == {to_people.closed}
    assert why_never_passed(case, changed) is None
