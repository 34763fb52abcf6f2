"""What nobody can see or tell apart by a drawn customer's file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import tomli_w

from harness.deployment import Deployment
from harness.integrations import load
from harness.integrations.matrix import Case, Selection, cases
from tools.shapes.draw import as_of, drawn
from tools.shapes.untold import is_unseen, not_told_apart

pytestmark = pytest.mark.nightly  # as the measurement itself

FAULTS = ("route-missing", "no-g711", "codecs-stripped-to-ai")


def blind(tmp_path: Path, **fallback: object) -> Deployment:
    """A live customer without the AI's interface, whose numbers fall back to such a group."""
    table = as_of(drawn(3, 11).table, datetime.now(UTC))
    agent = {"account": "desk", "user": "agent-x"}
    group = {"did": "+13125550188", "agents": [], "away": [], **fallback}
    assistants = {"it": {"did": "+13125550189", "voice": 240}}
    line = {"did": "+13125550187", "trunk": table["trunks"][0]["name"], "assistant": "it"}
    lines = {"falls": line | {"fallback": "g"}, "falls nowhere": line | {"did": "+13125550186"}}
    phones = {name: phone for name, phone in table["phones"].items() if "(test)" in name} | {"x": agent}
    table |= {"groups": {"g": group}, "assistants": assistants, "lines": lines, "phones": phones, "numbers": {}}
    table |= {"integration": "talkdesk", "depth": "every-number"}
    table.pop("campaign", None)
    file = tmp_path / "customer.toml"
    file.write_text(tomli_w.dumps(table), encoding="utf-8")
    return load(file).model_copy(update={"kind": "live", "synthflow": None})


def case_of(deployment: Deployment, row: str, line: str) -> Case:
    simulated = deployment.model_copy(update={"kind": "simulated"})
    return next(case for case in cases([simulated], Selection(rows=(row,))) if case.line == line)


@pytest.mark.parametrize(
    ("group", "unseen"),
    [
        ({}, True),  # somebody answers who is no agent of the harness
        ({"empty": True, "voicemail": True}, True),
        ({"empty": True}, False),  # the caller is refused
        ({"agents": ["x"]}, False),  # a harness phone rings
        ({"agents": ["x"], "away": ["x"]}, False),
        ({"agents": ["x"], "away": ["x"], "voicemail": True}, True),
    ],
)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_stranger_in_the_ai_s_place_is_heard_as_the_ai_would_be(
    tmp_path: Path, group: dict[str, object], unseen: bool, fault: str
) -> None:
    deployment = blind(tmp_path, **group)
    case = case_of(deployment, "TD-INBOUND", "falls")
    assert is_unseen(fault, case, deployment) is unseen
    assert not is_unseen("rtp-blocked-both", case, deployment)
    assert not is_unseen("no-g711", case_of(deployment, "TD-INBOUND", "falls nowhere"), deployment)
    assert not is_unseen(fault, case, deployment.model_copy(update={"kind": "simulated"}))


def test_what_cannot_be_told_apart_is_listed_where_it_is_so_alone(tmp_path: Path) -> None:
    deployment = blind(tmp_path, agents=["x"])
    case = case_of(deployment, "TD-INBOUND", "falls")
    assert {"route-missing", "no-g711", "trunk-password-wrong"} <= not_told_apart("no-g711", case, deployment)
    assert not not_told_apart("rtp-blocked-both", case, deployment)
    assert "refer-never-notified" in not_told_apart("refer-rejected", case, deployment)
    seen = deployment.model_copy(update={"kind": "simulated"})
    assert not not_told_apart("refer-rejected", case, seen)
    assert not not_told_apart("no-g711", case, seen)
    told = not_told_apart("route-missing", case, seen)
    assert "trunk-transport-mismatch" in told
    assert "firewall-udp-32681" not in told, "the agents ring at once"
    nobody = blind(tmp_path, empty=True).model_copy(update={"kind": "simulated"})
    assert "firewall-udp-32681" in not_told_apart("route-missing", case, nobody)
