"""An assistant that hands over to several groups: each handover is proved by itself, or said not to
be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.deployment import Deployment, Group, Handover
from harness.deployment.hours import AS_OF_VARIABLE
from harness.integrations.matrix import calls_of, cases, landing_groups, left_out
from tests.unit.matrix.conftest import changed, of, of_ai

DIGITS = "123467#*ABCD"
#: Rows that the first handover proves for all.
ONE_IS_ENOUGH = {"HANGUP-AGENT", "TD-TRANSFER-ABANDON"}
ROWS = {"cold": "TD-TRANSFER-BLIND", "warm": "TD-TRANSFER-WARM"}
UNSEEN = "not observable: its group has no harness phone, and no report names it"
#: Named handovers are all that the assistant has.
ALONE = {"assistants.main.transfer": None, "assistants.main.transfer_to": None}


def handover(
    way: str = "cold", to: str = "support", digit: str | None = "2", **more: Any
) -> Handover:
    return Handover.model_validate({"transfer": way, "transfer_to": to, "digit": digit, **more})


def with_handovers(
    deployment: Deployment, handovers: Mapping[str, Handover], **more: Any
) -> Deployment:
    """Its assistant ``main`` hands over so, beside what its own table says."""
    return changed(deployment, {"assistants.main.handovers": dict(handovers), **more})


def said_of(deployment: Deployment) -> list[tuple[str, str]]:
    """Which handovers are said to be left out, by a row, and why."""
    return [
        (left.row, left.why) for left in left_out(deployment) if left.why.startswith("assistants.")
    ]


def test_handovers_are_proved_in_the_rows_of_their_kind_and_change_no_other_case(
    talkdesk: Deployment,
) -> None:
    """Over all trunks and codecs, as the assistant's own is."""
    handovers = {
        "sales": handover("warm"),
        "orders": handover("cold", "billing", "3"),
        "lost": handover(to="nobody", digit="4"),
    }
    deployment = with_handovers(talkdesk, handovers)
    for row, name in ((ROWS["cold"], "orders"), (ROWS["warm"], "sales")):
        own = [
            case
            for case in of(talkdesk, row, ai="synthflow")
            if case.axes.get("ask", "digit") == "digit"
        ]
        cells = [
            {(case.trunk, case.axes["codec"], case.axes.get("refer")) for case in found}
            for found in (own, of(deployment, row, ai="synthflow", handover=name))
        ]
        assert cells[0] == cells[1]
        assert of(deployment, row, ai="stand-in", handover=name)
    before = {case.id for case in cases([talkdesk]) if case.row.id not in ONE_IS_ENOUGH}
    more = {
        case.id: (case.row.id, case.axes.get("handover"))
        for case in cases([deployment])
        if case.row.id not in ONE_IS_ENOUGH
    }
    assert before <= more.keys()
    assert {more[name] for name in more.keys() - before} == {
        (ROWS["warm"], "sales"),
        (ROWS["cold"], "orders"),
        ("TRANSFER-UNAVAILABLE", "lost"),
    }


def test_a_row_for_which_one_is_enough_takes_the_first(talkdesk: Deployment) -> None:
    three = {"warm": handover("warm"), "sales": handover(), "more": handover(digit="3")}
    alone = with_handovers(talkdesk, three, **ALONE)
    found = of(alone, "HANGUP-AGENT")
    assert {case.axes["handover"] for case in found} == {"sales"}
    assert {calls_of(case, alone)[1].number for case in found} == {alone.groups["support"].did}


def test_a_topic_goes_with_its_own_handover(gladly: Deployment) -> None:
    """One number for all queues, as Gladly's are: the topic alone tells them apart."""
    handovers = {
        "bills": handover(to="queue", transfer_topic="billing"),
        "help": handover(to="queue", digit="3", transfer_topic="support"),
        "plain": handover(to="reception", digit="4"),
        "lost": handover(to="queue", digit="6", transfer_topic="nobody's"),
        "joined": handover("warm", "queue", "7"),
    }
    deployment = with_handovers(gladly, handovers)
    groups = {
        case.axes.get("handover"): set(landing_groups(case, deployment))
        for case in of(deployment, "GL-TRANSFER-TOPIC")
    }
    del groups[None]
    assert groups == {"bills": {"queue", "billing"}, "help": {"queue", "support"}}
    assert {case.axes.get("handover") for case in of(deployment, "GL-TRANSFER-PLAIN")} == {
        None,
        "plain",
    }
    key = "assistants.main.handovers"
    assert said_of(deployment) == [
        (
            "GL-TRANSFER-PLAIN",
            f"{key}.lost: not observable: no group with a harness phone has its topic",
        ),
        ("GL-TRANSFER-PLAIN", f"{key}.joined: no row proves a warm handover"),
    ]


