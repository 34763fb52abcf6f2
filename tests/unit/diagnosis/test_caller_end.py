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
