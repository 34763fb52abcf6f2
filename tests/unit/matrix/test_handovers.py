"""An assistant that hands over to several groups: each handover is proved by itself, or said not to be."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.deployment import Assistant, Deployment, Group, Handover, Line
from harness.deployment.hours import AS_OF_VARIABLE
from harness.integrations.matrix import Case, Selection, calls_of, cases, landing_groups, left_out

DIGITS = "123467#*ABCD"
ROWS = {"cold": "TD-TRANSFER-BLIND", "warm": "TD-TRANSFER-WARM"}


def handover(way: str = "cold", to: str = "support", digit: str | None = "2", **more: Any) -> Handover:
    return Handover.model_validate({"transfer": way, "transfer_to": to, "digit": digit, **more})


def with_handovers(deployment: Deployment, handovers: Mapping[str, Handover], *, own: bool = True) -> Deployment:
    """Its assistant ``main`` hands over so, beside what its own table says, or instead of that."""
    update: dict[str, Any] = {"handovers": dict(handovers)}
    if not own:
        update |= {"transfer": None, "transfer_to": None}
    main = deployment.assistants["main"].model_copy(update=update)
    return deployment.model_copy(update={"assistants": {**deployment.assistants, "main": main}})


def with_refer(deployment: Deployment, how: str) -> Deployment:
    """Its platform treats every REFER so."""
    lines = {name: line.model_copy(update={"refer": how}) for name, line in deployment.lines.items()}
    axes = deployment.axes.model_copy(update={"refer": (how,)})
    return deployment.model_copy(update={"lines": lines, "axes": axes})


def of(deployment: Deployment, row: str, **axes: str) -> list[Case]:
    found = cases([deployment], Selection(rows=(row,)))
    return [case for case in found if axes.items() <= case.axes.items()]


def test_a_handover_has_cases_in_the_rows_of_its_kind_over_all_trunks_and_codecs(talkdesk: Deployment) -> None:
    deployment = with_handovers(
        talkdesk, {"sales": handover("warm", "support"), "orders": handover("cold", "billing", "3")}
    )
    for row, name, other in (("TD-TRANSFER-BLIND", "orders", "sales"), ("TD-TRANSFER-WARM", "sales", "orders")):
        found = of(deployment, row, handover=name, ai="synthflow")
        own = [case for case in of(talkdesk, row, ai="synthflow") if case.axes.get("ask", "digit") == "digit"]
        cells = {(case.trunk, case.axes["codec"], case.axes.get("refer")) for case in own}
        assert {(case.trunk, case.axes["codec"], case.axes.get("refer")) for case in found} == cells
        assert not of(deployment, row, handover=other)
        assert of(deployment, row, handover=name, ai="stand-in")


def test_other_rows_and_the_assistants_own_handover_are_as_they_were(talkdesk: Deployment) -> None:
    deployment = with_handovers(talkdesk, {"sales": handover("warm"), "orders": handover("cold", "nobody", "3")})
    before = {case.id for case in cases([talkdesk])}
    after = {case.id: case for case in cases([deployment])}
    assert before <= after.keys()
    more = [after[name] for name in after.keys() - before]
    assert {case.axes["handover"] for case in more} == {"sales", "orders"}
    assert {case.row.id for case in more} == {"TD-TRANSFER-WARM", "TRANSFER-UNAVAILABLE"}


def test_a_row_for_which_one_is_enough_takes_the_first(talkdesk: Deployment) -> None:
    beside = with_handovers(talkdesk, {"sales": handover()})
    assert [case.id for case in of(beside, "HANGUP-AGENT")] == [case.id for case in of(talkdesk, "HANGUP-AGENT")]
    alone = with_handovers(
        talkdesk, {"warm": handover("warm"), "sales": handover(), "more": handover(digit="3")}, own=False
    )
    assert {case.axes["handover"] for case in of(alone, "HANGUP-AGENT")} == {"sales"}
    for case in of(alone, "HANGUP-AGENT"):
        assert calls_of(case, alone)[1].number == alone.groups["support"].did


def test_a_topic_leads_elsewhere_than_the_number_that_it_is_sent_to(gladly: Deployment) -> None:
    """Rows that look for the call in the number's own group take a handover without a topic, wherever it stands."""
    (group, *_) = (name for name, entry in gladly.groups.items() if entry.present and entry.topic is None)
    topic = next(entry.topic for entry in gladly.groups.values() if entry.topic and entry.present)
    empty = {"nobody is here": Group(did="+13125550177", empty=True)}
    by_topic = {
        "vip": handover(to=group, transfer_topic=topic),
        "none there": handover(to="nobody is here", digit="3", transfer_topic=topic),
    }
    assistants = {
        name: entry.model_copy(update={"handovers": by_topic, "transfer": None, "transfer_to": None})
        for name, entry in gladly.assistants.items()
    }
    found = gladly.model_copy(update={"assistants": assistants, "groups": {**gladly.groups, **empty}})
    planned = {case.row.id for case in cases([found])}
    assert "GL-TRANSFER-TOPIC" in planned
    assert not {"GL-TRANSFER-PLAIN", "HANGUP-AGENT", "TRANSFER-UNAVAILABLE"} & planned
    why = {left.row: left.why for left in left_out(found) if left.line is None}
    assert why["HANGUP-AGENT"] == why["TRANSFER-UNAVAILABLE"] == "every assistant hands over with a topic"
    plain = {**by_topic, "plain": handover(to=group, digit="4")}
    assistants = {name: entry.model_copy(update={"handovers": plain}) for name, entry in assistants.items()}
    found = found.model_copy(update={"assistants": assistants})
    assert {case.axes["handover"] for case in of(found, "HANGUP-AGENT")} == {"plain"}


