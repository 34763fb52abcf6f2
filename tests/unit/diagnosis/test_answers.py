"""What a diagnosis says: headlines, lists, unknown failures, several causes, and its plain form."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness.calls.measurement import Direction
from harness.calls.verdict import Strength, Verdict
from harness.diagnosis import Diagnosis
from harness.diagnosis.catalogue import rules_of
from harness.diagnosis.facts import Facts
from tests.unit.diagnosis.building import Example, not_shown, unless, when
from tests.unit.diagnosis.told_examples import UNALLOCATED, refused_by_platform


def _unreached() -> Example:
    """The platform's agents rang at once, the ports answer, and nothing came to the AI."""
    example = Example(transport="tcp").dials().after(0.1).rings("reception").after(4).gives_up()
    return example.all_ports_answer().not_taken("the phone reception")


def test_the_headline_is_the_guides_issue_and_the_cause() -> None:
    example = Example().dials().ai_gets().answered().taken().caller_id("assistant main", "anonymous", anonymous=True)
    assert example.diagnose().headline == "Caller ID missing: the platform sends the AI an anonymous From"


def test_a_list_says_that_it_is_one_and_what_would_settle_it() -> None:
    diagnosis = _unreached().diagnose()
    assert diagnosis.headline.startswith(
        "Calls not reaching Synthflow / Registration fails: one of 4: the number has no"
    )
    assert len(diagnosis.candidates) == 4
    assert {cause.confidence for cause in diagnosis.candidates} == {"possible"}
    assert {c.separating_observation for c in diagnosis.candidates} == {"look at the platform's call log for this call"}


def test_an_unknown_failure_is_not_guessed_at() -> None:
    example = Example().dials().ai_gets().answered().taken().to_ai().to_caller().finding("prack", "caller.1")
    diagnosis = example.diagnose()
    assert diagnosis.is_unknown
    assert diagnosis.causes == ()
    assert diagnosis.headline == "No documented cause fits: prack of caller.1: expected promised; seen"
    assert diagnosis.nearest_facts[0] == "prack of caller.1: expected promised; seen"
    assert len(diagnosis.nearest_facts) == 9
    (plain,) = diagnosis.to_plain()["causes"]
    assert plain["id"] == "unknown"
    assert plain["cause"] == diagnosis.headline
    assert plain["settles"] == diagnosis.next_look
    assert diagnosis.next_look.startswith("look at the AI's own record of the call")


def test_two_faults_are_both_named_in_the_order_of_a_call() -> None:
    example = Example().dials().ai_gets(address="10.0.0.10").answered().taken().to_ai("no-rtp").to_caller("no-rtp")
    example.caller_id("assistant main", "4155550101")
    assert [cause.id for cause in example.diagnose().causes] == ["sdp-private-address", "from-national"]


def test_what_was_ruled_out_says_why() -> None:
    example = Example().dials().ai_gets(offer="no G.711").ai_answers(488).after(0.1).rings("reception").gives_up()
    ruled_out = {rule.rule: rule.why for rule in example.not_taken("the phone reception").diagnose().ruled_out}
    assert ruled_out["reach.srtp"].startswith("the media offered to the AI: SRTP alone – it is no G.711 (message 1 of")
    assert "reach.no-g711" not in ruled_out


def test_the_plain_form_is_json_and_comes_back() -> None:
    for example in (_unreached(), Example().dials().taken().finding("prack", "caller.1")):
        diagnosis = example.diagnose()
        plain = json.loads(json.dumps(diagnosis.to_plain()))
        assert Diagnosis.from_plain(plain) == diagnosis


def test_conditions_answer_yes_no_or_not_known() -> None:
    facts = Facts()
    facts.record("ai.saw", "nothing", "the record")
    assert when("ai.saw", "nothing", "rang").holds(facts) is True
    assert when("ai.saw", "rang").holds(facts) is False
    assert unless("ai.saw", "nothing").holds(facts) is False
    assert when("ai.code", 404).holds(facts) is None
    assert unless("ai.code", 404).holds(facts) is None
    assert not_shown("ai.code", 404).holds(facts) is True
    assert (
        when("ai.saw", "rang").answered(facts)
        == "what the AI's side saw of the call: rang – it is nothing (the record)"
    )
    assert unless("ai.code", 404).answered(facts) == "the AI's final response: not 404 – not known"