def test_each_way_to_ask_for_one_has_a_case(talkdesk: Deployment) -> None:
    """Of a handover with a name the way it is asked for is what tells it from the others, warm or
    cold.
    """
    said = handover("warm", prompt="agent-please-de", transfer_caller_id="agent")
    deployment = with_handovers(
        talkdesk, {"sales": said, "silent": handover("cold", digit="3", ways=["silence"])}
    )
    found = of(deployment, ROWS["warm"], handover="sales", ai="synthflow")
    assert [case.axes["ask"] for case in found if case.trunk == found[0].trunk][:2] == [
        "digit",
        "prompt",
    ]
    assert {case.axes["caller_id"] for case in found} == {"agent"}
    assert {case.axes["ask"] for case in of(deployment, ROWS["cold"], handover="silent")} == {
        "silence"
    }
    spoken, digit = (
        [
            case.axes | {"ask": ""}
            for case in of(with_handovers(talkdesk, {"sales": one}, **ALONE), ROWS["cold"])
        ]
        for one in (handover(digit=None, prompt="agent-please-de"), handover())
    )
    assert spoken == digit, "the way takes no cases from the others"


@st.composite
def set_ups(draw: st.DrawFn) -> tuple[dict[str, Handover], bool, str]:
    """Handovers under names of every kind, to groups of which some have no harness phone."""
    character = st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn"))
    names = draw(st.lists(st.text(character, min_size=1), max_size=5, unique=True))
    made = {}
    for name, digit in zip(
        dict.fromkeys(name.strip() or "x" for name in names), DIGITS, strict=False
    ):
        way, to = (
            st.sampled_from(["cold", "warm"]),
            st.sampled_from(["billing", "support", "strangers", "nobody"]),
        )
        made[name] = handover(draw(way), draw(to), digit)
    return made, draw(st.booleans()), draw(st.sampled_from(["once", "every-number", "full"]))


@pytest.mark.nightly
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(set_up=set_ups())
def test_each_is_proved_or_said_not_to_be(
    talkdesk: Deployment, set_up: tuple[dict[str, Handover], bool, str]
) -> None:
    handovers, own, depth = set_up
    update = {
        "groups.strangers": Group(did="+18085550199"),
        "depth": depth,
        "axes.codecs": ("pcmu",),
    }
    deployment = with_handovers(talkdesk, handovers, **update, **({} if own else ALONE))
    found = [case for case in cases([deployment]) if "handover" in case.axes]
    said = [why for _, why in said_of(deployment)]
    for name, one in handovers.items():
        rows = {case.row.id for case in found if case.axes["handover"] == name} - ONE_IS_ENOUGH
        unavailable = {"TRANSFER-UNAVAILABLE"} if one.transfer == "cold" else set()
        seen = {"strangers": set(), "nobody": unavailable}
        assert rows == seen.get(str(one.transfer_to), {ROWS[str(one.transfer)]})
        key = f"assistants.main.handovers.{name}: "
        assert [why for why in said if why.startswith(key)] == ([] if rows else [f"{key}{UNSEEN}"])
    for case in found:
        to = str(handovers[case.axes["handover"]].transfer_to)
        assert set(landing_groups(case, deployment)) == {to}
        assert calls_of(case, deployment)[1].number == deployment.groups[to].did


