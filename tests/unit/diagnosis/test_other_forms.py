"""The guides' faults in the forms that other SBCs and AI platforms give them."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.building import Example, named
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.stories import GROUP, lost, refused, talk, transfer, warm
from tests.unit.diagnosis.transfer_examples import notified


@pytest.mark.parametrize("code", [415, 488, 606])
def test_media_is_refused_with_three_statuses(code: int) -> None:
    """RFC 3261 sections 21.4.13, 21.4.26 and 21.6.4."""
    assert named(refused(Example(), code, "x", offer="SRTP alone")) == [("srtp-mismatch", "certain")]
    assert named(refused(Example(), code, "x", offer="no G.711")) == [("no-g711", "certain")]
    assert named(refused(Example(), code, "x")) == [("ai-refuses", "likely")]


@pytest.mark.parametrize("code", [404, 410, 604])
def test_a_number_that_is_nobodys_at_the_ai(code: int) -> None:
    assert named(refused(Example(), code, "x")) == [("assistant-not-attached", "likely")]
    assert named(refused(Example(), code, "x", did="+17735550199")) == [("route-wrong-did", "certain")]


@pytest.mark.parametrize("code", [486, 600])
def test_an_ai_that_is_busy_has_as_many_calls_as_it_takes(code: int) -> None:
    """RFC 3261 section 21.4.24; what LiveKit answers to a flood."""
    assert named(refused(Example(), code, "Busy Here")) == [("concurrency-exhausted", "likely")]


@pytest.mark.parametrize(
    ("code", "offer", "cause"),
    [(488, "no G.711", "no-g711"), (503, "G.711", "ai-refuses"), (429, "G.711", "concurrency-exhausted")],
)
def test_a_number_in_another_form_is_not_why_the_ai_refuses_something_else(code: int, offer: str, cause: str) -> None:
    assert [name for name, _ in named(refused(Example(), code, "x", did="12065550100", offer=offer))] == [cause]
    assert named(refused(Example(), 404, "Not Found", did="12065550100")) == [("request-uri-form", "certain")]


@pytest.mark.parametrize("code", [180, 183])
def test_a_transfer_that_rings_somewhere_is_one_of_which_a_notify_tells(code: int) -> None:
    """RFC 3515 section 2.4.5."""
    ringing = notified(f"SIP/2.0 {code} Ringing\r\n")
    assert facts_of(ringing).value("transfer.outcome") == "nothing, while it rings"
    assert named(ringing) == [("transfer-unanswered", "likely")]
    assert named(notified("SIP/2.0 100 Trying\r\n"))[0][0] == "refer-never-notified"


def test_a_platform_that_hangs_up_on_the_ai_once_it_has_accepted_says_no_more() -> None:
    """It takes the AI for done with it (RFC 5589 section 6.1), and where the caller waits its own log knows."""

    def hangs_up(ai: str) -> Example:
        example = transfer(Example(ai=ai)).ai_refers(GROUP).platform_says(202)
        example._sip("received", "BYE sip:ai SIP/2.0", "BYE", to="<sip:ai@192.0.2.60>;tag=b", number="3")
        return lost(example)

    assert facts_of(hangs_up("stand-in")).value("transfer.outcome") == "nothing, and the platform ended the AI's call"
    assert named(hangs_up("stand-in")) == [("transfer-unanswered", "likely")]
    # Of a record's messages nobody knows when they came: the harness hangs up, too, when the case is over.
    assert named(hangs_up("synthflow")) == [("refer-never-notified", "likely")]


@pytest.mark.parametrize("uri", ["{host}", "{host}:5060"])
def test_an_outbound_proxy_is_no_other_host(uri: str) -> None:
    """The guide: Outbound Proxy (if required). The Request-URI still names the Termination URI's host."""
    example = warm(Example())
    host = str(example.trunk.termination_host)
    via_proxy = lost(example.ai_invites(f"{GROUP}@{uri.format(host=host)}", remote="203.0.113.77:5060"))
    assert facts_of(via_proxy).value("transfer.host") == "the trunk's"
    assert "termination-uri-wrong" not in dict(named(via_proxy))


@pytest.mark.parametrize("code", [487, 603])
def test_a_fallback_that_is_tried_in_vain_ends_with_other_statuses_too(code: int) -> None:
    """Who gives its group up says 487 or 603 to the caller, as Asterisk and FreeSWITCH do."""
    example = (
        Example(row="TD-FALLBACK-REFUSED", line="fallback-refused", ai="stand-in").dials().ai_gets().ai_answers(503)
    )
    told = example.after(0.1).state("disconnected", code, "x").landed("reception")
    assert named(told) == [("fallback-missing", "likely"), ("nobody-available", "possible")]


def test_a_clean_call_has_no_diagnosis() -> None:
    assert named(talk(Example()).to_ai().to_caller()) == []


def invited_again(*, copies: int, answers: tuple[int, ...] = (100, 180)) -> Example:
    """The platform's INVITE comes again and again though the AI's phone has answered it (RFC 3261 section 17.1.1.2)."""
    example = Example(ai="stand-in").dials().after(0.1).ai_gets()
    for code in answers:
        example.ai_answers(code, "OK")
    for number in range(copies):
        example.after(0.5 * 2**number).ai_gets()
    return example


def test_an_ai_whose_answers_do_not_get_back_is_not_one_that_never_answers() -> None:
    """A firewall that lets the INVITE in, and not its answers out; a Via that leads elsewhere."""
    heard_once = (
        invited_again(copies=1).after(28).rings("reception").after(2).gives_up().not_taken("the phone reception")
    )
    assert named(heard_once) == [("ai-never-answers", "certain")]
    unheard = invited_again(copies=4).after(22).rings("reception").after(2).gives_up().not_taken("the phone reception")
    assert named(unheard) == [("firewall-udp-32681", "likely")]
    taken = invited_again(copies=4, answers=(100, 200)).taken().after(4).unanswered()
    assert named(taken) == [("firewall-udp-32681", "likely")]
