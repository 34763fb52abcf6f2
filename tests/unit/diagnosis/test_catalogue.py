"""The tables of causes and rules: how they are read, and that a mistake in one is a line that says
where and what.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import integrations
from harness.diagnosis.catalogue import (
    Catalogue,
    Condition,
    TableError,
    catalogue,
    cause_text,
    causes,
    read,
    rules_of,
)
from harness.diagnosis.facts import Facts, fact_kinds
from harness.diagnosis.facts import table as vocabulary
from tools.site.stage import stage

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
    (rule,) = read({"t.toml": table(**changes)}).rules
    return rule


def mistake_in(content: dict[str, Any]) -> str:
    with pytest.raises(TableError) as raised:
        read({"t.toml": content})
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
        read({"t.toml": table(), "u.toml": {"rule": table()["rule"]}})


# -- an integration's own table


def own(**tables: Any) -> Catalogue:
    """The catalogue of an integration with these tables, beside one shared cause and rule."""
    return read({"acme.toml": tables}, read({"t.toml": table()}))


def renamed(content: dict[str, Any]) -> dict[str, Any]:
    """The table with a cause and a rule of another name."""
    rule = content["rule"]["r"] | {"cause": "ticket"}
    return {"cause": {"ticket": content["cause"]["broken"]}, "rule": {"ticket.rule": rule}}


def test_an_integrations_own_causes_and_rules_stand_behind_the_shared_ones() -> None:
    found = own(**renamed(table()))
    assert list(found.causes) == ["broken", "ticket"]
    assert [rule.id for rule in found.rules] == ["r", "ticket.rule"]
    assert rules_of("genesys") == rules_of("")
    assert set(rules_of("")) < set(rules_of("gladly"))


@pytest.mark.parametrize(
    ("code", "evidence", "title", "fix"),
    [
        (
            302,
            ("caller.1: 302 Moved Temporarily", "Contact: <sip:x@x.example>"),
            ": 302 Moved Temporarily; Contact: <sip:x@x.example>",
            "the address of its Contact",
        ),
        (482, ("caller.1: 482 Loop Detected",), ": 482 Loop Detected", "leads back"),
        (483, ("caller.1: 483",), ": 483", "leads back"),
        (699, ("caller.1: 699 Odd",), ": 699 Odd", "the caller's carrier refused it."),
    ],
)
def test_title_and_fix_say_the_status(
    code: int, evidence: tuple[str, ...], title: str, fix: str
) -> None:
    facts = Facts()
    facts.record("final.code", code, *evidence)
    said = cause_text("platform-refuses-caller", "talkdesk", facts)
    assert said["title"].endswith(title)
    assert fix in said["fix"]
    entry = causes()["platform-refuses-caller"]
    others = [text.format(platform="Talkdesk") for text in entry.fix_of.values()]
    assert sum(other in said["fix"] for other in others) == (code != 699)


def test_an_integration_has_a_fix_text_of_its_own_for_a_shared_cause() -> None:
    found = own(fix={"broken": "Mend {platform}."})
    assert found.causes["broken"].fix == "Mend {platform}."
    gladly, generic = (
        cause_text("transfer-topic-wrong", name)["fix"] for name in ("gladly", "generic")
    )
    assert "X-Gladly-Routing-Selector" in gladly
    assert "Gladly" not in generic


def test_a_cause_links_to_the_section_that_the_integration_names() -> None:
    gladly, generic, unknown = (
        cause_text("group-wrong", name)["link"] for name in ("gladly", "generic", "genesys")
    )
    assert gladly.endswith("#configure-transfer-back-to-gladly-ai--live-agent")
    assert generic == integrations.find("generic").guide
    assert unknown == ""


@pytest.mark.parametrize(
    ("tables", "mistake"),
    [
        ({"fix": {"brokn": "f"}}, "fix brokn: no cause 'brokn'; did you mean 'broken'?"),
        ({"fix": {"broken": "{ticket}"}}, "fix broken: '{ticket}': 'ticket'; allowed: {platform}"),
        ({"fix": {"broken": 3}}, 'fix: allowed: NAME = "…" in each line of [fix]'),
        ({"fix": "f"}, 'fix: allowed: NAME = "…" in each line of [fix]'),
        (
            {"sections": {"trunks": "s"}},
            "sections: no topic 'trunks'; did you mean 'trunk'?",
        ),
        (table(), "cause broken: there is another of this name"),
        (
            renamed(table(cause={"guide": "tickets"})),
            "cause ticket: no guide 'tickets'",
        ),
        (renamed(table(cause={"title": 3})), "cause ticket: title is of another kind: 3"),
    ],
)
def test_a_mistake_in_an_integrations_table_is_one_line(
    tables: dict[str, Any], mistake: str
) -> None:
    with pytest.raises(TableError) as raised:
        own(**tables)
    assert str(raised.value).startswith(f"acme.toml: {mistake}")


def test_a_cause_of_an_integration_has_a_topic_of_its_own() -> None:
    content = renamed(table(cause={"guide": "tickets"}))
    assert own(**content, sections={"tickets": "t"}).sections == {"tickets": "t"}


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("fix", "Expected '=' after a key"),
        ("[fixes]", "no table 'fixes'; did you mean 'fix'?"),
        ("cause = 3", "cause: allowed: [cause.NAME]"),
        ("[rule]\nr = 3", "rule: allowed: [rule.NAME]"),
        (None, "No such file"),
    ],
)
def test_an_integrations_file_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, mistake: str
) -> None:
    file = tmp_path / "acme.toml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    acme = replace(integrations.find("generic"), name="acme", diagnosis=file)
    monkeypatch.setattr(integrations, "find", lambda name: acme)
    with pytest.raises(TableError) as raised:
        catalogue.__wrapped__("acme")
    assert str(raised.value).startswith(f"{file}: ")
    assert mistake in str(raised.value)


@pytest.mark.parametrize("name", ["talkdesk", "gladly"])
def test_each_topic_has_a_section_in_a_shipped_guide(name: str) -> None:
    assert set(catalogue(name).sections) == set(vocabulary("vocabulary")["guide"]["topics"])


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


def test_the_published_page_has_the_causes_of_the_tables(tmp_path: Path) -> None:
    stage(tmp_path / "pages")
    page = (tmp_path / "pages" / "diagnosis.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([\w-]+)` \| (.+?) \|", page, re.MULTILINE)
    assert dict(listed) == {name: cause.title for name, cause in causes().items()}


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


def test_a_platform_without_a_name_is_called_the_sbc() -> None:
    fix = cause_text("ai-hangup-not-passed-on", "generic")["fix"]
    assert fix.startswith("Have the SBC end the caller's leg")