def test_facts_are_told_once_and_have_to_be_known_kinds() -> None:
    facts = Facts()
    facts.record("loss", None)
    assert "loss" not in facts
    facts.record("loss", "heavy")
    facts.record("loss", "little")
    assert facts.value("loss") == "heavy"
    with pytest.raises(KeyError, match="is no known fact"):
        facts.record("los", "heavy")


def test_what_the_harness_brings_about_by_hanging_up_is_no_evidence() -> None:
    """Its own agents decline what still rings when a case is over."""
    example = Example(transport="tcp").dials().after(0.1).rings("reception").after(4).not_taken("the phone reception")
    example.all_ports_answer().after(0.2).state("disconnected", 603, "Decline")
    diagnosis = example.diagnose()
    assert "how the caller's call was set up: still ringing (caller.1 was never answered)" in diagnosis.facts
    assert {cause.id for cause in diagnosis.candidates} == {cause.id for cause in _unreached().diagnose().candidates}


def test_what_a_transfer_came_to_when_the_case_had_given_up_is_no_outcome() -> None:
    example = Example(row="TD-TRANSFER-BLIND", ai="stand-in").dials().ai_gets().answered().taken().to_ai().to_caller()
    example.ai_refers("+18155550101").platform_says(202).after(4).landed("billing")
    diagnosis = example.after(0.1).notified(487, "Request Terminated").refer_ended(487, "Request Terminated").diagnose()
    assert [c.id for c in diagnosis.causes] == ["refer-never-notified"]


def test_a_cause_is_certain_only_where_no_other_is_possible() -> None:
    """The caller was told, before the AI was asked, that the number is nobody's; a route to another host's trunk may answer so too."""
    example = refused_by_platform(503, "Service Unavailable", f"Reason: {UNALLOCATED}")
    assert [(c.id, c.confidence) for c in example.diagnose().causes] == [("number-unknown-at-platform", "likely")]
    alone = [rule for rule in rules_of("talkdesk") if rule.cause == "number-unknown-at-platform"]
    assert [c.confidence for c in example.diagnose(rules=alone).causes] == ["certain"]


@pytest.mark.parametrize("packets", [1, 10, 24])
def test_a_few_packets_are_no_evidence_of_silence(packets: int) -> None:
    talk = Example().dials().ai_gets().answered().taken().codec("caller.1", "PCMU").record(witness={"codec": "PCMU"})
    diagnosis = talk.to_ai().to_caller("silence", packets).diagnose()
    assert [cause.id for cause in diagnosis.causes] == ["rtp-blocked-to-caller"]


@pytest.mark.parametrize(
    ("strength", "denied_by", "told"),
    [
        (Strength.UNKNOWN, "", False),  # nobody can tell what the AI hears
        (Strength.INDICATED, "", True),  # not as strongly as it was asked for
        (Strength.INDICATED, "words", False),
    ],
)
def test_what_nobody_can_tell_is_not_heard(strength: Strength, denied_by: str, told: bool) -> None:
    """Then the way may be blocked both ways, or one way only."""
    talk = (
        Example().dials().ai_gets().answered().taken().codec("caller.1", "PCMU").to_ai().to_caller("no-rtp").counted()
    )
    seen = talk.findings[-2]
    assert isinstance(seen.measured, Direction)
    measured = replace(seen.measured, denied_by=denied_by)
    talk.findings[-2] = replace(seen, verdict=Verdict.NOT_OBSERVABLE, strength=strength, measured=measured)
    diagnosis = talk.record(status="completed", transcript="bot: Hi.", witness={"codec": "PCMU"}).diagnose()
    assert "rtp-blocked-to-caller" in {cause.id for cause in diagnosis.causes}
    assert ("rtp-blocked-both" in {cause.id for cause in diagnosis.causes}) is not told
