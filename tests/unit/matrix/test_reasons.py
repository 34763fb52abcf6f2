"""Why a row has no case, or not one of each number: it is about nothing here, it is not its time,
or no harness phone could look.
"""

from __future__ import annotations

from typing import Any

import pytest

from harness.deployment import Deployment, Escalation, Synthflow
from harness.deployment.hours import AS_OF_VARIABLE
from harness.errors import SelectionError
from harness.integrations import find
from harness.integrations.matrix import cases, every_row, left_out
from tests.unit.matrix.conftest import Changes, changed, example, of, of_ai, said_of, why

# A Wednesday and a Sunday, in New York 10:00 and 22:00.
OPEN, CLOSED = "2026-03-04T15:00+00:00", "2026-03-08T03:00+00:00"
TD, GL, LIVE_TD, LIVE_GL = "simulated-talkdesk", "simulated-gladly", "live-talkdesk", "live-gladly"
SYNTHFLOW, PHONES = of_ai("synthflow"), of_ai("stand-in")
BLIND = "TD-TRANSFER-BLIND"
NO_AGENTS: Changes = {"groups.*.agents": ()}
NO_API = "synthflow.api_base: there is no access to the AI's interface"
UNSEEN = "not observable: no assistant that hands over so does to a group with a harness phone"
NO_FALLBACK = "no number has a fallback to a group with a harness phone"
NO_WAY = "escalation: no way is named in which this AI is asked for a person"
HOURS = {"lines.*.hours": "mon-fri 08:00-18:00", "lines.*.zone": "America/New_York"}
#: A group with people who have no harness phone, and one in which a machine answers.
MORE_GROUPS = {
    "groups": lambda groups: {
        **groups,
        "Others": groups["Inbox"].model_copy(update={"agents": ()}),
        "Night": groups["Inbox"].model_copy(
            update={"agents": (), "empty": True, "voicemail": True}
        ),
    }
}
BUSY_FALLS_BACK: Changes = {
    "lines.*.fallback": None,
    "lines.busy.fallback": "reception",
    "lines.inbound.fallback": "reception",
    "trunks": SYNTHFLOW,
}
EXTENSIONS: Changes = {"lines.*.refer": "passed-on", "groups.*.did": None, "groups.*.user": "q"}
ALWAYS_OPEN = {
    "lines.*.hours": "mon-sun 00:00-24:00",
    "lines.*.zone": "UTC",
    "lines.*.closed": "billing",
}
AT_NIGHT = "no number leads, while it is closed, to a group with a harness phone"


def live(trunks: Any, **synthflow: Any) -> Changes:
    return {
        "kind": "live",
        "trunks": trunks,
        "synthflow": Synthflow(**synthflow) if synthflow else None,
    }


@pytest.fixture(autouse=True)
def _a_sunday(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AS_OF_VARIABLE, CLOSED)


