"""The cases of a deployment: by trunks, axes, numbers and selection; what each calls, where it
lands, and whether it can pass.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import Any

import pytest

from harness.deployment import Deployment, Escalation, Group
from harness.deployment.hours import AS_OF_VARIABLE
from harness.errors import SelectionError
from harness.finding_kinds import AUDIO_TO_AI, LANDING, LANDING_OTHERS
from harness.integrations.matrix import (
    Selection,
    calls_of,
    cases,
    landing_groups,
    seconds_of,
    why_never_passed,
    why_not_now,
)
from tests.unit.matrix.conftest import Changes, changed, example, of, of_ai, said_of

SYNTHFLOW, PHONES = of_ai("synthflow"), of_ai("stand-in")
BLIND, WARM = "TD-TRANSFER-BLIND", "TD-TRANSFER-WARM"


@pytest.fixture(autouse=True)
def _a_wednesday(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AS_OF_VARIABLE, "2026-03-04T12:00+00:00")


def ais(deployment: Deployment, row: str) -> set[str]:
    return {case.axes["ai"] for case in of(deployment, row)}


# -- trunks, axes, numbers


def test_a_number_registers_over_each_of_two_trunks_that_are_alike(talkdesk: Deployment) -> None:
    (one,) = of_ai("stand-in", "udp")(talkdesk.trunks)
    two = one.model_copy(update={"name": "second", "authentication": "digest"})
    alike = of(changed(talkdesk, {"trunks": (one, two)}), "TD-REGISTER-OK")
    assert [case.axes["trunk"] for case in alike] == ["udp-ip-stand-in", "second"]
    assert len({case.id for case in alike}) == 2


def test_every_codec_is_tried_with_synthflow_and_the_first_with_a_stand_in(
    talkdesk: Deployment,
) -> None:
    """As the key's documentation says."""
    tried = {(case.axes["ai"], case.axes["codec"]) for case in of(talkdesk, "TD-INBOUND")}
    assert tried == {("synthflow", "pcmu"), ("synthflow", "pcma"), ("stand-in", "pcmu")}


def test_a_closed_number_is_called_once_whatever_its_menu_offers(talkdesk: Deployment) -> None:
    entry = talkdesk.lines["out-of-hours"]
    menu = {f"main press {digit}": entry.model_copy(update={"press": digit}) for digit in "12"}
    assert [case.line for case in of(changed(talkdesk, {"lines": menu}), "CLOSED")] == [
        "main press 1"
    ]


def test_every_number_that_can_proves_a_row_whichever_trunk_carries_it(
    talkdesk: Deployment,
) -> None:
    entry = talkdesk.lines["inbound"].model_copy(update={"dids": {}})
    lines = {
        trunk.name: entry.model_copy(update={"did": f"+1312555010{place}", "trunk": trunk.name})
        for place, trunk in enumerate(talkdesk.trunks[:2])
    }
    for depth, numbers in (("once", 1), ("every-number", 1), ("full", 2)):
        two = changed(talkdesk, {"lines": lines, "depth": depth})
        assert [case.line for case in of(two, "HANGUP-CALLER")] == list(lines)[:numbers]
    assert len(of(two, "NOSUCHNUMBER")) == 1


def test_of_several_numbers_the_plainest_is_called(talkdesk: Deployment) -> None:
    """In whichever order the file has them: one without a menu, and without an announcement."""
    for lines in (talkdesk.lines, dict(reversed(talkdesk.lines.items()))):
        once = changed(talkdesk, {"lines": lines})
        called = [once.lines[str(case.line)] for case in of(once, "TD-INBOUND")]
        assert {(entry.press, entry.announcement_s) for entry in called} == {(None, 0.0)}
        # a stand-in does what it is told at any number; the one whose assistant does it by itself
        # is called first
        assert {case.line for case in of(once, "TD-FALLBACK-TIMEOUT")} == {"fallback-timeout"}


