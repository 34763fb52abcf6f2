"""The tables of causes and rules: what they hold, how they read, and that a mistake in one is a line that helps."""

from __future__ import annotations

from typing import Any

import pytest

from harness import integrations
from harness.diagnosis.catalogue import TableError, causes, read, rules_of
from harness.diagnosis.rule import Condition
from harness.diagnosis.vocabulary import fact_kinds
from tools.diagnosis import PAGE, renewed

GUIDE_ISSUES = {
    "Registration fails",
    "Calls not reaching Synthflow",
    "One-way or no audio",
    "Caller ID missing",
    "Transfer fails",
    "Fallback",
    "Gladly",
    "DTMF",
    "Slow or inattentive agent",
}


def table(**changes: Any) -> dict[str, Any]:
    """A table of one cause with one rule, which ``changes`` alters."""
    cause = {"title": "t", "issue": "Transfer fails", "owner": "trunk", "fix": "f"}
    rule = {"cause": "broken", "symptoms": ["transfer"], "needs": ["transfer.landed = nowhere"], "because": "b"}
    return {"cause": {"broken": cause | changes.pop("cause", {})}, "rule": {"r": rule | changes}}


def rule_of(**changes: Any) -> Any:
    (rule,) = read({"t": table(**changes)}).rules[""]
    return rule


def test_a_condition_reads_as_it_is_written() -> None:
    rule = rule_of(
        needs=["transfer.landed = nowhere | another group"],
        when=["transfer.answer != 403 | 404", "agent.cut = yes"],
        unless=["transfer.handover = another one"],
    )
    assert rule.needs == (Condition("transfer.landed", "is", ("nowhere", "another group")),)
    assert rule.when == (Condition("transfer.answer", "is not", (403, 404)), Condition("agent.cut", "is", (True,)))
    assert rule.unless == (Condition("transfer.handover", "not shown", ("another one",)),)


def test_unless_with_a_negation_means_every_other_value() -> None:
    (condition,) = rule_of(unless=["transfer.landed != nowhere"]).unless
    assert condition.how == "not shown"
    assert set(condition.values) == set(fact_kinds()["transfer.landed"].values) - {"nowhere"}


def test_a_named_list_stands_for_its_values() -> None:
    (condition,) = rule_of(needs=["transfer.answer = $no such number"]).needs
    assert condition.values == (404, 410, 484, 485, 604)


def test_shared_conditions_are_added_to_those_of_the_rule() -> None:
    rule = rule_of(**{"with": ["media undisturbed"]}, unless=["agent.cut = yes"])
    assert [c.fact for c in rule.when] == ["audio.stopped"]
    assert [c.fact for c in rule.unless] == ["call.cut", "sdp.hold", "caller.held", "agent.cut"]


def test_a_varied_entry_stands_once_for_each_row_of_its_list() -> None:
    named = {name for name in read_all() if name.startswith("firewall-")}
    assert named == {
        f"firewall-{way}{end}" for way in ("udp-32681", "tcp-32681", "tls-32682") for end in ("", "-rejected")
    }
    assert "UDP" in causes()["firewall-udp-32681"].title


def read_all() -> list[str]:
    return list(causes())


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        ({"needs": ["transfer.lands = nowhere"]}, "no fact 'transfer.lands'; did you mean 'transfer.landed'?"),
        ({"needs": ["transfer.landed = nowere"]}, "no value of transfer.landed 'nowere'; did you mean 'nowhere'?"),
        (
            {"needs": ["transfer.landed: nowhere"]},
            "'transfer.landed: nowhere' does not read 'FACT = VALUE' or 'FACT != VALUE'",
        ),
        ({"needs": ["agent.cut = 404"]}, "no value of agent.cut '404'"),
        (
            {"needs": ["transfer.answer = $no such numbers"]},
            "no list of values 'no such numbers'; did you mean 'no such number'?",
        ),
        ({"symptoms": ["transfers"]}, "no symptom 'transfers'; did you mean 'transfer'?"),
        (
            {"consequences": ["$after a transfr"]},
            "no list of symptoms 'after a transfr'; did you mean 'after a transfer'?",
        ),
        ({"with": ["media disturbed"]}, "no shared conditions 'media disturbed'; did you mean 'media undisturbed'?"),
        ({"confidence": "sure"}, "no confidence 'sure'"),
        ({"vary": "transport"}, "no list to vary by 'transport'; did you mean 'transports'?"),
        ({"cause": {"vary": "nothing like it"}}, "no list to vary by 'nothing like it'"),
        ({"owner": "nobody"}, "no owner 'nobody'"),
        ({"unles": []}, "no key 'unles'; did you mean 'unless'?"),
        ({"cause": {"owner": "the trunk"}}, "no owner 'the trunk'; did you mean 'trunk'?"),
        ({"cause": {"guide": "trunks"}}, "no guide 'trunks'; did you mean 'trunk'?"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(changes: dict[str, Any], mistake: str) -> None:
    with pytest.raises(TableError) as raised:
        read({"t": table(**changes)})
    assert str(raised.value).splitlines() == [
        f"t.toml: {'cause broken' if 'cause' in changes else 'rule r'}: {mistake}"
    ]


def test_a_missing_key_and_a_cause_without_a_rule_are_mistakes() -> None:
    one = table()
    del one["rule"]["r"]["because"]
    one["cause"]["idle"] = one["cause"]["broken"]
    with pytest.raises(TableError) as raised:
        read({"t": one})
    assert str(raised.value).splitlines() == ["t.toml: rule r: because is missing", "cause idle: no rule names it"]


def test_a_rule_of_an_unknown_cause_is_a_mistake() -> None:
    one = table()
    one["rule"]["r"]["cause"] = "brokn"
    with pytest.raises(TableError, match="rule r: no cause 'brokn'; did you mean 'broken'\\?"):
        read({"t": one})


def test_an_integrations_table_applies_to_it_alone() -> None:
    common, own = table(), table()
    own["integration"] = "gladly"
    own["cause"] = {}
    own["rule"] = {"own": own["rule"]["r"]}
    rules = read({"common": common, "own": own}).rules
    assert [rule.id for rule in rules[""]] == ["r"]
    assert [rule.id for rule in rules["gladly"]] == ["own"]
    assert rules_of("genesys") == rules_of("")


def test_each_fact_is_asked_for_by_a_rule_or_read_by_the_symptoms() -> None:
    rules = [rule for name in integrations.names() for rule in rules_of(name)]
    asked = {condition.fact for rule in rules for condition in (*rule.conditions, *rule.favours)}
    assert set(fact_kinds()) - asked <= {"caller.end"}


@pytest.mark.parametrize("name", read_all())
def test_each_cause_has_an_issue_and_a_section_in_the_guides(name: str) -> None:
    cause = causes()[name]
    assert cause.issue in GUIDE_ISSUES
    assert cause.sections
    assert "{platform}" not in cause.fix.format(platform="Talkdesk")


def test_the_page_has_the_causes_of_the_tables() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert renewed(page) == page, "make diagnosis-page"