def test_each_way_to_ask_for_one_has_a_case(talkdesk: Deployment) -> None:
    """Of a handover with a name the way it is asked for is what tells it from the others, warm or cold."""
    said = handover("warm", prompt="agent-please-de", transfer_caller_id="agent")
    deployment = with_handovers(talkdesk, {"sales": said, "silent": handover("cold", digit="3", ways=["silence"])})
    found = of(deployment, "TD-TRANSFER-WARM", handover="sales", ai="synthflow")
    assert [case.axes["ask"] for case in found if case.trunk == found[0].trunk][:2] == ["digit", "prompt"]
    assert {case.axes["caller_id"] for case in found} == {"agent"}
    assert {case.axes["ask"] for case in of(deployment, "TD-TRANSFER-BLIND", handover="silent")} == {"silence"}


def test_what_one_is_asked_for_by_does_not_take_cases_from_the_others(talkdesk: Deployment) -> None:
    spoken = with_handovers(talkdesk, {"sales": handover(digit=None, prompt="agent-please-de")}, own=False)
    digit = with_handovers(talkdesk, {"sales": handover()}, own=False)
    both = ([case.axes | {"ask": ""} for case in of(d, "TD-TRANSFER-BLIND", handover="sales")] for d in (spoken, digit))
    assert next(both) == next(both)


@st.composite
def set_ups(draw: st.DrawFn) -> tuple[dict[str, Handover], bool, str]:
    """Handovers under names of every kind, to groups of which some have no harness phone."""
    names = draw(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn")), min_size=1),
            max_size=5,
            unique=True,
        )
    )
    digits = iter(DIGITS)
    made = {}
    for name in dict.fromkeys(name.strip() or "x" for name in names):
        way, to = (
            draw(st.sampled_from(["cold", "warm"])),
            draw(st.sampled_from(["billing", "support", "strangers", "nobody"])),
        )
        made[name] = handover(way, to, next(digits))
    return made, draw(st.booleans()), draw(st.sampled_from(["once", "every-number", "full"]))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(set_up=set_ups())
