"""The tables of causes and rules: how they are read, and that a mistake in one is a line that says
where and what.
"""

from __future__ import annotations

from typing import Any

import pytest

from harness import integrations
from harness.diagnosis.catalogue import Condition, TableError, causes, read, rules_of
from harness.diagnosis.facts import Facts, fact_kinds
from tools.diagnosis import PAGE, renewed

GUIDE_ISSUES = {
    "Registration fails",
    "Calls not reaching Synthflow",
    "One-way or no audio",
    "Caller ID missing",
    "Transfer fails",
    "Fallback",
    "Hang-up",
    "Gladly",
    "DTMF",
    "Slow or inattentive agent",
}


def table(**changes: Any) -> dict[str, Any]:
    """A table of one cause with one rule, which ``changes`` alters."""
    cause = {"title": "t", "issue": "Transfer fails", "owner": "trunk", "fix": "f"}
    rule = {
        "cause": "broken",
        "symptoms": ["transfer"],
        "needs": ["transfer.landed = nowhere"],
        "because": "b",
    }
    return {"cause": {"broken": cause | changes.pop("cause", {})}, "rule": {"r": rule | changes}}


def rule_of(**changes: Any) -> Any:
    (rule,) = read({"t": table(**changes)}).rules[""]
    return rule


def mistake_in(content: dict[str, Any]) -> str:
    with pytest.raises(TableError) as raised:
        read({"t": content})
    return str(raised.value)


def test_a_condition_reads_as_it_is_written() -> None:
    rule = rule_of(
        needs=["transfer.landed = nowhere | another group"],
        when=["transfer.answer != 403 | 404", "agent.cut = yes"],
        unless=["transfer.handover = another one", "transfer.mode != as declared"],
    )
    assert rule.needs == (Condition("transfer.landed", "is", ("nowhere", "another group")),)
    assert rule.when == (
        Condition("transfer.answer", "is not", (403, 404)),
        Condition("agent.cut", "is", (True,)),
    )
    handover = Condition("transfer.handover", "not shown", ("another one",))
    assert rule.unless == (handover, Condition("transfer.mode", "not shown", ("not as declared",)))