@pytest.mark.parametrize(
    ("name", "changes", "row", "reason"),
    [  # the plans of tests/contract have the others
        (
            TD,
            {"trunks": PHONES, "trunks.*.username": None},
            "TD-REGISTER-OK",
            "no trunk authenticates by digest",
        ),
        (
            TD,
            {"lines.*.announcement_s": 2.0},
            "SRTP",
            "the platform answers every number itself, before the AI",
        ),
        (
            TD,
            {"lines.skill-menu.press": None},
            "TD-SKILLS-MENU",
            "press: of no number that is routed by a menu choice",
        ),
        (TD, {**NO_AGENTS, "groups.*.empty": True}, "TD-FALLBACK-DOWN", NO_FALLBACK),
        (TD, NO_AGENTS, "TD-FALLBACK-TIMEOUT", f"not observable: {NO_FALLBACK}"),
        (TD, NO_AGENTS, BLIND, UNSEEN),
        (
            GL,
            NO_AGENTS,
            "GL-TRANSFER-TOPIC",
            "not observable: no assistant hands over with a topic",
        ),
        (
            GL,
            {"groups.*.did": None},
            "GL-ALLOWLIST-LISTED",
            "no group with a harness phone has a number, or a user",
        ),
        (
            LIVE_GL,
            {},
            "KEEPALIVE",
            "no group has an agent with a SIP account at the platform: all are at telephones",
        ),
        (TD, BUSY_FALLS_BACK, "BUSY", "every number has a fallback (of those it is about: busy)"),
        # a REFER that is passed on is followed from the telephone network, where nobody calls an
        # extension
        (TD, EXTENSIONS, BLIND, "no assistant hands over so to a group with a number (did)"),
        # what the AI is asked by, and what it shows
        (TD, {"escalation": Escalation(), "trunks": SYNTHFLOW}, BLIND, NO_WAY),
        (
            TD,
            {"escalation.digits_back": None, "trunks": SYNTHFLOW},
            "DTMF-INFO",
            "escalation: nothing makes the AI send",
        ),
        (
            TD,
            live(SYNTHFLOW, witness=("marks", "messages")),
            "HOLD",
            NO_API,
        ),  # what it would tell, nobody can ask it
        (
            TD,
            live(SYNTHFLOW, api_base="https://api.example/v2"),
            "HOLD",
            "the AI's record does not tell which sounds",
        ),
        # hours
        (LIVE_GL, HOURS, "CLOSED", AT_NIGHT),
        (LIVE_GL, HOURS, "GL-INBOUND", "every number is closed now"),
        (
            LIVE_GL,
            HOURS | MORE_GROUPS | {"lines.*.closed": "Others"},
            "CLOSED",
            f"not observable: {AT_NIGHT}",
        ),
        (
            LIVE_GL,
            HOURS | MORE_GROUPS | {"lines.*.closed": "Night"},
            "VOICEMAIL",
            "no number leads, while it is open, to",
        ),
        (TD, ALWAYS_OPEN, "CLOSED", "no number is closed now"),
    ],
)
def test_a_row_without_a_case_says_why(name: str, changes: Changes, row: str, reason: str) -> None:
    assert why(changed(example(name), changes), row).startswith(reason)


def kind_of(deployment: Deployment, row: str) -> str:
    (plan,) = [plan for plan in every_row(deployment) if plan.row.id == row]
    assert plan.reason is not None
    return plan.reason.kind


@pytest.mark.parametrize(
    ("name", "changes", "row", "kind"),
    [
        (TD, {"leave_out": {"XEI": "not observable: no"}}, "XEI", "left out"),
        (TD, {"lines.*.press": None}, "TD-OUTBOUND-IVR", "lacking"),
        (LIVE_TD, NO_AGENTS, BLIND, "not observable"),
        (TD, {}, "LONGCALL", "takes long"),
        (LIVE_GL, HOURS, "GL-INBOUND", "not now"),
    ],
)
def test_a_reason_has_one_kind(
    monkeypatch: pytest.MonkeyPatch, name: str, changes: Changes, row: str, kind: str
) -> None:
    monkeypatch.setenv(AS_OF_VARIABLE, CLOSED)
    assert kind_of(changed(example(name), changes), row) == kind


@pytest.mark.parametrize(("closed", "row"), [("Inbox", "CLOSED"), ("Night", "CLOSED-VOICEMAIL")])
def test_closed_numbers_are_called_where_somebody_looks(closed: str, row: str) -> None:
    assert of(changed(example(LIVE_GL), HOURS | MORE_GROUPS | {"lines.*.closed": closed}), row)


def test_where_no_row_has_a_case_the_reason_is_said_and_no_option_is_blamed(
    talkdesk: Deployment,
) -> None:
    agents = {agent for group in talkdesk.groups.values() for agent in group.agents}
    gone = {f"phones.{name}": None for name in talkdesk.phones if name not in agents}
    nobody = {
        **gone,
        "campaign": None,
        "trunks": of_ai("synthflow", "ip"),
        "leave_out": {"KEEPALIVE": "no"},
    }
    with pytest.raises(
        SelectionError,
        match=r"^simulated-talkdesk: no row has a case, .* since no test phone calls",
    ):
        cases([changed(talkdesk, nobody)])


# -- numbers that are left out of rows that others prove


