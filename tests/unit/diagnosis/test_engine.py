"""How rules are held against facts: what fires, what stays possible, what is ruled out, and what is
said of it.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.case.check_table import SYMPTOMS, Symptom
from harness.diagnosis import audio
from harness.diagnosis.catalogue import Condition, Rule, rules_of
from harness.diagnosis.engine import _MOST_NEAREST, infer
from harness.diagnosis.facts import fact_kinds
from harness.diagnosis.result import Cause, Diagnosis
from tests.unit.diagnosis.case import CALLER, Example, dialled, scene_of, talk
from tests.unit.diagnosis.stories import nothing


def when(fact: str, *values: object) -> Condition:
    return Condition(fact, "is", values)


def unless(fact: str, *values: object) -> Condition:
    """The fact is known, and has none of these values."""
    return Condition(fact, "is not", values)


def not_shown(fact: str, *values: object) -> Condition:
    return Condition(fact, "not shown", values)


def rule(
    cause: str, *conditions: Condition, symptoms: tuple[Symptom, ...] = ("reach",), **more: object
) -> Rule:
    contradicted_by = tuple(c for c in conditions if c.how == "not shown")
    fields: dict[str, object] = {
        "id": cause,
        "symptoms": symptoms,
        "when": tuple(c for c in conditions if c not in contradicted_by),
        "unless": contradicted_by,
        "because": "it is so",
    }
    return Rule(cause=cause, **fields | more)  # type: ignore[arg-type]


FITS = when("ai.saw", "nothing")
SPEAKS_AGAINST = when("ai.saw", "answered")
UNKNOWN = when("ai.code", 404)
SURE = rule("route-missing", FITS)


def told(*rules: Rule, example: Example | None = None) -> Diagnosis:
    return (example or dialled().not_taken()).diagnose(rules=rules)


def left_up() -> Example:
    """A call that reached no phone, and did not end."""
    return dialled().not_taken().finding("released", "caller.1", seconds=None)


def named(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    return [(cause.id, cause.confidence) for cause in diagnosis.causes]


def test_a_rule_whose_conditions_all_hold_is_certain() -> None:
    assert named(told(SURE)) == [("route-missing", "certain")]
    assert named(told(rule("route-missing", FITS, confidence="likely"))) == [
        ("route-missing", "likely")
    ]
    assert named(told(rule("route-missing", FITS, SPEAKS_AGAINST))) == []


def test_beside_a_possible_rival_nothing_is_certain() -> None:
    assert named(told(SURE, rule("echo", UNKNOWN))) == [("route-missing", "likely")]
    assert named(told(SURE, rule("echo", SPEAKS_AGAINST))) == [("route-missing", "certain")]
    another_rule = rule("route-missing", UNKNOWN, id="the same cause")
    assert named(told(SURE, another_rule)) == [("route-missing", "certain")]
    of_another = rule("echo", UNKNOWN, symptoms=("audio",))
    assert named(told(SURE, of_another)) == [("route-missing", "certain")]


def test_a_rival_that_is_named_as_possible_leaves_nothing_certain_and_comes_last() -> None:
    rival = rule("echo", FITS, confidence="possible")
    later = rule("hangup-not-taken", FITS, symptoms=("release",))
    assert named(told(rival, SURE, later, example=left_up())) == [
        ("route-missing", "likely"),
        ("hangup-not-taken", "certain"),
        ("echo", "possible"),
    ]
    of_the_same = rule("route-missing", FITS, confidence="possible", id="the same cause")
    assert named(told(SURE, of_the_same)) == [("route-missing", "certain")]


def test_what_is_not_excluded_is_possible() -> None:
    diagnosis = told(rule("route-missing", FITS, UNKNOWN), rule("echo", UNKNOWN))
    assert named(diagnosis) == [("route-missing", "possible"), ("echo", "possible")]
    assert all(cause.candidate for cause in diagnosis.causes)


def test_a_needed_condition_has_to_be_known() -> None:
    assert named(told(rule("route-missing", FITS, needs=(UNKNOWN,)))) == []
    assert named(told(rule("route-missing", UNKNOWN, needs=(FITS,)))) == [
        ("route-missing", "possible")
    ]
    assert named(told(rule("route-missing", FITS, needs=(FITS,)))) == [("route-missing", "certain")]


def test_a_cause_explains_its_consequences() -> None:
    alone = told(SURE, rule("echo", FITS, symptoms=("release",)), example=left_up())
    assert [name for name, _ in named(alone)] == ["route-missing", "echo"]
    with_it = rule("route-missing", FITS, consequences=("release",))
    both = told(with_it, rule("echo", FITS, symptoms=("release",)), example=left_up())
    assert [name for name, _ in named(both)] == ["route-missing"]


def test_a_cause_of_two_symptoms_is_named_once() -> None:
    first = rule("route-missing", FITS, id="first")
    again = rule("route-missing", FITS, id="again", symptoms=("release",))
    assert [cause.rule for cause in told(first, again, example=left_up()).causes] == ["first"]


def test_what_would_settle_it_is_what_most_candidates_wait_for() -> None:
    other, third = when("ai.lost", "it refused"), when("level", "wrong")
    diagnosis = told(
        rule("route-missing", UNKNOWN, other),
        rule("echo", third, other),
        rule("no-g711", UNKNOWN, other),
    )
    assert {cause.separating_observation for cause in diagnosis.causes} == {
        "look at the AI's own record of the call, or put a stand-in in its place"
    }
    alike = told(rule("route-missing", third), rule("echo", third, UNKNOWN))
    assert alike.causes[0].separating_observation == fact_kinds()["ai.code"].observe, (
        "what both wait for tells neither apart"
    )
    only = told(rule("route-missing", third), rule("echo", third))
    assert (
        only.causes[0].separating_observation
        == "measure the level of a known sound at the other end"
    )


def test_of_candidates_those_come_first_for_which_something_speaks() -> None:
    later = rule("echo", UNKNOWN, favours=(SPEAKS_AGAINST, FITS))
    listed = told(
        rule("route-missing", UNKNOWN), rule("no-g711", UNKNOWN, favours=(SPEAKS_AGAINST,)), later
    )
    assert [name for name, _ in named(listed)] == ["echo", "route-missing", "no-g711"]
    sure = told(SURE, rule("echo", FITS, favours=(FITS,)))
    assert [name for name, _ in named(sure)] == ["route-missing", "echo"], (
        "what is shown stays in the order of a call"
    )


def test_a_condition_of_another_kind_settles_it_where_there_is_none_else() -> None:
    diagnosis = told(
        rule("route-missing", unless("level", "wrong")), rule("echo", unless("level", "wrong"))
    )
    assert (
        diagnosis.causes[0].separating_observation
        == "measure the level of a known sound at the other end"
    )
    first = told(rule("route-missing", unless("level", "wrong"), unless("delay", "high"), UNKNOWN))
    assert (
        first.causes[0].separating_observation
        == "look at the AI's own record of the call, or put a stand-in in its place"
    )
    assert told(SURE).causes[0].separating_observation == ""


def test_the_evidence_is_the_finding_and_the_facts_that_hold() -> None:
    (cause,) = told(
        rule("route-missing", FITS, unless("ai.did", "nobody's"), not_shown("level", "wrong"))
    ).causes
    assert cause.evidence == (
        "landing.answered_by of the call: expected promised; seen",
        "what the AI's side saw of the call: nothing (landing.answered_by)",
    )
    assert cause.candidate


@pytest.mark.parametrize(
    ("condition", "quoted"),
    [
        (unless("ai.saw", "answered"), True),
        (when("ai.saw", "nothing"), True),
        (not_shown("ai.saw", "answered"), False),
        (unless("transport", "tls"), True),
        (unless("probe.certificate", "expired"), False),  # none is needed: as it should be
    ],
)
def test_a_fact_that_only_has_to_be_none_of_some_is_evidence_where_it_is_odd(
    condition: Condition, quoted: bool
) -> None:
    (cause,) = told(rule("route-missing", condition)).causes
    assert len(cause.evidence) == 1 + quoted


def test_what_was_ruled_out_says_what_speaks_against_it_or_is_missing() -> None:
    diagnosis = told(
        SURE,
        rule("echo", UNKNOWN, SPEAKS_AGAINST),
        rule("no-g711", UNKNOWN),
        rule("ai-silent", FITS, symptoms=("audio",)),
        rule("ai-silent", SPEAKS_AGAINST, symptoms=("audio",), id="of another symptom"),
    )
    assert [(each.rule, each.why.partition(" – ")[2]) for each in diagnosis.ruled_out] == [
        ("echo", "it is nothing (landing.answered_by)"),
        ("no-g711", "not known"),
    ]


def test_of_an_unknown_failure_the_oddest_facts_come_first() -> None:
    diagnosis = told(rule("route-missing", SPEAKS_AGAINST, when("caller.end", "refused")))
    assert diagnosis.is_unknown
    first, *facts = diagnosis.nearest_facts
    assert first == "landing.answered_by of the call: expected promised; seen"
    assert facts[:2] == [
        "what the AI's side saw of the call: nothing",
        "how the caller's call was set up: still ringing",
    ]
    assert len(facts) <= _MOST_NEAREST
    assert not [fact for fact in facts if fact.startswith(("the platform:", "the trunk's"))]


def test_the_next_look_is_at_what_most_rules_for_it_ask_and_nobody_knows() -> None:
    asks, other = (
        rule("route-missing", SPEAKS_AGAINST, when("level", "wrong")),
        rule("echo", SPEAKS_AGAINST, when("level", "x")),
    )
    third = rule("no-g711", SPEAKS_AGAINST, UNKNOWN)
    assert (
        told(third, asks, other).next_look == "measure the level of a known sound at the other end"
    )
    assert told(rule("echo", SPEAKS_AGAINST)).next_look == ""
    assert told(rule("echo", FITS)).next_look == ""


@given(
    known=st.dictionaries(st.sampled_from(sorted(fact_kinds())), st.integers(0, 20)),
    symptoms=st.lists(st.sampled_from(SYMPTOMS), unique=True, min_size=1),
    integration=st.sampled_from(("talkdesk", "gladly", "")),
)
def test_any_facts_have_an_answer(
    known: dict[str, int], symptoms: list[Symptom], integration: str
) -> None:
    scene = scene_of(dialled().not_taken())
    scene.facts.clear()
    for name, drawn in known.items():
        values = (*fact_kinds()[name].values, *((404, 503) if fact_kinds()[name].status else ()))
        scene.record(name, values[drawn % len(values)])
    found = infer(
        scene, rules_of(integration), integration, dict.fromkeys(symptoms, scene.findings)
    )
    assert found.headline
    assert Diagnosis.from_plain(json.loads(json.dumps(found.to_plain()))) == found


def test_a_diagnosis_that_fails_says_so_and_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(scene: object) -> None:
        raise KeyError("no such thing")

    monkeypatch.setattr(audio, "derive", fail)
    diagnosis = dialled().not_taken().diagnose()
    assert diagnosis.is_unknown
    assert (
        "the diagnosis itself failed, which is a fault of the harness (KeyError: 'no such thing'"
        in diagnosis.headline
    )


def test_without_any_failure_nothing_is_told() -> None:
    assert told(SURE, example=dialled().taken()) == Diagnosis()


def test_it_is_about_the_parts_of_the_deployment() -> None:
    (cause,) = told(SURE).causes
    assert cause.about == {"line": "inbound", "trunk": "udp-ip"}
    example = dialled().not_taken().landed("customer").landed("reception").landed("billing")
    assert told(SURE, example=example).causes[0].about["group"] == "reception"


# -- whose facts explain a finding


def test_a_finding_is_explained_by_its_own_leg_and_the_agent_is_named() -> None:
    example = dialled(row="PEOPLE", line="people").rings("billing").rings("reception").answered()
    example.landed("reception", "reception").caller_id("billing.1", CALLER, passed=True)
    diagnosis = example.caller_id("reception.1", "+13125550100").diagnose()
    assert [cause.about["agent"] for cause in diagnosis.causes] == ["reception"]
    shown = [
        fact for fact in diagnosis.facts if fact.startswith("the caller's number at the agent")
    ]
    assert [fact.partition(" (")[0].rpartition(": ")[2] for fact in shown] == [
        "right",
        "a number of the deployment's own",
    ]
    both = example.caller_id("support.1", "+13125550100").diagnose()
    assert [cause.about["agent"] for cause in both.causes] == ["reception and support"]


def test_another_call_s_facts_are_unknown_to_a_finding() -> None:
    example = talk(ai="stand-in").dials_too("caller-2").both_hear()
    example.caller_id("stand-in.1", CALLER, passed=True)
    heard, silent = ("caller-2.1", "stand-in.2"), ("stand-in.2", "caller-2.1")
    example._direction(*heard, "heard", 0)._direction(*silent, "no-rtp", 0)
    scene = scene_of(example)
    first, last = (
        scene.facts_of(finding) for finding in (example.findings[2], example.findings[-1])
    )
    assert [facts.value("audio.to_caller") for facts in (scene.facts, first, last)] == [
        "nothing",
        "heard",
        "nothing",
    ]
    assert [facts.value("caller.end") for facts in (scene.facts, first, last)] == [
        "answered",
        "answered",
        None,
    ]
    assert [facts.value("caller_id.ai") for facts in (scene.facts, first, last)] == [
        "right",
        "right",
        None,
    ]


# -- what a diagnosis says


def cause(
    name: str = "echo", confidence: str = "certain", settles: str = "", **more: object
) -> Cause:
    fields: dict[str, object] = {"candidate": False, **more}
    return Cause(
        name,
        f"it is {name}",
        f"{name} issue",
        "",
        "",
        "trunk",
        confidence,  # type: ignore[arg-type]
        (),
        settles,
        **fields,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("confidence", "hedge"), [("certain", ""), ("likely", "probably "), ("possible", "possibly ")]
)
def test_the_headline_hedges(confidence: str, hedge: str) -> None:
    assert Diagnosis((cause(confidence=confidence),)).headline == f"echo issue: {hedge}it is echo"
    assert Diagnosis().headline == ""


def test_candidates_are_those_that_the_same_observation_settles() -> None:
    first, second = (
        cause("a", "possible", "look", candidate=True),
        cause("b", "possible", "look", candidate=True),
    )
    other, sure = cause("c", "possible", "listen", candidate=True), cause("d", settles="look")
    assert Diagnosis((first, second, other, sure)).candidates == (first, second)
    assert Diagnosis((sure, first, second)).candidates == ()
    assert Diagnosis((first,)).headline == "a issue: possibly it is a"
    assert Diagnosis((first, second)).headline == "a issue / b issue: one of 2: it is a; or it is b"
    assert Diagnosis((sure, first)).headline == "d issue: it is d"


def test_the_first_cause_has_the_headline_and_the_others_their_own_line() -> None:
    plain = Diagnosis((cause("a", "likely"), cause("b", "likely"))).to_plain()["causes"]
    assert [each["cause"] for each in plain] == ["a issue: probably it is a", "b issue: it is b"]


def test_the_plain_form_is_json_and_comes_back() -> None:
    for example in (
        nothing(Example(transport="tcp")).all_ports_answer(),
        dialled().taken().finding("prack", "caller.1"),
    ):
        diagnosis = example.diagnose()
        assert Diagnosis.from_plain(json.loads(json.dumps(diagnosis.to_plain()))) == diagnosis


def test_an_unknown_failure_stands_in_place_of_causes() -> None:
    diagnosis = talk().both_hear().finding("prack", "x").diagnose()
    assert diagnosis.headline == "No documented cause fits: prack of x: expected promised; seen"
    (plain,) = diagnosis.to_plain()["causes"]
    assert plain == {"id": "unknown", "cause": diagnosis.headline, "settles": diagnosis.next_look}


def test_events_after_the_last_finding_are_due_to_the_harness_hanging_up() -> None:
    """Its own agents decline what still rings when a case is over."""
    example = (
        dialled(transport="tcp")
        .after(0.1)
        .rings("reception")
        .after(4)
        .not_taken("the phone reception")
    )
    diagnosis = (
        example.all_ports_answer().after(0.2).state("disconnected", 603, "Decline").diagnose()
    )
    assert (
        "how the caller's call was set up: still ringing (caller.1 was never answered)"
        in diagnosis.facts
    )