def test_named_lists_stand_for_their_values_and_shared_conditions_are_added() -> None:
    shared = {"with": ["media undisturbed"]}
    rule = rule_of(
        **shared, needs=["transfer.answer = $no such number"], unless=["agent.cut = yes"]
    )
    assert rule.needs[0].values == (404, 410, 484, 485, 604)
    assert [c.fact for c in rule.when] == ["audio.stopped"]
    assert [c.fact for c in rule.unless] == ["call.cut", "sdp.hold", "caller.held", "agent.cut"]


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        (
            {"needs": ["transfer.lands = nowhere"]},
            "no fact 'transfer.lands'; did you mean 'transfer.landed'?",
        ),
        (
            {"needs": ["transfer.landed = nowere"]},
            "no value of transfer.landed 'nowere'; did you mean 'nowhere'?",
        ),
        (
            {"needs": ["transfer.landed: nowhere"]},
            "'transfer.landed: nowhere' does not read 'FACT = VALUE' or 'FACT != VALUE'",
        ),
        ({"needs": ["agent.cut = 404"]}, "no value of agent.cut '404'"),
        (
            {"needs": ["transfer.answer = $no such"]},
            "no list of values 'no such'; did you mean 'no such number'?",
        ),
        ({"symptoms": ["transfers"]}, "no symptom 'transfers'; did you mean 'transfer'?"),
        (
            {"consequences": ["$after transfer"]},
            "no list of symptoms 'after transfer'; did you mean 'after a transfer'?",
        ),
        (
            {"with": ["media disturbed"]},
            "no shared conditions 'media disturbed'; did you mean 'media undisturbed'?",
        ),
        ({"confidence": "sure"}, "no confidence 'sure'"),
        ({"vary": "transport"}, "no list to vary by 'transport'; did you mean 'transports'?"),
        ({"owner": "nobody"}, "no owner 'nobody'"),
        ({"cause": {"owner": "the trunk"}}, "no owner 'the trunk'; did you mean 'trunk'?"),
        ({"cause": {"guide": "trunks"}}, "no guide 'trunks'; did you mean 'trunk'?"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(changes: dict[str, Any], mistake: str) -> None:
    assert (
        mistake_in(table(**changes))
        == f"t.toml: {'cause broken' if 'cause' in changes else 'rule r'}: {mistake}"
    )


def test_unknown_and_missing_keys_name_the_key() -> None:
    assert "'unles'" in mistake_in(table(unles=[]))
    incomplete = table()
    del incomplete["rule"]["r"]["because"]
    assert "t.toml: rule r: " in mistake_in(incomplete)
    assert "'because'" in mistake_in(incomplete)


def test_rules_and_causes_belong_together() -> None:
    unnamed = table()
    unnamed["cause"]["idle"] = unnamed["cause"]["broken"]
    assert mistake_in(unnamed) == "cause idle: no rule names it"
    assert mistake_in({"rule": table()["rule"]}) == "rule r: no cause 'broken'"
    with pytest.raises(TableError, match="rule r: there is another of this name"):
        read({"t": table(), "u": {"rule": table()["rule"]}})


def test_an_integrations_table_applies_to_it_alone() -> None:
    own = {"integration": "gladly", "rule": {"own": table()["rule"]["r"]}}
    rules = read({"common": table(), "own": own}).rules
    assert [rule.id for rule in rules[""]] == ["r"]
    assert [rule.id for rule in rules["gladly"]] == ["own"]
    assert rules_of("genesys") == rules_of("")


def test_a_rule_asks_for_each_fact() -> None:
    rules = [rule for name in integrations.names() for rule in rules_of(name)]
    asked = {condition.fact for rule in rules for condition in (*rule.conditions, *rule.favours)}
    # of a family over roles (rtp.caller, rtp.agent), for one role at least
    families = {
        name: {other for other in fact_kinds() if other.split(".")[0] == name}
        for name in ("rtp", "sent", "refusal")
    }
    asked |= {fact for family in families.values() if family & asked for fact in family}
    assert set(fact_kinds()) == asked


@pytest.mark.parametrize("name", list(causes()))
def test_each_cause_has_an_issue_and_a_section_in_the_guides(name: str) -> None:
    cause = causes()[name]
    assert cause.issue in GUIDE_ISSUES
    assert cause.guide or cause.issue == "Hang-up"  # about which the guides have no section
    assert "{platform}" not in cause.fix.format(platform="Talkdesk")


def test_the_page_has_the_causes_of_the_tables() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert renewed(page) == page, "make diagnosis-page"


def test_a_condition_holds_fails_or_is_unknown() -> None:
    facts = Facts()
    facts.record("ai.saw", "nothing", "the record")
    assert Condition("ai.saw", "is", ("nothing", "rang")).holds(facts) is True
    assert Condition("ai.saw", "is", ("rang",)).holds(facts) is False
    assert Condition("ai.saw", "is not", ("nothing",)).holds(facts) is False
    assert Condition("ai.code", "is", (404,)).holds(facts) is None
    assert Condition("ai.code", "is not", (404,)).holds(facts) is None
    assert Condition("ai.code", "not shown", (404,)).holds(facts) is True
    shown = Condition("ai.saw", "is", ("rang",)).answered(facts)
    assert shown == "what the AI's side saw of the call: rang – it is nothing (the record)"
    assert (
        Condition("ai.code", "is not", (404,)).answered(facts)
        == "the AI's final response: not 404 – not known"
    )


def test_the_first_value_of_a_fact_stands_and_one_that_is_not_declared_remains_unknown() -> None:
    facts = Facts()
    for value in (None, "heavy", "little"):
        facts.record("loss", value)
    assert facts.value("loss") == "heavy"
    facts.record("los", "heavy")
    assert facts.value("los") is None
