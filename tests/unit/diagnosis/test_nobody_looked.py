"""What nobody could look at is no evidence, and what a harness phone could not send is not the AI's silence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.calls.verdict import Verdict
from harness.diagnosis import diagnose
from harness.diagnosis.caller_end import DROPPED
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.stories import GROUP, lost, talk, transfer


def _instead(*, unseen: bool) -> Example:
    example = Example().dials().after(0.1).rings("reception").all_ports_answer()
    answered = ["the phone reception"]
    return example.finding("landing.answered_by", "the call", answered=answered, wanted="main", unseen=unseen)


@pytest.mark.parametrize(("unseen", "listed"), [(True, True), (False, False)])
def test_where_nobody_saw_the_ai_it_may_have_refused_the_call(unseen: bool, listed: bool) -> None:
    causes = {cause.id for cause in _instead(unseen=unseen).diagnose().candidates}
    assert {"route-missing", "trunk-transport-mismatch"} <= causes
    assert ({"no-g711", "assistant-not-attached"} <= causes) is listed


def test_a_number_refused_by_404_is_unknown_only_where_the_ai_was_seen_to_get_nothing() -> None:
    def confidence(*, unseen: bool) -> str:
        example = Example().dials().after(0.1).state("disconnected", 404, "Not Found")
        example.finding("landing.answered_by", "the call", answered=[], wanted="main", unseen=unseen)
        causes = {cause.id: cause for cause in example.diagnose().causes}
        return causes["number-unknown-at-platform"].confidence

    assert confidence(unseen=False) == "likely"
    assert confidence(unseen=True) == "possible"


def test_a_private_address_is_why_a_stand_in_could_send_nothing() -> None:
    example = talk(Example(ai="stand-in"), address="10.1.2.3").counted("stand-in.1", received=0)
    assert [cause.id for cause in example.to_ai("no-rtp").to_caller("no-rtp").diagnose().causes] == [
        "sdp-private-address"
    ]


@pytest.mark.parametrize("ai", ["synthflow", "stand-in"])
def test_a_codec_that_both_sides_changed_is_one_codec(ai: str) -> None:
    """A record tells of the newest alone; the caller's first was another by then."""
    example = talk(Example(row="REINVITE-CODEC", ai=ai)).codec("caller.1", "PCMU")
    if ai == "stand-in":
        example.codec("stand-in.1", "PCMU")
    example.to_ai().to_caller("no-rtp").after(1).codec("caller.1", "PCMA")
    if ai == "stand-in":
        example.codec("stand-in.1", "PCMA")
    else:
        example.record(witness={"codec": "PCMA"})
    assert [cause.id for cause in example.to_ai().to_caller("no-rtp").diagnose().causes] == ["rtp-blocked-to-caller"]


@pytest.mark.parametrize("rang", [[], ["billing"]])
def test_a_transfer_said_to_be_done_may_have_been_answered_by_somebody_else(rang: list[str]) -> None:
    """That our agents rang for a second call excludes no other member of the group."""
    example = lost(transfer(Example()).ai_refers(GROUP).platform_says(202).notified(200, "OK"))
    if rang:
        example.calls_again("group", GROUP, rang=rang)
    diagnosis = example.diagnose()
    assert {cause.id for cause in diagnosis.candidates} >= {"another-device-answered", "transfer-unanswered"}
    assert not [cause for cause in diagnosis.causes if cause.confidence == "certain"]


def test_what_was_not_observable_is_neither_right_nor_wrong() -> None:
    example = Example().dials().answered().taken()
    example.finding("route.request_uri", "assistant main", True, request_user="+12065550100")
    example.finding("route.transport", "assistant main", True).caller_id("assistant main", "", passed=True)
    seen = ("ai.saw", "ai.did", "ai.transport", "caller_id.ai")
    assert all(facts_of(example).value(name) is not None for name in seen)
    example.findings = [replace(finding, verdict=Verdict.NOT_OBSERVABLE) for finding in example.findings]
    assert not [name for name in seen if facts_of(example).value(name) is not None]


