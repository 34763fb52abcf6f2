"""What a file can say of where calls lead."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.deployment import Deployment, Line, to_plain
from harness.integrations.matrix import (
    Case,
    answering_groups,
    cases,
    landing_groups,
    left_out,
    why_never_passed,
    why_not_now,
)
from harness.integrations.unverified import unverified
from tests.keys import text_of

Changes = Mapping[Any, Any]


def deployment(file: str, changes: Changes) -> Deployment:
    """A file of ``tests/contract/keys`` with other values at these places; None takes one away."""
    plain = tomllib.loads(text_of(file))
    for (*way, key), value in changes.items():
        table = plain
        for name in way:
            table = table[name]
        if value is None:
            del table[key]
        else:
            table[key] = value
    return Deployment.model_validate(plain)


NORTH = {"did": "+18155550101", "agents": ["north"]}
#: A Monday; and a Sunday on which a number is about to open.
NIGHT = datetime(2026, 3, 2, 12, tzinfo=UTC)
OPENS = datetime(2026, 3, 1, 2, 59, 30, tzinfo=UTC)


def of(found: Deployment, row: str) -> list[Case]:
    return [case for case in cases([found]) if case.row.id == row]


def listed(found: Deployment) -> set[str]:
    return {entry for one in unverified(found) for entry in one.entries}


def test_a_number_of_people_needs_no_trunk() -> None:
    found = deployment("routing", {("lines", "to-people", "trunk"): None})
    assert "to-people" in {case.line for case in of(found, "PEOPLE")}
    with pytest.raises(ValueError, match="several trunks"):
        deployment("routing", {("lines", "right", "trunk"): None})


def test_a_call_to_people_proves_no_trunk() -> None:
    people = {("lines", "to-people", "trunk"): "two", ("lines", "fails-over", "failover"): None}
    assert "trunks.two" in listed(deployment("routing", people))


def test_a_team_may_have_several_topics() -> None:
    ways = {"ways": ["digit"], "transfer": "cold", "transfer_to": "queue"}
    handovers = {
        "bill": {**ways, "transfer_topic": "billing", "digit": "1"},
        "invoice": {**ways, "transfer_topic": "invoices", "digit": "2"},
    }
    found = deployment(
        "topics",
        {
            ("groups", "billing", "topic"): ["billing", "invoices"],
            ("assistants", "ada", "handovers"): handovers,
        },
    )
    named = [case for case in of(found, "GL-TRANSFER-TOPIC") if "handover" in case.axes]
    assert {case.axes["handover"] for case in named} == set(handovers)
    for case in named:
        assert why_never_passed(case, found) is None
        handover = case.handover(found)
        assert handover is not None
        assert found.lands_at(handover) == "billing"
    with pytest.raises(ValueError, match="a topic of its own for each group"):
        deployment("topics", {("groups", "billing", "topic"): ["billing", "support"]})


def test_a_topic_that_no_handover_sends_is_listed() -> None:
    found = deployment("topics", {("groups", "queue", "topic"): "unsent"})
    assert "groups.queue.topic" in listed(found)
    assert "groups.billing.topic" not in listed(found)


def test_each_trunk_may_write_the_caller_s_number_in_its_own_form() -> None:
    trunks = [
        {"name": "one", "transport": "udp", "port": 32681},
        {"name": "two", "transport": "tcp", "port": 32681, "number_format": "national"},
    ]
    found = deployment("routing", {("trunks",): trunks})
    at_ai = {name: found.number_format_at(None, name) for name in ("one", "two")}
    assert at_ai == {"one": "e164", "two": "national"}
    assert found.number_format_at("north", "two") == "e164"


def test_a_group_that_takes_over_from_another_after_a_transfer() -> None:
    found = deployment("routing", {})
    (case,) = of(found, "TD-TRANSFER-OVERFLOW")
    assert set(landing_groups(case, found)) == {"first", "west"}
    assert list(answering_groups(case, found)) == ["west"]
    assert "groups.first.overflow" not in listed(found)
    by_machine = deployment("routing", {("groups", "first", "voicemail"): True})
    assert "groups.first.overflow" in listed(by_machine)
    assert not of(by_machine, "TD-TRANSFER-OVERFLOW")
    with pytest.raises(ValueError, match="no group is called 'sout'"):
        deployment("routing", {("groups", "first", "overflow"): "sout"})


def test_the_ai_may_take_what_no_agent_takes() -> None:
    found = deployment("routing", {})
    (case,) = of(found, "AI-OVERFLOW")
    assert case.line == "people-first"
    assert set(landing_groups(case, found)) == {"few"}
    assert "people-first" in {case.line for case in of(found, "PEOPLE")}
    assert not {"lines.people-first", "assistants.bob"} & listed(found)
    assert "people-first" not in {case.line for case in of(found, "TD-INBOUND")}
    with_fallback = deployment("routing", {("lines", "people-first", "fallback"): "south"})
    assert "lines.people-first.fallback" in listed(with_fallback)
    by_machine = deployment("routing", {("groups", "few", "voicemail"): True})
    assert not of(by_machine, "AI-OVERFLOW")
    assert "lines.people-first.overflow" in listed(by_machine)


def test_an_assistant_may_hand_over_to_another() -> None:
    found = deployment("routing", {})
    (case,) = of(found, "TRANSFER-ASSISTANT")
    assert case.line == "hands-on"
    assert "hands-on" not in {each.line for each in of(found, "TD-TRANSFER-BLIND")}
    assert not {"groups.at-bob", "lines.to-bob", "assistants.hands-on"} & listed(found)
    elsewhere = deployment("routing", {("lines", "to-bob", "trunk"): "two"})
    assert not of(elsewhere, "TRANSFER-ASSISTANT")
    assert any(one.why.startswith("assistants.hands-on.transfer") for one in left_out(elsewhere))
    for key, value in (("press", "1"), ("hours", "sun 03:00-03:01"), ("announcement_s", 2.0)):
        behind = deployment("routing", {("lines", "to-bob", key): value})
        assert not of(behind, "TRANSFER-ASSISTANT"), key


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({("groups", "at-bob", "agents"): ["few"]}, "so agents means nothing"),
        ({("groups", "at-bob", "others"): True}, "so others means nothing"),
        ({("groups", "at-bob", "assistant"): "bop"}, "no assistant is called 'bop'"),
        (
            {("groups", "at-bob", "did"): "+13125550153"},
            "no line with this number leads to bob; allowed: +13125550152",
        ),
        ({("groups", "at-bob", "assistant"): "ada"}, "no line with this number leads to ada"),
        (
            {("assistants", "hands-on", "transfer_to"): "bob"},
            "(an assistant is: name a group with assistant = 'bob')",
        ),
        (
            {("groups", "first", "overflow"): "at-bob"},
            "an assistant takes the calls to at-bob; allowed: a group of people",
        ),
    ],
)
def test_a_number_of_another_assistant_that_cannot_be(changes: Changes, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        deployment("routing", changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({("lines", "right", "overflow"): "bob"}, "overflow: no group rings first"),
        ({("lines", "people-first", "overflow"): "bop"}, "no assistant is called 'bop'"),
        ({("lines", "people-first", "trunk"): None}, "is missing: several trunks"),
    ],
)
def test_an_overflow_to_the_ai_that_cannot_be(changes: Changes, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        deployment("routing", changes)


def test_a_group_may_have_hours() -> None:
    """Its people are called while it is open; out of its hours another group is."""
    shut = {"hours": "sun 03:00-03:01", "closed": "south"}
    found = deployment("routing", {("groups", "north"): NORTH | shut})
    assert "to-people" not in {case.line for case in of(found, "PEOPLE")}
    (people,) = [case for case in of(found, "CLOSED") if case.line == "to-people"]
    assert list(landing_groups(people, found)) == ["south"]
    assert not found.closes_after_menu("shut")
    assert found.closes_after_menu("to-people")
    (transfer,) = [case for case in of(found, "TD-TRANSFER-CLOSED") if case.line == "cold"]
    assert list(answering_groups(transfer, found)) == ["south"]
    assert not [case for case in of(found, "TD-TRANSFER-BLIND") if case.line == "cold"]
    left = {(one.row, one.line): one.why for one in left_out(found)}
    hours = "is closed now (its hours: sun 03:00-03:01)"
    assert left["PEOPLE", "to-people"] == f"to-people {hours}"
    assert left["CLOSED", "late"] == f"groups.north {hours}", "which is the one that takes over"
    assert left["TD-TRANSFER-BLIND", "cold"] == "assistants.cold.transfer: closed now: groups.north"
    assert "phones.north" not in listed(found)
    assert "groups.by-day: it is closed now" in map(str, unverified(found))
    assert why_not_now(transfer, found, NIGHT) is None
    assert why_not_now(people, found, NIGHT) is None
    for case, whose in [(transfer, "groups.north's"), (people, "its")]:
        why = why_not_now(case, found, OPENS)
        assert (
            why
            == f"{whose} hours (sun 03:00-03:01) begin or end now, by whichever clock the platform goes"
        )


def test_an_open_group_of_hours_is_called_as_any_other() -> None:
    open_now = {"hours": "mon-sun 00:00-24:00", "closed": "south"}
    changes = {("groups", "north"): NORTH | open_now, ("groups", "office", "hours"): None}
    found = deployment("routing", changes | {("groups", "office", "closed"): None})
    assert "to-people" in {case.line for case in of(found, "PEOPLE")}
    assert not of(found, "TD-TRANSFER-CLOSED")
    (left,) = [one for one in left_out(found) if one.row == "TD-TRANSFER-CLOSED"]
    assert left.why.startswith("open now: groups.north")
    assert left.not_now


def test_hours_of_a_group_that_nothing_leads_to_are_listed() -> None:
    hours = {"hours": "mon-sun 00:00-24:00", "closed": "north"}
    west = {"did": "+18155550103", "agents": ["west"]}
    assert "groups.west.hours" in listed(deployment("routing", {("groups", "west"): west | hours}))


def with_menu(choices: dict[str, Any]) -> tuple[Deployment, dict[str, Line]]:
    """A deployment with this menu, whose presses are stored as they are, and the menu's lines."""
    line = {"did": "+13125550190", "trunk": "one", "choices": choices}
    found = deployment("routing", {("lines", "menu"): line})
    stored = Deployment.model_validate(to_plain(found))
    presses = [{name: one.press for name, one in each.lines.items()} for each in (found, stored)]
    assert presses[0] == presses[1]
    return found, {name: one for name, one in found.lines.items() if name.startswith("menu ")}