def test_each_is_proved_or_said_not_to_be(talkdesk: Deployment, set_up: tuple[dict[str, Handover], bool, str]) -> None:
    handovers, own, depth = set_up
    groups = {**talkdesk.groups, "strangers": Group(did="+18085550199")}
    one_codec = talkdesk.axes.model_copy(update={"codecs": ("pcmu",)})  # no codec makes another row
    update = {"groups": groups, "depth": depth, "axes": one_codec}
    deployment = with_handovers(talkdesk.model_copy(update=update), handovers, own=own)
    found = [case for case in cases([deployment]) if "handover" in case.axes]
    said = [left.why for left in left_out(deployment)]
    for name, one in handovers.items():
        rows = {case.row.id for case in found if case.axes["handover"] == name} - {"HANGUP-AGENT"}
        seen = {"billing": {ROWS[str(one.transfer)]}, "support": {ROWS[str(one.transfer)]}, "strangers": set()}
        unavailable = {"TRANSFER-UNAVAILABLE"} if one.transfer == "cold" else set()
        assert rows == seen.get(str(one.transfer_to), unavailable)
        words = [why for why in said if why.startswith(f"assistants.main.handovers.{name}: ")]
        reason = (
            f"assistants.main.handovers.{name}: not observable: its group has no harness phone, and no report names it"
        )
        assert words == ([] if rows else [reason])
    for case in found:
        to = str(handovers[case.axes["handover"]].transfer_to)
        assert set(landing_groups(case, deployment)) == {to}
        assert calls_of(case, deployment)[1].number == deployment.groups[to].did


def test_a_topic_goes_with_its_own_handover(gladly: Deployment) -> None:
    """One number for all queues, as Gladly's are: the topic alone tells them apart."""
    deployment = with_handovers(
        gladly,
        {
            "bills": handover(to="queue", transfer_topic="billing"),
            "help": handover(to="queue", digit="3", transfer_topic="support"),
            "plain": handover(to="reception", digit="4"),
            "lost": handover(to="queue", digit="6", transfer_topic="nobody's"),
            "joined": handover("warm", "queue", "7"),
        },
    )
    groups = {
        case.axes["handover"]: set(landing_groups(case, deployment))
        for case in of(deployment, "GL-TRANSFER-TOPIC")
        if "handover" in case.axes
    }
    assert groups == {"bills": {"queue", "billing"}, "help": {"queue", "support"}}
    assert {case.axes.get("handover") for case in of(deployment, "GL-TRANSFER-PLAIN")} == {None, "plain"}
    said = [(left.row, left.why) for left in left_out(deployment) if left.why.startswith("assistants.")]
    key = "assistants.main.handovers"
    assert said == [
        ("GL-TRANSFER-PLAIN", f"{key}.lost: not observable: no group with a harness phone has its topic"),
        ("GL-TRANSFER-PLAIN", f"{key}.joined: no row proves a warm handover"),
    ]


def test_one_whose_numbers_are_closed_is_said_to_be(talkdesk: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AS_OF_VARIABLE, "2026-03-04T12:00+00:00")
    closed = talkdesk.lines["out-of-hours"].model_copy(update={"assistant": "sales"})
    lines = {**{n: e for n, e in talkdesk.lines.items() if e.assistant != "sales"}, "out-of-hours": closed}
    sales = talkdesk.assistants["sales"].model_copy(update={"handovers": {"a": handover()}})
    changed = {"lines": lines, "assistants": {**talkdesk.assistants, "sales": sales}}
    said = [left.why for left in left_out(talkdesk.model_copy(update=changed)) if left.why.startswith("assistants.")]
    assert said == ["assistants.sales.handovers.a: closed now: out-of-hours"]


