from __future__ import annotations

import re

import pytest

from harness import integrations
from harness.calls.check_table import CHECKS
from harness.deployment import Deployment
from harness.deployment.hours import AS_OF_VARIABLE
from harness.errors import SelectionError
from harness.finding_kinds import ROUTE_NOT_ANSWERED, ROUTE_NOT_REACHED
from harness.integrations import load
from harness.integrations.matrix import Case, Selection, cases, left_out
from harness.support.resources import EXAMPLES
from tests.unit.matrix.conftest import of


def of_row(found: list[Case], row: str) -> list[Case]:
    return [case for case in found if case.row.id == row]


def test_every_documented_row_runs_with_synthflow_over_all_axes_and_stand_in_once_a_transport(
    talkdesk: Deployment,
) -> None:
    found = of_row(cases([talkdesk]), "TD-INBOUND")
    cells = {
        tuple(case.axes[a] for a in ("transport", "authentication", "codec"))
        for case in found
        if case.axes["ai"] == "synthflow"
    }
    assert cells == {(t, a, c) for t in ("udp", "tcp", "tls") for a in ("ip", "digest") for c in ("pcmu", "pcma")}
    stand_in = [case.axes["transport"] for case in found if case.axes["ai"] == "stand-in"]
    assert stand_in == ["udp", "tcp", "tls"]


def test_ids_are_unique_and_name_row_and_deployment(talkdesk: Deployment, gladly: Deployment) -> None:
    found = cases([talkdesk, gladly])
    assert len({case.id for case in found}) == len(found) >= 150
    assert all(case.id.startswith(f"{case.row.id}[{case.deployment}:") for case in found)