# -- who is the AI


@pytest.mark.parametrize(
    ("changes", "row", "who"),
    [
        # what the platform alone answers is asked once, whoever the AI is
        *(({"trunks": trunks}, row, {who}) for row in ("KEEPALIVE", "NOSUCHNUMBER") for trunks, who in
          ((tuple, "synthflow"), (SYNTHFLOW, "synthflow"), (PHONES, "stand-in"))),
        # a stand-in can be busy and decline as an AI can, where it may
        *(({}, row, {"synthflow", "stand-in"}) for row in ("BUSY", "NOANSWER", "REJECTED", "ABANDON")),
        *(({"assistants.*.behaviour": "talks"}, row, {"stand-in"}) for row in ("BUSY", "NOANSWER", "REJECTED", "ABANDON")),
        ({"assistants.*.behaviour": "talks", "lines.*.may_fail": False}, "BUSY", set()),
        # it hangs up and sends digits, whatever an AI is asked by, and takes any digit
        ({"escalation.goodbye_digit": None}, "HANGUP-AI", {"stand-in"}),
        ({"escalation.digits_back": None}, "DTMF-RFC4733", {"stand-in"}),
        ({"escalation.digits_back_digit": None}, "DTMF-INFO", {"stand-in"}),
        ({"escalation": Escalation()}, BLIND, {"stand-in"}),
        ({"escalation": Escalation(ways=("prompt",))}, BLIND, {"synthflow", "stand-in"}),
        # what nobody can show at Synthflow
        ({"synthflow.witness": ()}, "DTMF-INFO", {"stand-in"}),
        # a stand-in refuses what it cannot hold, and that is no failure of the trunk
        *(({"trunks.*.max_concurrent_calls": most, "phones": lambda phones: phones | {
            f"c{n}": phones["caller"].model_copy(update={"number": f"+141555502{n:02}"}) for n in range(40)}}, "TD-CAPACITY", who)
          for most, who in ((3, {"synthflow", "stand-in"}), (4, {"synthflow"}), (30, {"synthflow"}))),
        # people only: there is no AI that could be down, though a sheet says of all numbers that
        # they are not reachable
        ({"lines.*.assistant": None, "lines.*.group": "billing", "lines.*.reachable": False}, "TD-FALLBACK-DOWN", set()),
        ({"lines.skill-menu.press": None}, "TD-SKILLS-MENU", set()),
    ],
)  # fmt: skip
def test_who_is_the_ai_in_a_row(
    talkdesk: Deployment, changes: Changes, row: str, who: set[str]
) -> None:
    assert ais(changed(talkdesk, changes), row) == who


def test_an_address_that_no_allowlist_has_registers(talkdesk: Deployment) -> None:
    stand_in = {"kind": "stand-in", "trunks.*.ai": "stand-in", "stand_in.bind": "192.0.2.10"}
    found = changed(example("live-talkdesk"), {**stand_in, "stand_in.stranger_bind": "192.0.2.77"})
    assert of(found, "TD-REGISTER-NOTALLOWED")
    ((_, why_not),) = said_of(example("live-talkdesk"), "TD-REGISTER-NOTALLOWED")
    assert "stranger_bind" not in why_not, "Synthflow has addresses of its own"


@pytest.mark.parametrize(
    ("number", "region", "forms"),
    [
        ("+14155550101", "US", {"e164", "national", "tel"}),
        ("+4930900100", "US", {"e164", "tel"}),  # there the digits are a stranger's number
        ("+14155550101", "CH", {"e164", "tel"}),  # nor where others read them
    ],
)
def test_national_form_is_dialled_from_the_numbers_own_country_alone(
    talkdesk: Deployment, number: str, region: str, forms: set[str]
) -> None:
    found = changed(talkdesk, {"phones.caller.number": number, "region": region})
    assert {case.axes["form"] for case in of(found, "NUMBERFORMATS")} == forms


