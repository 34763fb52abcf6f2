"""Facts on how the caller's call ended, who answered it first, and who rang instead of the AI."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.diagnosis.caller_end import PLATFORM, UNHEARD
from tests.unit.diagnosis.case import Example, call, dialled, facts_of, value
from tests.unit.diagnosis.stories import RINGS_30_S

UNSEEN = "nobody who was seen"


def test_only_the_caller_s_own_cancel_gives_the_call_up() -> None:
    assert value(call().gives_up(), "caller.end") == "still ringing"
    theirs = call().caller_gets("CANCEL sip:caller SIP/2.0").ends_here(487, "x")
    assert value(theirs, "caller.end") == "refused"
    refused = call()
    refused._at_caller("sent", "CANCEL sip:x SIP/2.0")
    assert value(refused.copy().ends_here(486, "x"), "caller.end") == "refused"
    refused.events[-1] = replace(refused.events[-1], leg="caller.2")
    assert value(refused.ends_here(487, "x"), "caller.end") == "refused"


def test_the_answer_to_the_caller_s_own_cancel_is_no_refusal() -> None:
    """Else it would speak against a firewall, which refuses nobody for good."""
    for example, code in ((call().gives_up(), None), (call().ends_here(487, "x"), 487)):
        example.finding("final_response", "caller.1", True, code=487, wanted=(487,))
        assert value(example, "final.code") == code


@pytest.mark.parametrize(("waited", "unheard"), [(0.9, False), (1.0, True)])
def test_a_platform_that_answers_nothing_within_a_second(waited: float, unheard: bool) -> None:
    silent = Example(now=0.0).dials(taken=False)
    assert (
        value(silent.copy().after(waited).ends_here(408, "x"), "caller.end") == UNHEARD
    ) is unheard
    rang = silent.after(2).rings("reception").after(2).gives_up()
    assert value(rang, "caller.end") == "still ringing", "the platform routed the call"


@pytest.mark.parametrize(
    ("answers", "code", "end"),
    [
        ((), 408, UNHEARD),
        ((), 503, UNHEARD),
        (("408 Request Timeout",), 408, "refused"),
        (("100 x",), 408, "refused"),
    ],
)
def test_an_invite_with_credentials_may_be_unheard(
    answers: tuple[str, ...], code: int, end: str
) -> None:
    """It is longer than the one before it, and so may be lost where that one was not."""
    example = Example(now=0.0).dials(taken=False)
    example.events = example.events[:1]
    for number, answered in (
        (7, ("100 Trying", "407 Proxy Authentication Required")),
        (8, answers),
    ):
        head = f"Call-ID: c\r\nCSeq: {number} INVITE"
        example._at_caller("sent", f"INVITE sip:x@y.example SIP/2.0\r\n{head}")
        for answer in answered:
            example.caller_gets(f"SIP/2.0 {answer}\r\n{head}")
    facts = facts_of(example.after(32).ends_here(code, "x"))
    assert facts.value("caller.end") == end
    assert facts.value("final.code") == (code if end == "refused" else None)


@pytest.mark.parametrize(
    ("received", "refusal"),
    [
        ("503 [Errno 104] Connection reset by peer", None),
        ("503 Connection refused", None),
        ("", "the connection"),
    ],
)
def test_a_reason_is_a_connection_s_only_where_no_response_came(
    received: str, refusal: str | None
) -> None:
    """A platform writes what happened to its own connection into its 503."""
    example = call()
    if received:
        example.caller_gets(f"SIP/2.0 {received}\r\nCSeq: 1 INVITE")
    words = received.removeprefix("503 ") or "End of file (PJ_EEOF)"
    facts = facts_of(example.ends_at_once(503, words))
    assert facts.value("caller.end") == "refused"
    assert facts.value("final.refusal") == refusal


@pytest.mark.parametrize(("after", "when"), [(0.99, "at once"), (1.0, "after waiting")])
def test_when_somebody_rang_instead(after: float, when: str) -> None:
    facts = facts_of(call().after(after).rings("reception"))
    assert (facts.value("instead"), facts.value("instead.when")) == ("the fallback group", when)
    refused = facts_of(call().after(after).ends_here(486, "x"))
    assert (refused.value("instead"), refused.value("instead.when")) == ("nobody", when)
    alone = facts_of(call().after(after).answered(), "caller")
    assert alone.value("instead.when") == (when if when == "at once" else None), (
        "an agent may have taken a while"
    )


@pytest.mark.parametrize(("after", "early"), [(28.9, True), (29.0, None)])
def test_an_ai_may_ring_as_long_as_agreed(after: float, early: bool | None) -> None:
    assert (
        value(call(file=RINGS_30_S).after(after).rings("reception").ai_gets(), "instead.early")
        is early
    )


@pytest.mark.parametrize(
    ("fields", "after", "how"),
    [
        ({}, 0.99, "at once, past the fallback"),
        ({}, 1.0, None),
        ({"line": "campaign"}, 0.99, "at once"),
        ({"file": {"groups.reception.queue_s": 20.0}}, 0.99, None),
    ],
)
def test_the_platform_itself_answered_at_once(
    fields: dict[str, Any], after: float, how: str | None
) -> None:
    example = call(**fields).after(after).answered()
    assert value(example.copy().not_taken(), "answered.itself") == how
    unseen = "at once, or the AI did" if how else None
    assert value(example.copy(), "answered.itself") == unseen
    assert value(example.copy().taken(), "answered.itself") is None
    assert value(example.rings("reception").not_taken(), "answered.itself") is None


# -- who answered first: the platform, only if everybody it may have called is seen not to have answered


def _called() -> Example:
    """The AI has got the call, which only rings there, and so has an agent; the caller has not been
    answered yet.
    """
    return call().ai_gets().rings("reception").after(0.2)


@pytest.mark.parametrize(
    ("state", "after", "first"),
    [
        ("connecting", 0.1, None),
        ("confirmed", 0.1, None),
        ("confirmed", 0.0, None),
        ("early", 0.1, PLATFORM),
    ],
)
def test_an_agent_may_have_answered_first(state: str, after: float, first: str | None) -> None:
    taken = _called().state(state, 200, phone="reception")
    assert value(taken.after(after).answered(), "answered.first") == first


@pytest.mark.parametrize(("method", "first"), [("INVITE", None), ("PRACK", PLATFORM)])
def test_a_200_counts_before_its_phone_reports_a_state(method: str, first: str | None) -> None:
    example = dialled(ai="stand-in", now=0.0).ai_gets().rings("stand-in").after(0.1)
    example = example.ai_answers(200, method=method).after(0.005).answered().after(0.002)
    example.state("connecting", 200, phone="stand-in")
    assert value(example, "answered.first") == first


def test_without_the_ai_s_side_the_platform_may_have_been_first() -> None:
    """Only if something is missing that comes before an answer."""
    late = _called().answered().after(1)
    assert (
        value(late.copy().finding("answered", "caller.1", seconds=None), "answered.first", "caller")
        is None
    )
    late.finding("ringing", "caller.1", seconds=None)
    assert value(late, "answered.first", "caller") == UNSEEN
    taken = _called().state("confirmed", 200, phone="reception").answered().after(1)
    assert (
        value(taken.finding("ringing", "caller.1", seconds=None), "answered.first", "caller+agents")
        is None
    )