def test_every_row_of_an_integration_has_a_case_unless_opted_in(
    talkdesk: Deployment, gladly: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(AS_OF_VARIABLE, "2026-03-04T12:00+00:00")  # no Sunday, on which their closed numbers are open
    for deployment in (talkdesk, gladly):
        rows = {row.id for row in integrations.find(deployment.integration).rows}
        assert {case.row.id for case in cases([deployment])} == rows - {left.row for left in left_out(deployment)}
        assert [left.row for left in left_out(deployment)] == ["LONGCALL"]


def test_opt_in_rows_run_when_named(talkdesk: Deployment) -> None:
    assert {case.axes["minutes"] for case in cases([talkdesk], Selection(rows=("LONGCALL",)))} == {"10", "31"}


def test_selection(talkdesk: Deployment) -> None:
    chosen = cases(
        [talkdesk], Selection(rows=("TD-INBOUND",), transports=("tls",), ais=("synthflow",), codecs=("pcma",))
    )
    assert {(c.axes["transport"], c.axes["codec"], c.axes["ai"]) for c in chosen} == {("tls", "pcma", "synthflow")}


def test_a_row_of_another_integration_says_so(gladly: Deployment) -> None:
    with pytest.raises(SelectionError, match=r"--row TD-INBOUND: not in simulated-gladly \(it is a row of talkdesk\)"):
        cases([gladly], Selection(rows=("TD-INBOUND",)))


def test_unknown_values_list_what_is_allowed(talkdesk: Deployment) -> None:
    with pytest.raises(SelectionError, match=r"--transport sctp: .* allowed: tcp, tls, udp"):
        cases([talkdesk], Selection(transports=("sctp",)))


def test_a_selection_without_cases_is_a_mistake(gladly: Deployment) -> None:
    with pytest.raises(SelectionError, match="no case is left"):
        cases([gladly], Selection(rows=("GL-ALLOWLIST-LISTED",), ais=("synthflow",)))


def test_every_row_has_a_scenario_and_every_scenario_a_row() -> None:
    text = "".join(path.read_text() for path in (EXAMPLES.parent).glob("test_*.py"))
    there = {name for names in re.findall(r"@scenario\((.*?)\)", text) for name in re.findall(r'"([^"]+)"', names)}
    assert there == {row.scenario for name in integrations.names() for row in integrations.find(name).rows}


def test_rows_may_be_left_out_for_a_reason(talkdesk: Deployment) -> None:
    left = talkdesk.model_copy(update={"leave_out": {"XEI": "the carrier strips X- headers"}})
    assert of_row(cases([talkdesk]), "XEI")
    assert not of_row(cases([left]), "XEI")


def test_a_cell_whose_line_the_deployment_does_not_have_is_left_out(talkdesk: Deployment) -> None:
    for row, line, axis in (
        ("TD-TRANSFER-BLIND", "inbound-passed-on", ("refer", "passed-on")),
        ("TD-TRANSFER-WARM", "inbound-warm-fixed", ("caller_id", "fixed")),
    ):
        without = talkdesk.model_copy(update={"lines": {n: e for n, e in talkdesk.lines.items() if n != line}})
        assert axis in {item for case in of_row(cases([talkdesk]), row) for item in case.axes.items()}
        assert axis not in {item for case in of_row(cases([without]), row) for item in case.axes.items()}
        assert of_row(cases([without]), row)


def test_a_slip_in_what_is_required_says_what_was_meant(talkdesk: Deployment) -> None:
    with pytest.raises(SelectionError, match=r"^require documentd: not in .* \(perhaps documented\); allowed: ABANDON"):
        cases([talkdesk.model_copy(update={"require": ("documentd",)})])


@pytest.mark.parametrize("key", ["leave_out", "require"])
def test_a_row_that_does_not_exist_is_a_mistake(talkdesk: Deployment, key: str) -> None:
    wrong = talkdesk.model_copy(update={key: {"TD-NONSENSE": "because"}})
    with pytest.raises(SelectionError, match=f"^{key} TD-NONSENSE: not in simulated-talkdesk"):
        cases([wrong])


def test_every_row_says_what_it_has_to_find() -> None:
    for name in integrations.names():
        for row in integrations.find(name).rows:
            kinds = [*row.required_findings, *(kind for more in row.required_findings_at.values() for kind in more)]
            assert kinds, row.id
            assert {one.check for kind in kinds for one in kind.each()} <= set(CHECKS)


def test_a_row_that_never_reaches_the_ai_has_to_find_so() -> None:
    rows = [row for name in integrations.names() for row in integrations.find(name).rows]
    never = [row for row in rows if "never reaches the AI" in row.proves]
    assert {row.id for row in never} == {"PEOPLE", "CLOSED", "VOICEMAIL", "CLOSED-VOICEMAIL"}
    assert all(ROUTE_NOT_REACHED in row.required_findings for row in never)


def test_what_is_found_in_some_cells_alone_comes_on_top() -> None:
    row = integrations.find("gladly").row("GL-PLAINTEXT")
    assert row.required_in({"ai": "synthflow"}) == row.required_findings
    assert row.required_in({"ai": "stand-in"})[ROUTE_NOT_ANSWERED] == row.required_findings[ROUTE_NOT_ANSWERED] + 2


def test_trunks_that_look_alike_are_told_apart_by_name() -> None:
    large = load(EXAMPLES / "live-large.toml", secrets=False)
    for depth in ("once", "every-number", "full"):
        found = cases([large.model_copy(update={"depth": depth})])
        assert len({case.id for case in found}) == len(found)
    assert {case.axes.get("trunk") for case in found} == {"US East", "EU", None}


def test_encrypted_media_needs_a_number_that_the_platform_does_not_answer_itself(talkdesk: Deployment) -> None:
    entry = talkdesk.lines["ivr"].model_copy(update={"did": "+13125550100", "dids": {}, "trunk": "udp-ip-stand-in"})
    found = left_out(talkdesk.model_copy(update={"lines": {"ivr": entry}}))
    why = {left.row: left.why for left in found}
    assert why["SRTP"] == "the platform answers every number itself, before the AI"


# A Wednesday and a Sunday, in New York 10:00 and 22:00.
OPEN, CLOSED = "2026-03-04T15:00+00:00", "2026-03-08T03:00+00:00"


def test_a_small_customer(monkeypatch: pytest.MonkeyPatch) -> None:
    small = load(EXAMPLES / "live-gladly.toml", secrets=False)
    assert (len(small.lines), len(small.trunks), len(small.groups), len(small.assistants)) == (1, 1, 1, 1)
    rows = {case.row.id for case in cases([small])}
    assert {"GL-INBOUND", "GL-HEADER-CALLER", "GL-TRANSFER-PLAIN", "HANGUP-AGENT"} <= rows
    why = {left.row: left.why for left in left_out(small)}
    assert why["KEEPALIVE"] == "no group has an agent with a SIP account at the platform: all are at telephones"
    assert set(why) | rows == {row.id for row in integrations.find("gladly").rows}


def test_a_large_customer_is_called_while_its_numbers_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    large = load(EXAMPLES / "live-large.toml", secrets=False)
    agents = {agent for group in large.groups.values() for agent in group.agents}
    assert (len(large.lines), len(large.trunks), len(large.groups), len(agents)) == (40, 3, 5, 9)
    monkeypatch.setenv(AS_OF_VARIABLE, OPEN)
    called = {case.line for case in cases([large]) if case.line}
    assert "Repairs US" in called
    assert "Press DE" in called, "16:00 in Berlin"
    assert called <= {line for line in large.lines if large.is_open(line)}
    monkeypatch.setenv(AS_OF_VARIABLE, CLOSED)
    found, left = cases([large]), left_out(large)
    closed = {line for line in large.lines if not large.is_open(line)}
    assert {case.line for case in found if case.row.id == "CLOSED"} == {"Repairs US", "Repairs US 2", "Shop US 2"}
    assert not closed & {case.line for case in found if case.row.id != "CLOSED"}
    said = {(one.row, one.line): one.why for one in left if one.line}
    assert said["TD-INBOUND", "Press DE"] == "Press DE is closed now (its hours: mon-fri 09:00-17:00)"
    assert {line for _, line in said} == closed


def test_a_landing_that_nobody_of_ours_can_see_is_said_to_be_unseen(talkdesk: Deployment) -> None:
    groups = {name: group.model_copy(update={"agents": ()}) for name, group in talkdesk.groups.items()}
    why = {left.row: left.why for left in left_out(talkdesk.model_copy(update={"groups": groups}))}
    unseen = "not observable: no assistant that hands over so does to a group with a harness phone"
    assert why["TD-TRANSFER-BLIND"] == why["TD-TRANSFER-WARM"] == unseen
    hidden = "not observable: no number has a fallback to a group with a harness phone"
    assert {why[row] for row in why if "FALLBACK" in row} == {hidden}
    entry = talkdesk.lines["inbound"].model_copy(update={"assistant": None, "group": "billing"})
    people = {"groups": groups, "lines": talkdesk.lines | {"inbound": entry}}
    why = {left.row: left.why for left in left_out(talkdesk.model_copy(update=people))}
    assert why["PEOPLE"] == "not observable: no number leads to people only, with a harness phone"


def test_where_there_is_nothing_to_see_nothing_is_unseen(talkdesk: Deployment) -> None:
    """No fallback at all, and none but to a group in which nobody is: the row is about nothing here."""
    groups = {name: group.model_copy(update={"agents": (), "empty": True}) for name, group in talkdesk.groups.items()}
    bare = {name: line.model_copy(update={"fallback": None}) for name, line in talkdesk.lines.items()}
    for changes in ({"groups": groups}, {"lines": bare}):
        why = {left.row: left.why for left in left_out(talkdesk.model_copy(update=changes))}
        assert why["TD-FALLBACK-DOWN"] == "no number has a fallback to a group with a harness phone"


def test_a_topic_whose_people_are_others_is_unseen() -> None:
    gladly = load(EXAMPLES / "simulated-gladly.toml")
    groups = {name: group.model_copy(update={"agents": ()}) for name, group in gladly.groups.items()}
    why = {left.row: left.why for left in left_out(gladly.model_copy(update={"groups": groups}))}
    assert why["GL-TRANSFER-TOPIC"].startswith("not observable: no assistant hands over with a topic")


def test_why_no_trunk_registers_is_what_is_missing(talkdesk: Deployment) -> None:
    by_address = tuple(trunk for trunk in talkdesk.trunks if trunk.authentication == "ip" and trunk.ai == "synthflow")
    why = {left.row: left.why for left in left_out(talkdesk.model_copy(update={"trunks": by_address}))}
    assert why["TD-REGISTER-OK"] == "no trunk authenticates by digest"
    assert why["SESSIONTIMER"] == "only a harness phone in the AI's place can show it"
    plain = tuple(trunk for trunk in by_address if trunk.transport == "udp")
    rows = {left.row for left in left_out(talkdesk.model_copy(update={"trunks": plain}))}
    assert "TD-INBOUND" not in rows


def test_what_a_night_hides_is_not_what_nobody_can_see(monkeypatch: pytest.MonkeyPatch) -> None:
    """By day it is left out for the same reason: to come again then would be in vain."""
    large = load(EXAMPLES / "live-large.toml", secrets=False)
    always = large.model_copy(
        update={"lines": {n: one.model_copy(update={"hours": "mon-fri 08:00-18:00"}) for n, one in large.lines.items()}}
    )
    unseen = {"HOLD", "ANONYMOUS"}
    by_day: dict[str, str] = {}
    by_night: dict[str, str] = {}
    for moment, said in ((OPEN, by_day), (CLOSED, by_night)):
        monkeypatch.setenv(AS_OF_VARIABLE, moment)
        said.update((left.row, left.why) for left in left_out(always) if left.line is None)
    assert {row: by_night[row] for row in unseen} == {row: by_day[row] for row in unseen}
    assert by_night["TD-INBOUND"] == "every number is closed now"


def test_nobody_with_a_phone_is_no_one_at_a_telephone() -> None:
    """Where agents answer in the browser alone."""
    small = load(EXAMPLES / "live-gladly.toml", secrets=False)
    groups = {name: group.model_copy(update={"agents": ()}) for name, group in small.groups.items()}
    why = {left.row: left.why for left in left_out(small.model_copy(update={"groups": groups}))}
    assert why["KEEPALIVE"] == "no group has an agent with a harness phone"


_HIDDEN = "not observable: Night leads, while it is closed, to people of whom none has a harness phone"


def test_what_is_said_of_numbers_out_of_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AS_OF_VARIABLE, CLOSED)
    small = load(EXAMPLES / "live-gladly.toml", secrets=False)

    def why(**of_the_number: str) -> dict[str, str]:
        lines = {name: line.model_copy(update=of_the_number) for name, line in small.lines.items()}
        groups = small.groups | {
            "Night": small.groups["Inbox"].model_copy(update={"agents": (), "empty": True, "voicemail": True}),
            "Others": small.groups["Inbox"].model_copy(update={"agents": ()}),
        }
        return {left.row: left.why for left in left_out(small.model_copy(update={"lines": lines, "groups": groups}))}

    hours = {"hours": "mon-fri 08:00-18:00", "zone": "America/New_York"}
    unseen = "no number leads, while it is closed, to a group with a harness phone"
    assert why()["CLOSED"] == "no number has hours"
    assert why(**hours)["CLOSED"] == why(**hours, closed="Night")["CLOSED"] == unseen
    assert why(**hours, closed="Others")["CLOSED"] == f"not observable: {unseen}"
    assert why(**hours, closed="Night")["VOICEMAIL"] == (
        "no number leads, while it is open, to a group that is empty and has voicemail"
    )
    assert "CLOSED" not in why(**hours, closed="Inbox")
    assert "CLOSED-VOICEMAIL" not in why(**hours, closed="Night")
    unsaid = "no number leads, while it is closed, to a group that is empty and has voicemail"
    assert why(**hours)["CLOSED-VOICEMAIL"] == why(**hours, closed="Inbox")["CLOSED-VOICEMAIL"] == unsaid