@pytest.mark.parametrize(
    ("at", "left"),
    [
        (CLOSED, ["Dusk is open now (its hours: mon-sun 00:00-23:59)"]),
        (OPEN, ["no number is closed now"]),
    ],
)
def test_each_number_that_is_closed_at_times_is_called_then_or_named(
    monkeypatch: pytest.MonkeyPatch, at: str, left: list[str]
) -> None:
    monkeypatch.setenv(AS_OF_VARIABLE, at)
    small = changed(example(LIVE_GL), MORE_GROUPS | HOURS)
    entry = small.lines["Customer hotline"]
    lines = {
        name: entry.model_copy(update={"did": f"+1415555018{number}", "closed": closed})
        for number, (name, closed) in enumerate(
            {"Day": "Inbox", "Dusk": "Inbox", "Night": "Others", "Message": None}.items()
        )
    }
    several = {"lines": lines, "lines.Dusk.hours": "mon-sun 00:00-23:59", "depth": "every-number"}
    hidden = "not observable: Night leads, while it is closed, to people without a harness phone"
    assert [why for _, why in said_of(changed(small, several), "CLOSED")] == [*left, hidden]


def test_what_a_night_hides_is_not_what_nobody_can_see(monkeypatch: pytest.MonkeyPatch) -> None:
    """By day it is left out for the same reason: to come again then would be in vain."""
    always = changed(example("live-large"), {"lines.*.hours": "mon-fri 08:00-18:00"})
    said = {}
    for moment in (OPEN, CLOSED):
        monkeypatch.setenv(AS_OF_VARIABLE, moment)
        said[moment] = {row: why(always, row) for row in ("HOLD", "ANONYMOUS")}
    assert said[OPEN] == said[CLOSED]
    assert why(always, "TD-INBOUND") == "every number is closed now"


def shut(deployment: Deployment, *lines: str, **more: Any) -> Deployment:
    """These numbers are closed on weekdays."""
    never = {name: getattr(deployment.lines["out-of-hours"], name) for name in ("hours", "zone")}
    changes = {f"lines.{line}.{key}": value for line in lines for key, value in never.items()}
    return changed(deployment, {**changes, "depth": "every-number", **more})


@pytest.fixture
def a_wednesday(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AS_OF_VARIABLE, OPEN)


@pytest.mark.usefixtures("a_wednesday")
def test_what_only_a_closed_number_could_prove_is_told_as_closed_and_not_as_missing(
    talkdesk: Deployment,
) -> None:
    assert why(shut(talkdesk, *talkdesk.lines), "HANGUP-CALLER") == "every number is closed now"
    menus = [name for name, entry in talkdesk.lines.items() if entry.press]
    assert why(shut(talkdesk, *menus), "TD-OUTBOUND-IVR") == f"closed now: {', '.join(menus)}"
    without = changed(talkdesk, {f"lines.{name}": None for name in menus})
    assert (
        why(shut(without, *without.lines), "TD-OUTBOUND-IVR")
        == "no number has a menu in front of the AI"
    )


@pytest.mark.usefixtures("a_wednesday")
def test_a_number_that_is_closed_now_is_told_of_the_rows_that_would_call_it(
    talkdesk: Deployment,
) -> None:
    found = [
        (left.row, left.line)
        for left in left_out(shut(talkdesk, "ivr", "busy", "skill-language"))
        if left.line
    ]
    rows = {row.id: row for row in find("talkdesk").rows}
    assert all(rows[row].every_number and not rows[row].out_of_hours for row, _ in found)
    assert ("TD-OUTBOUND-IVR", "skill-language") in found
    assert ("TD-OUTBOUND-IVR", "busy") not in found
    assert len(set(found)) == len(found)
    assert not [left for left in left_out(shut(talkdesk, "ivr", depth="once")) if left.line]


def two_numbers(
    deployment: Deployment, line: str, trunks: dict[str, str], **more: Any
) -> Deployment:
    """That number again and again under names, each on a trunk."""
    entry = deployment.lines[line].model_copy(update={"dids": {}, "fallback": "billing"})
    lines = {
        name: entry.model_copy(update={"did": f"+1312555017{number}", "trunk": trunk})
        for number, (name, trunk) in enumerate(trunks.items())
    }
    kept = tuple(trunk for trunk in deployment.trunks if trunk.name in trunks.values())
    return changed(
        deployment,
        {"trunks": kept, "lines": lines, "campaign": None, "depth": "every-number", **more},
    )