def _dropped(line: str, by: str = "received") -> Example:
    """The platform answers, and ends the call when the AI does not answer, and nobody rang."""
    example = Example(row="TD-FALLBACK-TIMEOUT", line=line).dials().ai_gets().answered().after(2.5)
    example._at_caller(by, "BYE sip:caller SIP/2.0")
    return example.state("disconnected", 200, "OK").all_ports_answer().landed("reception")


def test_a_platform_that_answers_itself_and_hangs_up_has_not_let_another_answer() -> None:
    causes = _dropped("ivr").diagnose().causes
    assert [(cause.id, cause.confidence) for cause in causes] == [("fallback-missing", "likely")]
    assert _dropped("fallback-timeout").diagnose().causes[0].id == "another-device-answered"
    assert facts_of(_dropped("ivr", by="sent")).value("caller.end") == "answered"


def test_a_platform_that_has_answered_itself_may_lack_the_way_to_the_ai() -> None:
    """What it does for want of people it does without trying the AI as well."""
    example = Example(line="ivr").dials().answered().after(2.5)
    example._at_caller("received", "BYE sip:caller SIP/2.0")
    causes = example.state("disconnected", 200, "OK").all_ports_answer().not_taken().diagnose().causes
    assert facts_of(example).value("caller.end") == DROPPED
    assert "route-missing" in [cause.id for cause in causes]


@pytest.mark.parametrize(
    ("packets", "first", "second"),
    [(0, "rtp-blocked-both", "rtp-blocked-to-caller"), (1, "rtp-blocked-to-caller", "rtp-blocked-both")],
)
def test_of_an_ai_that_nobody_can_listen_to_no_direction_is_taken_to_be_open(
    packets: int, first: str, second: str
) -> None:
    """A packet that came shows that the way to the caller was open; none shows nothing of the way to the AI."""
    example = Example().dials().after(0.1).ai_gets(address="198.51.100.20").answered().taken().counted()
    example.to_caller("silence", packets)
    diagnosis = example.codec("caller.1", "PCMU").record(witness={"codec": "PCMU"}).diagnose()
    assert [cause.id for cause in diagnosis.candidates] == [first, second]


def test_a_platform_that_names_its_lost_connection_did_not_turn_the_caller_away() -> None:
    """A transport error is told as 503 (RFC 3261 section 8.1.3.1): the platform had gone on with the call."""
    example = Example(transport="tcp").dials().after(0.1).all_ports_answer().not_taken()
    lost = example.copy().state("disconnected", 503, "[Errno 111] Connection refused").diagnose()
    assert [cause.id for cause in lost.candidates][:2] == ["trunk-transport-mismatch", "route-wrong-trunk"]
    assert "platform-refuses-caller" not in {cause.id for cause in lost.causes}
    assert example.copy().state("disconnected", 503, "Nobody").diagnose().causes[0].id == "platform-refuses-caller"


def test_people_who_rang_in_the_place_of_an_ai_that_nobody_sees_are_a_call_that_did_not_reach_it() -> None:
    example = Example().dials().after(0.1).rings("reception").answered().all_ports_answer()
    example.finding("landing.others", "reception", rang=1, watched=True)
    causes = [cause.id for cause in example.diagnose().candidates]
    assert {"route-missing", "no-g711", "trunk-transport-mismatch"} <= set(causes)


@pytest.mark.parametrize(("after", "when"), [(2.1, "at once"), (3.1, "after waiting")])
def test_who_rings_behind_an_announcement_rings_at_once(after: float, when: str) -> None:
    """What is waited for the platform's own voice is no waiting for the AI."""
    example = Example().dials().answered()
    deployment = example.deployment
    lines = {name: entry.model_copy(update={"announcement_s": 2.0}) for name, entry in deployment.lines.items()}
    case: Any = replace(example.after(after).rings("reception").not_taken("the phone reception"))
    spoken = deployment.model_copy(update={"lines": lines})
    told = diagnose({"moment": "inbound"}, case.findings, case.events, spoken).facts
    assert any(line.startswith(f"when that was: {when} (") for line in told), told