def test_one_whose_numbers_are_closed_is_said_to_be(
    talkdesk: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(AS_OF_VARIABLE, "2026-03-04T12:00+00:00")
    gone = {
        f"lines.{name}": None
        for name, entry in talkdesk.lines.items()
        if entry.assistant == "sales"
    }
    sales = {
        "lines.out-of-hours.assistant": "sales",
        "assistants.sales.handovers": {"a": handover()},
    }
    why = [why for _, why in said_of(changed(talkdesk, gone | sales))]
    assert why == ["assistants.sales.handovers.a: closed now: out-of-hours"]


@pytest.mark.parametrize(
    ("to", "depth", "why"),
    [
        ("others", "every-number", UNSEEN),
        ("billing", "every-number", None),
        ("billing", "once", 'depth = "once": another number proves the row'),
    ],
)
def test_an_only_handover_that_no_row_proves_is_said_where_another_is_proved(
    talkdesk: Deployment, to: str, depth: str, why: str | None
) -> None:
    others = talkdesk.groups["support"].model_copy(update={"agents": ()})
    sales = {"assistants.sales.transfer": "cold", "assistants.sales.transfer_to": to}
    found = said_of(changed(talkdesk, {"groups.others": others, "depth": depth, **sales}))
    assert found == ([] if why is None else [(ROWS["cold"], f"assistants.sales.transfer: {why}")])


def test_a_handover_to_nobody_is_proved_on_the_trunk_that_leads_to_it(talkdesk: Deployment) -> None:
    """The row was over when one trunk had shown it: another's assistant was not asked, for want of
    a phone in an empty group.
    """
    plain = talkdesk.lines["transfer-unavailable"].model_copy(update={"dids": {}})
    lines = {
        **{name: talkdesk.lines[name] for name in ("inbound", "campaign")},
        "a": plain.model_copy(update={"did": "+12135550171", "trunk": "udp-ip"}),
        "b": plain.model_copy(
            update={"did": "+12135550172", "trunk": "udp-digest", "assistant": "other"}
        ),
        "c": plain.model_copy(update={"did": "+12135550173", "trunk": "udp-digest"}),
    }
    other = talkdesk.assistants["to-nobody"].model_copy(update={"did": "+12535550199"})
    for depth, proved in (("every-number", ["a", "b"]), ("once", ["a"])):
        deployment = changed(talkdesk, {"lines": lines, "assistants.other": other, "depth": depth})
        assert [case.line for case in of(deployment, "TRANSFER-UNAVAILABLE")] == proved
        assert bool(
            [why for _, why in said_of(deployment) if why.startswith("assistants.other")]
        ) is (depth == "once")


@pytest.mark.parametrize(
    ("rings", "number", "way", "witness", "refer", "ambiguous"),
    [
        ("one-by-one", "+18085550191", "cold", None, "consumed", True),
        ("one-by-one", "+18085550191", "warm", None, "consumed", True),
        (
            "all",
            "+18085550191",
            "cold",
            None,
            "consumed",
            False,
        ),  # who does not ring for the other one rings
        (
            "one-by-one",
            "+18085550191",
            "cold",
            ("record",),
            "consumed",
            False,
        ),  # the record tells the number
        ("one-by-one", "+18085550192", "cold", ("record",), "consumed", True),
        (
            "one-by-one",
            "+18085550192",
            "cold",
            ("record", "messages"),
            "consumed",
            True,
        ),  # one number, and no topic
        (
            "one-by-one",
            "+18085550191",
            "cold",
            None,
            "passed-on",
            False,
        ),  # the caller's phone gets the REFER
    ],
)
def test_where_the_same_phone_rings_for_two_somebody_has_to_tell_which_it_was(
    talkdesk: Deployment,
    rings: str,
    number: str,
    way: str,
    witness: tuple[str, ...] | None,
    refer: str,
    ambiguous: bool,
) -> None:
    ours = Group.model_validate({"did": number, "agents": ("billing", "reception"), "rings": rings})
    theirs = Group(did="+18085550192", agents=("billing", "support"), rings="one-by-one")
    update = {
        **ALONE,
        "kind": "live",
        "trunks": of_ai("synthflow"),
        "groups.ours": ours,
        "groups.theirs": theirs,
        "synthflow.witness": witness or (),
        "synthflow.api_base": "https://api.example" if witness else None,
        "lines.*.refer": refer,
    }
    made = {"a": handover(way, "ours"), "b": handover(way, "theirs", "3")}
    deployment = with_handovers(talkdesk, made, **update)
    said = [
        why
        for row, why in said_of(deployment)
        if row == ROWS[way] and "the same phones ring" in why
    ]
    assert bool(of(deployment, ROWS[way], handover="a")) is not ambiguous
    left = [
        one.why
        for one in left_out(deployment)
        if one.row == ROWS[way] and "the same phones ring" in one.why
    ]
    assert bool(said or left) is ambiguous


def test_a_caller_gives_up_in_each_kind_of_transfer(
    talkdesk: Deployment, gladly: Deployment
) -> None:
    for deployment, row, ways in (
        (talkdesk, "TD-TRANSFER-ABANDON", {"cold", "warm"}),
        (gladly, "GL-TRANSFER-ABANDON", {"cold"}),
    ):
        found = of(deployment, row)
        assert {case.axes["transfer"] for case in found if case.axes["ai"] == "synthflow"} == ways
        for case in found:
            handover = case.handover(deployment)
            assert handover is not None
            assert handover.transfer == case.axes["transfer"]
            assert (
                deployment.lines[str(case.line)].refer == "consumed" or handover.transfer == "warm"
            )
            assert len(calls_of(case, deployment)) == 2
    passed_on = changed(talkdesk, {"lines.*.refer": "passed-on"})
    assert {case.axes["transfer"] for case in of(passed_on, "TD-TRANSFER-ABANDON")} == {"warm"}
