"""Facts on how the caller's call ended, and who rang instead of the AI."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.diagnosis.caller_end import UNHEARD
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import call, facts_of


@pytest.mark.parametrize(
    ("code", "end", "final"),
    [(300, "refused", 300), (486, "refused", 486), (487, "refused", 487), (299, None, None), (200, None, None)],
)
def test_how_the_caller_s_call_ended(code: int, end: str | None, final: int | None) -> None:
    facts = facts_of(call().after(2).ends_here(code, "x"))
    assert facts.value("caller.end") == end
    assert facts.value("final.code") == final


def test_a_refusal_that_says_what_it_is_about() -> None:
    facts = facts_of(call().after(2).ends_here(480, "nobody logged in"))
    assert facts.value("final.refusal") == "the agents"
    for of_a_stack in ("Connection closed", "Connection reset by peer", "connection was refused"):
        assert facts_of(call().after(2).ends_here(503, of_a_stack)).value("final.refusal") == "the connection"
    assert facts_of(call().after(2).ends_here(480, ""))["final.code"].evidence == ("caller.1: 480",)


def test_a_call_that_was_up_was_answered_whatever_ended_it() -> None:
    facts = facts_of(call().answered().after(2).ends_here(486, "x"))
    assert facts.value("caller.end") == "answered"
    assert facts.value("final.code") is None
    assert facts_of(call()).value("caller.end") == "still ringing"
    assert facts_of(Example()).value("caller.end") is None


def test_only_our_own_cancel_gives_a_call_up() -> None:
    assert facts_of(call().gives_up()).value("caller.end") == "still ringing"
    theirs = call().caller_gets("CANCEL sip:caller SIP/2.0").ends_here(487, "x")
    assert facts_of(theirs).value("caller.end") == "refused"
    other = call()
    other._at_caller("sent", "CANCEL sip:x SIP/2.0")
    other.events[-1] = replace(other.events[-1], leg="caller.2")
    assert facts_of(other.ends_here(487, "x")).value("caller.end") == "refused"
    refused = call()
    refused._at_caller("sent", "CANCEL sip:x SIP/2.0")
    assert facts_of(refused.ends_here(486, "x")).value("caller.end") == "refused"


@pytest.mark.parametrize(("waited", "unheard"), [(0.9, False), (1.0, True), (5.0, True)])
def test_a_platform_that_answers_nothing_within_a_second(waited: float, unheard: bool) -> None:
    facts = facts_of(Example(now=0.0).dials(taken=False).after(waited).ends_here(408, "Request Timeout"))
    assert (facts.value("caller.end") == UNHEARD) is unheard


def _challenged(*answers: str) -> Example:
    """The first INVITE was challenged, and the one with credentials got these answers."""
    example = Example(now=0.0).dials(taken=False)
    example.events = example.events[:1]
    for number, answered in ((7, ("100 Trying", "407 Proxy Authentication Required")), (8, answers)):
        head = f"Call-ID: c\r\nCSeq: {number} INVITE"
        example._at_caller("sent", f"INVITE sip:x@y.example SIP/2.0\r\n{head}")
        for answer in answered:
            example.caller_gets(f"SIP/2.0 {answer}\r\n{head}")
    return example.after(32)


@pytest.mark.parametrize(
    ("answers", "code", "end"),
    [
        ((), 408, UNHEARD),
        ((), 503, UNHEARD),
        (("408 Request Timeout",), 408, "refused"),
        (("100 Trying", "503 x"), 503, "refused"),
        (("100 Trying",), 408, "refused"),
    ],
)
def test_an_invite_with_credentials_that_nobody_answers_is_unheard(
    answers: tuple[str, ...], code: int, end: str
) -> None:
    """It is longer than the one before it, and so may be lost where that one was not."""
    facts = facts_of(_challenged(*answers).ends_here(code, "x"))
    assert facts.value("caller.end") == end
    assert facts.value("final.code") == (code if end == "refused" else None)
    if end == UNHEARD:
        told = "caller.1 sent it 1× to 192.0.2.2:5060 over UDP, with credentials: the one before was challenged"
        assert facts["caller.end"].evidence == (told,)


def test_only_invites_count_as_the_invites_that_nobody_answered() -> None:
    example = Example(now=0.0).dials(taken=False).after(5)
    example._at_caller("sent", "CANCEL sip:x SIP/2.0")
    (evidence,) = facts_of(example.ends_here(408, "Request Timeout"))["caller.end"].evidence
    assert evidence == "caller.1 sent it 1× to 192.0.2.2:5060 over UDP"


def test_a_call_is_unheard_from_its_first_invite_on_and_its_last_is_told() -> None:
    example = Example(now=0.0).dials(taken=False).after(0.9)
    example._at_caller("sent", "INVITE sip:x SIP/2.0")
    example.events[-1] = replace(example.events[-1], remote="192.0.2.3:5061", transport="tls")  # type: ignore[call-arg]
    (evidence,) = facts_of(example.after(0.9).ends_here(408, "Request Timeout"))["caller.end"].evidence
    assert evidence == "caller.1 sent it 2× to 192.0.2.3:5061 over TLS"


def test_the_first_phone_that_rang_says_when() -> None:
    facts = facts_of(call().after(0.5).rings("reception").after(3.0).rings("billing"))
    assert facts.value("instead.when") == "at once"
    assert facts["instead"].evidence == ("reception.1 rang", "billing.1 rang")


def test_the_second_of_two_invites_may_be_the_one_refused() -> None:
    example = call().ai_gets(call_id="a").ai_gets(call_id="b").ai_answers(404, call_id="b")
    assert facts_of(example).value("ai.code") == 404


def test_a_call_that_went_on_was_heard() -> None:
    silent = Example(now=0.0).dials(taken=False)
    assert facts_of(silent.copy().ai_gets().after(5).ends_here(408, "x")).value("caller.end") == "refused"
    assert facts_of(silent.copy().rings("reception").after(5).ends_here(408, "x")).value("caller.end") == "refused"
    assert facts_of(silent.copy().dials_too("caller-2").after(5).ends_here(408, "x")).value("caller.end") == UNHEARD
    assert facts_of(call().after(5).ends_here(408, "x")).value("caller.end") == "refused"


def test_a_leg_without_an_invite_or_that_came_in_is_not_unheard() -> None:
    assert (
        facts_of(Example(now=0.0).rings("customer").after(5).ends_here(408, "x")).value("caller.end") == "still ringing"
    )
    bare = Example(now=0.0).dials(taken=False)
    bare.events = bare.events[:1]
    assert facts_of(bare.after(5).ends_here(408, "x")).value("caller.end") == "refused"


@pytest.mark.parametrize(("after", "when"), [(0.99, "at once"), (1.0, "after waiting")])
def test_when_somebody_rang_instead(after: float, when: str) -> None:
    facts = facts_of(call().after(after).rings("reception"))
    assert facts.value("instead.when") == when
    assert facts.value("instead") == "the fallback group"
    refused = facts_of(call().after(after).ends_here(486, "x"))
    assert refused.value("instead.when") == when
    assert refused.value("instead") == "nobody"


@pytest.mark.parametrize(("after", "when"), [(0.99, "at once"), (1.0, None)])
def test_a_caller_alone_may_be_answered_too_soon(after: float, when: str | None) -> None:
    """Later, it may have been an agent who took a while."""
    facts = facts_of(call().after(after).answered(), "caller")
    assert facts.value("instead.when") == when
    assert facts.value("instead") is None


def test_an_agent_s_phone_is_of_the_fallback_or_of_another_group() -> None:
    assert facts_of(call().rings("billing")).value("instead") == "another group"
    assert facts_of(call().rings("billing"), has_deployment=False).value("instead") == "an agent"
    assert facts_of(Example(line="busy").dials().rings("billing")).value("instead") == "an agent"
    first = facts_of(call().rings("reception").after(1).rings("billing"))
    assert first.value("instead") == "the fallback group"
    assert first["instead"].evidence == ("reception.1 rang", "billing.1 rang")
    three = call().rings("reception").after(1).rings("billing").rings("support")
    assert len(facts_of(three)["instead"].evidence) == 2


def test_a_campaign_s_call_has_nobody_in_its_place() -> None:
    assert facts_of(Example().rings("customer").rings("billing")).value("instead") is None


@pytest.mark.parametrize(("line", "configured"), [("inbound", True), ("busy", False)])
def test_whether_a_fallback_is_configured(line: str, configured: bool) -> None:
    assert facts_of(Example(line=line).dials()).value("fallback.configured") is configured


@pytest.mark.parametrize(("subject", "code"), [("caller.1", 486), ("OPTIONS", None), ("caller.1's BYE", None)])
def test_the_answer_to_something_else_is_no_final_response_of_the_call(subject: str, code: int | None) -> None:
    facts = facts_of(Example().finding("final_response", subject, code=486, wanted=[200]))
    assert facts.value("final.code") == code
    both = Example().finding("final_response", subject, code=486, wanted=[200])
    assert (
        facts_of(both.finding("final_response", "caller.1", code=404, wanted=[200])).value("final.code") == code or 404
    )