# -- selection


def test_a_selection_is_kept_to(talkdesk: Deployment) -> None:
    only = Selection(
        rows=("TD-INBOUND",),
        transports=("tls",),
        ais=("synthflow",),
        codecs=("pcma",),
        authentication=("ip",),
    )
    (case,) = cases([talkdesk], only)
    assert [case.axes[axis] for axis in ("transport", "codec", "ai", "authentication")] == [
        "tls",
        "pcma",
        "synthflow",
        "ip",
    ]
    assert cases([talkdesk], Selection(ids=(case.id,))) == [case]
    left = changed(talkdesk, {"leave_out": {"XEI": "the carrier strips X- headers"}})
    assert of(talkdesk, "XEI")
    assert not of(left, "XEI")


def test_a_case_is_selected_by_its_own_axes_whatever_its_trunk_does(talkdesk: Deployment) -> None:
    """The command line that repeats a case has its axes (``report.markup``), and so must be
    allowed.
    """
    alone = changed(talkdesk, {"trunks": PHONES})
    for case in cases([alone]):
        axes = case.axes
        again = Selection(
            rows=(case.row.id,),
            transports=(axes["transport"],),
            authentication=(axes["authentication"],),
            ais=(axes["ai"],),
        )
        assert case in cases([alone], again)


@pytest.mark.parametrize(
    ("selection", "changes", "said"),
    [
        (Selection(rows=("GL-PLAINTEXT",)), {}, "--row GL-PLAINTEXT: not in simulated-talkdesk; it is a row of gladly$"),
        (Selection(rows=("TD-INBOUND", "NONSENSE")), {}, "--row NONSENSE: not in simulated-talkdesk; `harness rows` lists them$"),
        (Selection(transports=("sctp",)), {}, "--transport sctp: not in simulated-talkdesk; allowed: tcp, tls, udp"),
        (Selection(rows=("SRTP",), ais=("synthflow",)), {}, "no case is left by --row, "),
        (Selection(ids=("x", "y")), {}, r"x: no such case here \(one of 2\); allowed: ids that --plan shows"),
        (Selection(), {"require": ("documentd",)}, r"^require documentd: not in .*; did you mean documented\?$"),
        (Selection(), {"require": ("TD-NONSENSE",)}, "^require TD-NONSENSE: not in simulated-talkdesk"),
        (Selection(), {"leave_out": {"TD-NONSENSE": "because"}}, "^leave_out TD-NONSENSE: not in simulated-talkdesk"),
    ],
)  # fmt: skip
def test_what_cannot_be_selected_is_a_mistake(
    talkdesk: Deployment, selection: Selection, changes: Changes, said: str
) -> None:
    with pytest.raises(SelectionError, match=said):
        cases([changed(talkdesk, changes)], selection)


# -- calls, landings, time


def test_rows_that_take_long_run_when_named_and_take_the_minutes_of_their_case(
    talkdesk: Deployment,
) -> None:
    found = cases([talkdesk], Selection(rows=("LONGCALL",), ais=("synthflow",)))
    times = {case.axes["minutes"]: seconds_of(case, talkdesk, talkdesk.timings) for case in found}
    assert times == {"10": 600.0, "31": 1860.0}


def test_a_callers_phone_cannot_follow_a_refer_to_an_extension(talkdesk: Deployment) -> None:
    extension = changed(
        talkdesk, {"groups.billing.did": None, "groups.billing.user": "5001234567890"}
    )
    assert {case.axes["refer"] for case in of(extension, BLIND)} == {"consumed"}
    for row in (BLIND, WARM):
        assert {calls_of(case, extension)[-1].number for case in of(extension, row)} == {
            "5001234567890"
        }