def told_of_the_only_handover(deployment: Deployment, **update: Any) -> list[tuple[str, str]]:
    """What is said to be left out where ``sales`` hands over as ``main`` does, but for ``update``."""
    same = ("transfer", "transfer_to")
    only = {name: getattr(deployment.assistants["main"], name) for name in same} | update
    assistants = {**deployment.assistants, "sales": deployment.assistants["sales"].model_copy(update=only)}
    changed = deployment.model_copy(update={"assistants": assistants})
    return [(left.row, left.why) for left in left_out(changed) if left.why.startswith("assistants.")]


def test_an_only_handover_that_no_row_proves_is_said_where_another_is_proved(talkdesk: Deployment) -> None:
    groups = {**talkdesk.groups, "others": talkdesk.groups["support"].model_copy(update={"agents": ()})}
    deployment = talkdesk.model_copy(update={"groups": groups, "depth": "every-number"})
    why = "not observable: its group has no harness phone, and no report names it"
    told = told_of_the_only_handover(deployment, transfer_to="others")
    assert told == [("TD-TRANSFER-BLIND", f"assistants.sales.transfer: {why}")]
    assert told_of_the_only_handover(deployment) == []


def test_an_only_handover_that_another_number_proves_is_said_to_be(talkdesk: Deployment) -> None:
    told = told_of_the_only_handover(talkdesk.model_copy(update={"depth": "once"}))
    assert [row for row, _ in told] == ["TD-TRANSFER-BLIND"]
    assert told[0][1] == 'assistants.sales.transfer: depth = "once": another number proves the row'


def test_a_handover_to_nobody_is_proved_on_the_trunk_that_leads_to_it(talkdesk: Deployment) -> None:
    """The row was over when one trunk had shown it: another's assistant was not asked, for want of a phone in an empty group."""
    plain = talkdesk.lines["transfer-unavailable"].model_copy(update={"dids": {}})
    first, second = [trunk for trunk in talkdesk.trunks if trunk.ai == "synthflow"][:2]
    lines = {
        **{name: talkdesk.lines[name] for name in ("inbound", "campaign")},
        "a": plain.model_copy(update={"did": "+12135550171", "trunk": first.name}),
        "b": plain.model_copy(update={"did": "+12135550172", "trunk": second.name, "assistant": "other"}),
        "c": plain.model_copy(update={"did": "+12135550173", "trunk": second.name}),
    }
    other = talkdesk.assistants["to-nobody"].model_copy(update={"did": "+12535550199"})
    update = {"lines": lines, "assistants": {**talkdesk.assistants, "other": other}}
    deployment = talkdesk.model_copy(update={**update, "depth": "every-number"})
    assert [case.line for case in of(deployment, "TRANSFER-UNAVAILABLE")] == ["a", "b"]
    assert not [left.why for left in left_out(deployment) if left.why.startswith("assistants.other")]
    once = deployment.model_copy(update={"depth": "once"})
    assert [case.line for case in of(once, "TRANSFER-UNAVAILABLE")] == ["a"]


def test_ids_tell_handovers_apart(talkdesk: Deployment) -> None:
    deployment = with_handovers(
        talkdesk, {n: handover(digit=d) for n, d in zip(("Größe L", "Grosse-L"), "23", strict=True)}
    )
    ids = sorted(case.id for case in cases([deployment]))
    assert all(one != other for one, other in pairwise(ids))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    shown=st.lists(st.sampled_from(["original", "agent", "fixed", "header"]), min_size=4, max_size=4), data=st.data()
)
def test_each_assistant_is_proved_on_each_trunk_whatever_number_its_agents_see(
    talkdesk: Deployment, shown: list[str], data: st.DataObject
) -> None:
    """What one shows had stood for all but the first: another trunk's assistant with another had no case, and nothing said so."""
    more: dict[str, dict[str, Any]] = {
        "fixed": {"fixed_caller_id": "+12065550188"},
        "header": {"caller_id_header": "X-Show"},
    }
    assistants = {
        f"a{at}": Assistant.model_validate(
            {
                "did": f"+1206555017{at}",
                "transfer": "warm",
                "transfer_to": "billing",
                "transfer_caller_id": mode,
                **more.get(mode, {}),
            }
        )
        for at, mode in enumerate(shown)
    }
    trunks = [trunk.name for trunk in talkdesk.trunks]
    lines = {
        f"l{at}": Line(did=f"+1312555016{at}", trunk=data.draw(st.sampled_from(trunks)), assistant=f"a{at}")
        for at in range(4)
    }
    changed = {"assistants": assistants, "lines": lines, "campaign": None, "depth": "every-number"}
    deployment = talkdesk.model_copy(update=changed)
    found = of(deployment, "TD-TRANSFER-WARM")
    assert {(case.line, case.trunk) for case in found} == {(name, line.trunk) for name, line in lines.items()}
    for case in found:
        assert case.axes["caller_id"] == deployment.assistants[f"a{str(case.line)[1:]}"].transfer_caller_id