@pytest.mark.parametrize(
    ("at", "left"),
    [
        (CLOSED, ["Dusk is open now (its hours: mon-sun 00:00-23:59)", _HIDDEN]),
        (OPEN, ["no number is closed now", _HIDDEN]),
    ],
)
def test_each_number_that_is_closed_at_times_is_called_then_or_named(
    monkeypatch: pytest.MonkeyPatch, at: str, left: list[str]
) -> None:
    """As soon as one number had a case, or it was not its time, nothing was said of the others."""
    monkeypatch.setenv(AS_OF_VARIABLE, at)
    small = load(EXAMPLES / "live-gladly.toml", secrets=False)
    entry = next(line for line in small.lines.values() if line.assistant)
    hours, always = "mon-fri 08:00-18:00", "mon-sun 00:00-23:59"
    lines = {
        name: entry.model_copy(update={"did": did, "hours": open_at, "zone": "America/New_York", "closed": closed})
        for name, did, open_at, closed in (
            ("Day", "+14155550181", hours, "Inbox"),
            ("Dusk", "+14155550182", always, "Inbox"),
            ("Night", "+14155550183", hours, "Others"),
            ("Message", "+14155550184", hours, None),
        )
    }
    groups = {**small.groups, "Others": small.groups["Inbox"].model_copy(update={"agents": (), "did": None})}
    several = small.model_copy(update={"lines": lines, "groups": groups, "depth": "every-number"})
    assert [one.why for one in left_out(several) if one.row == "CLOSED"] == left