@pytest.mark.parametrize(
    ("integration", "row", "groups"),
    [
        ("talkdesk", "TD-INBOUND", set()),  # the AI takes it, so that the line's fallback does not
        ("talkdesk", BLIND, {"billing"}),
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
    integration: str, row: str, groups: set[str]
) -> None:
    deployment = example(f"simulated-{integration}")
    found = [set(landing_groups(case, deployment)) for case in of(deployment, row)]
    assert found
    assert all(each == groups for each in found)


def test_a_transfer_and_people_in_time_land_neither_with_the_fallback_nor_where_a_closed_number_leads(
    talkdesk: Deployment,
) -> None:
    found = changed(talkdesk, {"lines.*.fallback": "support", "lines.*.closed": "support"})
    landing = [
        c
        for c in cases([found])
        if c.row.moment in ("transfer", "people") and not c.row.out_of_hours
    ]
    landing = [case for case in landing if "overflow" not in case.axes]
    assert {BLIND, "PEOPLE"} <= {case.row.id for case in landing}
    for case in landing:
        assert "support" not in landing_groups(case, found), case.id
    of_people = changed(
        talkdesk, {"lines.out-of-hours.assistant": None, "lines.out-of-hours.group": "everybody"}
    )
    (closed,) = [case for case in of(of_people, "CLOSED") if case.line == "out-of-hours"]
    assert set(landing_groups(closed, of_people)) == {"reception"}


def test_nobody_else_can_ring_where_no_other_phone_is_the_harness_s(talkdesk: Deployment) -> None:
    assert LANDING_OTHERS in of(talkdesk, BLIND)[0].required_findings
    lonely = changed(talkdesk, {"groups.*.agents": ()})
    assert all(LANDING_OTHERS not in case.required_findings for case in cases([lonely]))


def test_what_nobody_sees_is_dispensed_with_where_that_is_so_alone(talkdesk: Deployment) -> None:
    blind = changed(talkdesk, {"synthflow.witness": ()})
    by_ai = {case.axes["ai"]: case.dispensable for case in of(blind, "TD-INBOUND")}
    assert by_ai["synthflow"]["codec"] == "the AI's record does not hold the codec"
    assert by_ai["stand-in"] == {}
    shown = changed(talkdesk, {"phones.*.shows": "any"})
    for case in cases([shown]):
        assert ("caller_id" in case.dispensable) == (LANDING in case.required_findings), case.id
    assert not any("caller_id" in case.dispensable for case in cases([talkdesk]))


def test_a_world_without_the_ais_interface_is_planned_as_a_live_one(talkdesk: Deployment) -> None:
    """What nobody will tell is dispensable, and what is about it left out: all else would be not
    observable in every run.
    """
    blind = changed(talkdesk, {"synthflow": None})
    live = changed(blind, {"kind": "live", "platform.host": "sbc.example"})  # a world fills it in
    told = [
        {(case.id, *case.dispensable) for case in cases([one]) if case.axes["ai"] == "synthflow"}
        for one in (blind, live)
    ]
    assert told[0] == told[1]
    assert any("landing.answered_by" in case.dispensable for case in cases([blind]))


@pytest.mark.parametrize(
    ("strength", "synthflow", "said"),
    [
        ("proved", {}, "expect.strength"),  # the default
        ("proved", None, "expect.strength"),
        ("proved", {"witness": ("record", "marks")}, None),
        ("confirmed", {}, None),
        ("confirmed", {"transcript": "none"}, "there is no transcript"),
        ("confirmed", None, "there is no transcript"),
        ("indicated", None, None),
    ],
)
def test_audio_that_nothing_can_make_known_so_strongly_is_told_beforehand(
    strength: str, synthflow: dict[str, Any] | None, said: str | None
) -> None:
    told: Changes = (
        {"synthflow": None}
        if synthflow is None
        else {f"synthflow.{key}": value for key, value in synthflow.items()}
    )
    found = changed(example("live-talkdesk"), {"expect.strength": strength, **told})
    for case in cases([found]):
        why_not = why_never_passed(case, found)
        assert (why_not or "none").startswith("none") is (
            said is None or AUDIO_TO_AI not in case.required_findings
        )
        assert why_not is None or str(said) in why_not
    phones = changed(found, {"kind": "stand-in", "trunks.*.ai": "stand-in"})
    assert {why_never_passed(case, phones) for case in cases([phones])} == {None}, (
        "a harness phone proves audio"
    )


@pytest.mark.parametrize(
    ("moment", "opened", "closed"),
    [
        ("2026-11-23T12:00+01:00", None, "have begun or ended"),
        ("2026-11-23T17:58:30+01:00", None, "have begun or ended"),
        ("2026-11-23T17:59:30+01:00", "begin or end now", "begin or end now"),
        ("2026-11-23T18:00:30+01:00", "begin or end now", "begin or end now"),
        ("2026-11-23T18:01:30+01:00", "have begun or ended", None),
        ("2026-11-24T07:59:30+01:00", "begin or end now", "begin or end now"),
        (
            "2026-10-25T00:30+00:00",
            None,
            "have begun or ended",
        ),  # 02:30 in summer time, and again an hour later
        ("2026-10-25T01:30+00:00", None, "have begun or ended"),
        ("2026-10-25T02:00:30+00:00", "begin or end now", "begin or end now"),
        (
            "2026-03-29T00:59:30+00:00",
            "begin or end now",
            "begin or end now",
        ),  # 01:59:30; what follows is 03:00
        ("2026-03-29T01:02+00:00", "have begun or ended", None),
    ],
)
def test_a_number_is_called_only_where_no_clock_doubts_its_time(
    talkdesk: Deployment, moment: str, opened: str | None, closed: str | None
) -> None:
    hours = {
        "lines.inbound.hours": "sun 01:00-03:00, mon-fri 08:00-18:00",
        "lines.inbound.zone": "Europe/Berlin",
    }
    found, at = changed(talkdesk, hours), datetime.fromisoformat(moment)
    (case, *_) = [case for case in of(talkdesk, "TD-INBOUND") if case.line == "inbound"]
    for planned, said in (
        (case, opened),
        (replace(case, row=replace(case.row, out_of_hours=True)), closed),
    ):
        why_not = why_not_now(planned, found, at)
        assert why_not is None if said is None else said in str(why_not)
    assert why_not_now(replace(case, line=None), found, at) is None


def test_a_landing_with_the_people_of_another_group_cannot_pass(talkdesk: Deployment) -> None:
    twin = talkdesk.groups["billing"].model_copy(update={"did": "+18155550188"})
    two = changed(talkdesk, {"groups.twin": twin})
    (case, *_) = of(two, BLIND)
    assert why_never_passed(case, talkdesk) is None
    assert (
        why_never_passed(case, two)
        == "nothing tells its landing from one at twin, which has the same people"
    )


@pytest.mark.parametrize(
    ("own", "other", "turn"),
    [
        ([("a",), ("b",), ("c",)], [("a",), ("c",), ("b",)], 1),
        ([("a", "b", "c")], [("a",), ("c",), ("b",)], 0),
        ([("a",), ("b",), ("c",)], [("a",), ("b",), ("c",)], None),
        ([("a",), ("b",)], [("a",)], 1),
        ([("a",)], [("a",), ("b",)], None),
    ],
)
def test_ringing_order_tells_groups_of_the_same_people(
    talkdesk: Deployment, own: list[tuple[str, ...]], other: list[tuple[str, ...]], turn: int | None
) -> None:
    def group(turns: list[tuple[str, ...]]) -> Group:
        return Group(agents=tuple(chain(*turns)), rings="one-by-one" if turns[1:] else "all")

    two = talkdesk.model_copy(update={"groups": {"own": group(own), "other": group(other)}})
    assert (two.telling_turn("own"), two.twins("own")) == (turn, ["other"] if own == other else [])