@pytest.mark.parametrize(
    ("rings", "number", "way", "witness", "ambiguous"),
    [
        ("one-by-one", "+18085550191", "cold", None, True),
        ("one-by-one", "+18085550191", "warm", None, True),
        ("all", "+18085550191", "cold", None, False),  # who does not ring for the other one rings
        ("one-by-one", "+18085550191", "cold", ("record",), False),  # the record tells the number
        ("one-by-one", "+18085550192", "cold", ("record",), True),
        ("one-by-one", "+18085550192", "cold", ("record", "messages"), True),  # one number, and no topic
    ],
)
def test_where_the_same_phone_rings_for_two_somebody_has_to_tell_which_it_was(
    talkdesk: Deployment, rings: str, number: str, way: str, witness: tuple[str, ...] | None, ambiguous: bool
) -> None:
    groups = {
        "ours": Group.model_validate({"did": number, "agents": ("billing", "reception"), "rings": rings}),
        "theirs": Group(did="+18085550192", agents=("billing", "support"), rings="one-by-one"),
    }
    access = {"witness": witness or (), "api_base": "https://api.example" if witness else None}
    synthflow = talkdesk.synthflow and talkdesk.synthflow.model_copy(update=access)
    trunks = tuple(trunk for trunk in talkdesk.trunks if trunk.ai == "synthflow")
    update = {"kind": "live", "groups": {**talkdesk.groups, **groups}, "synthflow": synthflow, "trunks": trunks}
    deployment = with_refer(talkdesk.model_copy(update=update), "consumed")
    made = {"a": handover(way, "ours"), "b": handover(way, "theirs", "3")}
    deployment = with_handovers(deployment, made, own=False)
    said = [left.why for left in left_out(deployment) if left.row == ROWS[way] and "the same phones ring" in left.why]
    assert bool(said) == ambiguous
    proved = {case.axes.get("handover") for case in cases([deployment]) if case.row.id == ROWS[way]}
    assert ("a" in proved) != ambiguous


def test_a_refer_that_the_callers_phone_gets_tells_which_it_was(talkdesk: Deployment) -> None:
    one_by_one: dict[str, Any] = {"rings": "one-by-one"}
    groups = {
        "ours": Group(did="+18085550191", agents=("billing", "reception"), **one_by_one),
        "theirs": Group(did="+18085550192", agents=("billing", "support"), **one_by_one),
    }
    deployment = talkdesk.model_copy(update={"kind": "live", "groups": {**talkdesk.groups, **groups}})
    deployment = with_handovers(
        deployment, {"a": handover(to="ours"), "b": handover(to="theirs", digit="3")}, own=False
    )
    assert of(with_refer(deployment, "passed-on"), "TD-TRANSFER-BLIND", handover="a", ai="synthflow")
    assert not of(with_refer(deployment, "consumed"), "TD-TRANSFER-BLIND", handover="a", ai="synthflow")