def test_of_several_trunks_that_one_says_what_is_missing_which_comes_nearest(
    talkdesk: Deployment,
) -> None:
    """One trunk carries a number whose fallback no harness phone sees, another a number without:
    whichever is named last.
    """
    unseen = {"groups.billing.agents": (), "lines.without.fallback": None}
    both = two_numbers(talkdesk, "inbound", {"without": "udp-ip", "with": "tcp-ip"}, **unseen)
    for order in (both.trunks, both.trunks[::-1]):
        reason = why(changed(both, {"trunks": order}), "TD-CAPACITY")
        assert reason.startswith("not observable: no number has a fallback")


@pytest.mark.parametrize("row", ["TD-FALLBACK-TIMEOUT", "TD-FALLBACK-REFUSED", "TD-FALLBACK-DOWN"])
def test_each_group_that_takes_over_is_proved_or_named(talkdesk: Deployment, row: str) -> None:
    entry, away = (
        talkdesk.lines["ivr"],
        talkdesk.groups["billing"].model_copy(update={"agents": (), "did": "+18155550177"}),
    )
    falls = {
        "gas": "billing",
        "water": "support",
        "power": "billing",
        "heat": "elsewhere",
        "fire": "elsewhere",
    }
    lines = {name: entry.model_copy(update={"fallback": group}) for name, group in falls.items()}
    several = changed(talkdesk, {"lines": lines, "groups.elsewhere": away, "depth": "every-number"})
    proved = {case.line for case in of(several, row)}
    assert sorted(falls[str(line)] for line in proved) == ["billing", "support"]
    said = "not observable: heat falls back to people without a harness phone (elsewhere)"
    assert said_of(several, row) == [("heat", said)]
    assert not said_of(changed(several, {"depth": "once"}), row)


def test_a_number_of_people_who_have_no_harness_phone_is_named_beside_those_that_are_called(
    talkdesk: Deployment,
) -> None:
    others = talkdesk.groups["reception"].model_copy(update={"agents": (), "did": None})
    line = talkdesk.lines["people"].model_copy(update={"did": "+17735550181", "group": "others"})
    two = changed(
        talkdesk, {"groups.others": others, "lines.complaints": line, "depth": "every-number"}
    )
    assert "complaints" not in {case.line for case in cases([two])}
    said = "not observable: complaints leads to people without a harness phone"
    assert [one for one in said_of(two, "PEOPLE") if one[0] == "complaints"] == [
        ("complaints", said)
    ]


@pytest.mark.parametrize(
    ("changes", "row", "overflow"),
    [
        ({"lines.people.fallback": "support"}, "PEOPLE", "support"),
        ({"lines.people.fallback": "machine"}, "VOICEMAIL", "machine"),
        ({"groups.reception.voicemail": True}, "VOICEMAIL", "reception"),
        ({"groups.reception.announcement": True}, "VOICEMAIL", "reception"),
        # the machine answers before the fallback is asked; the same people cannot be told apart;
        # others cannot be made to decline
        ({"groups.reception.voicemail": True, "lines.people.fallback": "support"}, "PEOPLE", None),
        (
            {"lines.people.fallback": "everybody", "groups.reception.agents": ("billing",)},
            "PEOPLE",
            None,
        ),
        ({"lines.people.fallback": "support", "groups.reception.agents": ()}, "PEOPLE", None),
    ],
)
def test_what_takes_over_from_people_is_a_case_of_its_own(
    talkdesk: Deployment, changes: Changes, row: str, overflow: str | None
) -> None:
    found = {
        case.axes.get("overflow")
        for case in of(changed(talkdesk, changes), row)
        if case.line == "people"
    }
    assert found - {None} == ({overflow} if overflow else set())


@pytest.mark.parametrize(
    "row", ["TD-FALLBACK-TIMEOUT", "TD-FALLBACK-REFUSED", "TD-FALLBACK-DOWN", "TD-CAPACITY"]
)
def test_a_fallback_to_a_machine_is_heard_by_its_caller(talkdesk: Deployment, row: str) -> None:
    machine = changed(talkdesk, {"lines.*.fallback": "machine"})
    for case in (found := of(machine, row)):
        required = {str(kind): count for kind, count in case.required_findings.items()}
        assert required.keys() >= {"voicemail", "answered", "landing.others"}
        assert required.keys().isdisjoint({"landing", "audio to agent", "audio to agent again"})
    assert len(found) == len(of(talkdesk, row))