def test_a_world_without_the_ais_interface_is_planned_as_a_live_one(talkdesk: Deployment) -> None:
    """What nobody will tell is dispensable, and what is about it left out: all else would be not observable in every run."""
    blind = talkdesk.model_copy(update={"synthflow": None})
    platform = blind.platform.model_copy(update={"host": "sbc.example"})  # a world fills it in
    live = blind.model_copy(update={"kind": "live", "platform": platform})
    told = [
        {(case.id, *case.dispensable) for case in cases([one]) if case.axes["ai"] == "synthflow"}
        for one in (blind, live)
    ]
    assert told[0] == told[1]
    assert any("landing.answered_by" in case.dispensable for case in cases([blind]))


def test_a_case_is_selected_by_how_it_authenticates_whatever_its_trunk_does(talkdesk: Deployment) -> None:
    """The command line that repeats a case has its axes (``report.rerun``), and so must be allowed."""
    ip = [t for t in talkdesk.trunks if (t.ai, t.authentication) == ("stand-in", "ip") and t.username is not None]
    alone = talkdesk.model_copy(update={"trunks": tuple(ip)})
    for case in cases([alone]):
        axes = case.axes
        again = Selection(
            rows=(case.row.id,),
            transports=(axes["transport"],),
            authentication=(axes["authentication"],),
            ais=(axes["ai"],),
        )
        assert case in cases([alone], again)
    assert {case.axes["authentication"] for case in of(alone, "TD-REGISTER-OK")} == {"digest"}
