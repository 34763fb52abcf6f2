"""Groups that no number reaches: by an extension, or by the platform's own routing alone."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from harness.deployment import Deployment
from harness.deployment.hours import AS_OF_VARIABLE
from harness.deployment.safety import Guard
from harness.errors import DeploymentError, RefusedError
from harness.integrations import load
from harness.integrations.matrix import Selection, calls_of, cases, left_out
from harness.run.preflight.machine import number_lines
from harness.support.resources import EXAMPLES


def loaded(
    directory: Path, name: str = "simulated-talkdesk", lines: Any = None, **groups: dict[str, Any]
) -> Deployment:
    plain = tomllib.loads((EXAMPLES / f"{name}.toml").read_text(encoding="utf-8"))
    plain["numbers_csv"] = str(EXAMPLES / plain["numbers_csv"])
    for group, keys in groups.items():
        del plain["groups"][group]["did"]
        plain["groups"][group] |= keys
    for line, keys in (lines or {}).items():
        plain["lines"][line] |= keys
    path = directory / "d.toml"
    path.write_text(tomli_w.dumps(plain), encoding="utf-8")
    return load(path, secrets=False)


def test_the_ai_transfers_to_an_extension(tmp_path: Path) -> None:
    deployment = loaded(tmp_path, billing={"user": "Kundendienst"})
    found = cases([deployment], Selection(rows=("TD-TRANSFER-BLIND", "TD-TRANSFER-WARM")))
    assert {calls_of(case, deployment)[-1].number for case in found} == {"Kundendienst"}
    assert {case.row.id for case in found} == {"TD-TRANSFER-BLIND", "TD-TRANSFER-WARM"}
    Guard(deployment)(f"sip:Kundendienst@{deployment.platform.domain}")
    with pytest.raises(RefusedError, match="'kundendienst' is no number"):
        Guard(deployment)(f"sip:kundendienst@{deployment.platform.domain}")
    assert deployment.handovers_made("main", "Kundendienst", None, shows_topic=False) == [""]
    assert deployment.handovers_made("main", "+18155550101", None, shows_topic=False) == []


def test_a_callers_phone_cannot_follow_a_refer_to_an_extension(tmp_path: Path) -> None:
    every = loaded(tmp_path)
    selection = Selection(rows=("TD-TRANSFER-BLIND",))
    assert {case.axes["refer"] for case in cases([every], selection)} == {"consumed", "passed-on"}
    extension = loaded(tmp_path, billing={"user": "5001234567890"})
    assert {case.axes["refer"] for case in cases([extension], selection)} == {"consumed"}
    alone = {name: {"refer": "passed-on"} for name in every.lines if every.lines[name].assistant}
    (why,) = [left.why for left in left_out(loaded(tmp_path, lines=alone, billing={"user": "Service"}))
              if left.row == "TD-TRANSFER-BLIND"]  # fmt: skip
    said = "no assistant hands over so to a group with a number (did), which the caller's phone has to call there"
    assert why.partition(" (of those it is about: ")[0] == said


def test_a_queue_may_have_no_number_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AS_OF_VARIABLE, "2026-03-04T12:00+00:00")
    deployment = loaded(tmp_path, reception={})
    found = {case.row.id for case in cases([deployment])}
    assert {"TD-FALLBACK-TIMEOUT", "PEOPLE", "CLOSED"} <= found
    assert deployment.group_called == "billing"


def test_rows_that_call_the_group_itself_are_left_out_where_none_can_be_called(tmp_path: Path) -> None:
    every = loaded(tmp_path, "simulated-gladly")
    there = {case.row.id for case in cases([every])}
    agents = {name: {"user": f"q-{name}"} for name in every.groups}
    named = loaded(tmp_path, "simulated-gladly", **agents)
    assert {case.row.id for case in cases([named])} == there
    number = next(iter(every.groups.values())).did
    assert all(call.number != number for case in cases([named]) for call in calls_of(case, named))
    hidden = {name: group.model_copy(update={"did": None}) for name, group in every.groups.items()}
    unknown = every.model_copy(update={"groups": hidden})
    why = {left.row: left.why for left in left_out(unknown)}
    said = "no group with a harness phone has a number, or a user, that could be called"
    assert why["GL-ALLOWLIST-LISTED"] == why["GL-ALLOWLIST-UNLISTED"] == said
    assert {case.axes["ai"] for case in cases([unknown], Selection(rows=("GL-PLAINTEXT",)))} <= {"synthflow"}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (
            {"user": "agents", "did": "+18155550101"},
            r"groups.billing: did and user are both there; allowed: did, or user",
        ),
        ({"user": "+18155550101"}, r"groups.billing: user: '\+18155550101' is a number; allowed: did for it"),
        ({"user": "two words"}, r"groups.billing.user: 'two words': no user of a SIP address"),
        (
            {},
            r"assistants.main.transfer_to: groups.billing has no did and no user to transfer to; allowed: a group with one",
        ),
    ],
)
def test_what_cannot_be(tmp_path: Path, keys: dict[str, Any], said: str) -> None:
    with pytest.raises(DeploymentError, match=said):
        loaded(tmp_path, billing=keys)


def test_two_groups_have_two_extensions(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match=r"groups.support.user: Ring is already groups.billing.user"):
        loaded(tmp_path, billing={"user": "Ring"}, support={"user": "Ring"})


def test_an_extension_that_is_a_short_code_is_told_before_the_run(tmp_path: Path) -> None:
    (told,) = number_lines(loaded(tmp_path, billing={"user": "911"}, support={"user": "Ring"}))
    assert "911 is an emergency number" in told.detail