def test_a_menu_may_go_on_by_itself() -> None:
    """Gladly leads a caller who chooses nothing to a default."""
    choices: dict[str, Any] = {
        "1": {"assistant": "ada"},
        "2": {"3": {"group": "north"}, "silence": {"group": "south", "silence_s": 4.0}},
        "silence": {"assistant": "ada", "notice_s": 1.0},
    }
    found, menu = with_menu(choices)
    assert {name: one.menu_waits_s for name, one in menu.items()} == {
        "menu press 1": 0.0,
        "menu press 2.3": 0.0,
        "menu press 2.silence": 4.0,
        "menu press silence": 10.0,
    }
    assert {"menu press 1", "menu press silence"} <= {
        case.line for case in of(found, "TD-OUTBOUND-IVR")
    }
    assert menu["menu press 2.silence"].press == "2silence"


def test_a_menu_may_ask_for_words() -> None:
    """Gladly's menus do, unless they are set up otherwise."""
    choices: dict[str, Any] = {
        "1": {"assistant": "ada"},
        "say-sales": {"group": "north", "say": "hello-en"},
        "say-sales-2": {"group": "south", "say": "goodbye-en"},
        "2": {"say-more": {"assistant": "bob", "say": "how-can-i-help-en"}},
    }
    found, menu = with_menu(choices)
    assert {name: one.say for name, one in menu.items()} == {
        "menu press 1": None,
        "menu press say-sales": "hello-en",
        "menu press say-sales-2": "goodbye-en",
        "menu press 2.say-more": "how-can-i-help-en",
    }
    assert "menu press 2.say-more" in {case.line for case in of(found, "TD-OUTBOUND-IVR")}
    assert menu["menu press 2.say-more"].press == "2say-more"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({("lines", "spoken", "say"): None}, "say: is needed for say-NAME in press"),
        ({("lines", "pressed", "say"): "hello-en"}, "say: is needed for say-NAME in press"),
        ({("lines", "spoken", "say"): "sales"}, "no prompt is called 'sales'"),
        ({("lines", "spoken", "press"): "say-sales.2"}, "one digit to eight"),
        ({("lines", "pressed", "silence_s"): 4.0}, "silence_s: a digit is pressed"),
        ({("lines", "pressed", "press"): "silence.2"}, "press"),
        (
            {
                ("lines", "menu"): {
                    "did": "+13125550190",
                    "trunk": "one",
                    "choices": {"2": {"group": "north"}, "2.silence": {"group": "south"}},
                }
            },
            "2.silence: the caller is at lines.menu.choices.2 with 2",
        ),
    ],
)
def test_a_menu_s_choice_that_cannot_be(changes: Changes, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        deployment("routing", changes)


def test_each_of_several_campaigns_has_a_case() -> None:
    lines = ["right", "led"]
    found = deployment("routing", {("campaign",): {"line": lines}})
    assert [case.line for case in of(found, "TD-OUTBOUND-CAMPAIGN")] == lines
    with pytest.raises(ValueError, match="campaign"):
        deployment("routing", {("campaign",): {"line": ["right", "nowhere"]}})
    with pytest.raises(ValueError, match="extension has no number that customers see"):
        deployment("routing", {("campaign",): {"line": ["right", "extension"]}})
