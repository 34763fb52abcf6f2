"""Groups without harness phones whose landings the platform's report tells of: which rows follow,
and which do not.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from harness.deployment import Deployment
from harness.errors import DeploymentError
from harness.finding_kinds import LANDING_OTHERS
from harness.integrations import load
from harness.integrations.matrix import cases, left_out, why_never_passed
from harness.report.scope import content_of
from harness.run.plugin.leases import needs_of
from harness.run.preflight.run import needs as needs_of_rows
from harness.support.resources import EXAMPLES

FILE = EXAMPLES / "live-gladly.toml"
SECRETS = dict.fromkeys(
    (
        "HARNESS_SYNTHFLOW_API_TOKEN",
        "HARNESS_TEST_LINE_PASSWORD",
        "HARNESS_AGENT_PASSWORD",
        "HARNESS_CALLER_PASSWORD",
        "KEY",
    ),
    "x",
)
ROWS = {"GL-TRANSFER-PLAIN", "GL-FALLBACK-TIMEOUT", "GL-FALLBACK-REFUSED", "GL-FALLBACK-DOWN"}
#: Of a landing as well, but of what a harness phone alone does or sees.
OF_PHONES = {"HANGUP-AGENT", "PEOPLE", "GROUP-RINGING", "CLOSED", "GL-TRANSFER-TOPIC"}


def plain(**groups: Any) -> dict[str, Any]:
    """The example without a harness phone in any group, with a stand-in that makes fallbacks
    happen.
    """
    found = tomllib.loads(FILE.read_text())
    found["kind"] = "stand-in"
    found["stand_in"] = {"bind": "192.0.2.7"}
    for trunk in found["trunks"]:
        trunk["ai"] = "stand-in"
    for line in found["lines"].values():
        line["fallback"] = next(iter(found["groups"]))
    for group in found["groups"].values():
        group |= {"agents": []} | groups
    found["platform"]["report"] = {
        "url": "https://reports.example/calls",
        "headers_env": {"X-Key": "KEY"},
    }
    return found


def deployment(directory: Path, written: dict[str, Any]) -> Deployment:
    path = directory / "d.toml"
    path.write_text(tomli_w.dumps(written))
    return load(path, SECRETS, secrets=False)


def test_a_report_that_is_a_file_is_the_same_content_wherever_it_lies(tmp_path: Path) -> None:
    """Else a fleet's site refused the controller's file, and a night was compared with no other
    once its directory had moved.
    """
    written = plain(reported_as=["Kasse"])
    written["platform"]["report"] = {"file": "calls.csv"}
    contents = []
    for site in ("ams", "nyc"):
        (tmp_path / site).mkdir()
        contents.append(content_of(deployment(tmp_path / site, written)))
    assert contents[0] == contents[1]
    assert contents[0]["platform"]["report"]["file"] == "calls.csv"
    report = deployment(tmp_path, written).platform.report
    assert report is not None
    assert report.file == str(tmp_path / "calls.csv"), "beside the deployment file"


def test_what_a_report_tells_is_planned_and_no_more(tmp_path: Path) -> None:
    unnamed = deployment(tmp_path, plain())
    assert not {case.row.id for case in cases([unnamed])} & (ROWS | OF_PHONES)
    without = plain(reported_as=["Kasse"])
    for group in without["groups"].values():
        group["empty"] = True
    assert not {case.row.id for case in cases([deployment(tmp_path, without)])} & (ROWS | OF_PHONES)
    named = deployment(tmp_path, plain(reported_as=["Kasse"]))
    planned = {case.row.id: case for case in cases([named])}
    assert set(planned) >= ROWS
    assert not OF_PHONES & set(planned)
    assert all(LANDING_OTHERS in planned[row].required_findings for row in ROWS), (
        "a report tells of other groups"
    )
    why = {left.row: left.why for left in left_out(named)}
    assert why["HANGUP-AGENT"].startswith("not observable")


def test_cases_that_land_there_go_one_after_another(tmp_path: Path) -> None:
    named = deployment(tmp_path, plain(reported_as=["Kasse"]))
    landing = [needs_of(case, named).exclusive for case in cases([named]) if case.row.id in ROWS]
    assert len(landing) >= 2
    assert frozenset.intersection(*landing)
    told = {(need.what, need.row) for need in needs_of_rows(named, [])}
    assert {("platform's report", row) for row in ROWS} <= told
    assert not {row for what, row in told if what == "agents registered"}


@pytest.mark.parametrize(
    ("ignored", "other", "said"),
    [
        (
            [],
            "kasse - süd",
            "groups.other.reported_as: kasse - süd is already groups.{group}.reported_as",
        ),
        (
            ["Trunk", "kasse - süd"],
            "",
            "groups.{group}.reported_as: Kasse \u2013  Süd is already platform.report.ignore",
        ),
    ],
)
def test_a_groups_name_is_its_own(
    tmp_path: Path, ignored: list[str], other: str, said: str
) -> None:
    """Every landing in a group whose name is passed over was one in no group, and not observable."""
    written = plain(reported_as=["Kasse \u2013  Süd", "Kasse 2"])
    (group,) = written["groups"]
    written["platform"]["report"]["ignore"] = ignored
    if other:
        written["groups"]["other"] = {"did": "+13125550199", "reported_as": [other]}
    with pytest.raises(DeploymentError) as caught:
        deployment(tmp_path, written)
    assert f"{said.format(group=group)}; allowed: a name of its own for each group" in str(
        caught.value
    )


@pytest.mark.parametrize("strength", [None, "unknown"])
@pytest.mark.parametrize("ai", ["stand-in", "synthflow"])
def test_what_a_report_cannot_tell_is_said_beforehand(
    tmp_path: Path, strength: str | None, ai: str
) -> None:
    """A report does not say when phones rang; the moment at which an AI was given up a stand-in
    alone sees.
    """
    written = plain(reported_as=["Kasse"])
    written["kind"] = "stand-in" if ai == "stand-in" else "live"
    for trunk in written["trunks"]:
        trunk["ai"] = ai
    (group,) = written["groups"]
    for number, behaviour in ((1, "never-answers"), (2, "unavailable")):
        assistant = {"did": f"+1813555016{number}", "behaviour": behaviour, "model_id": behaviour}
        written["assistants"][behaviour] = assistant
        written["lines"][behaviour] = {
            "did": f"+1813555017{number}",
            "assistant": behaviour,
            "fallback": group,
        }
    if strength:
        written["platform"]["report"]["strength"] = strength
    made = deployment(tmp_path, written)
    why: dict[str, str | None] = {
        case.row.id: why_never_passed(case, made) for case in cases([made])
    }
    assert "when the group's phones rang" in str(why["GL-FALLBACK-REFUSED"])
    assert ("when the group's phones rang" in str(why["GL-FALLBACK-TIMEOUT"])) is (
        ai == "synthflow"
    )
    if ai == "stand-in":
        assert all(
            (why[row] is None) is (strength is not None)
            for row in ("GL-TRANSFER-PLAIN", "GL-FALLBACK-TIMEOUT")
        )
    assert why["GL-INBOUND"] is None
