"""What the messages of a dialog show: who answered, and whether the ACK arrived."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.calls.checks import dialog
from harness.calls.checks.dialog import _MOST_REPEATED, _ON_ITS_WAY_S
from harness.calls.events import Direction, SipMessage
from harness.calls.verdict import Finding, Verdict


def message(at: float, direction: Direction, start: str, *, tag: str = "", number: int = 1) -> SipMessage:
    method = start.split()[0] if not start.startswith("SIP/2.0") else "INVITE"
    to = "To: <sip:b@example.com>" + (f";tag={tag}" if tag else "")
    lines = [start, "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1", "From: <sip:a@example.com>;tag=1", to, "Call-ID: c"]
    text = "\r\n".join([*lines, f"CSeq: {number} {method}", "Content-Length: 0"]) + "\r\n\r\n"
    where = {"transport": "udp", "local": "192.0.2.1:5060", "remote": "192.0.2.2:5060"}
    return SipMessage(at=at, phone="p", leg="p.1", direction=direction, text=text, **where)


INVITE = message(0.0, "sent", "INVITE sip:b@example.com SIP/2.0")
ACK = message(0.0, "sent", "ACK sip:b@example.com SIP/2.0")


def ok(at: float, tag: str = "t", *, direction: Direction = "received", number: int = 1) -> SipMessage:
    return message(at, direction, "SIP/2.0 200 OK", tag=tag, number=number)


def repeated(finding: Finding | None) -> object:
    assert finding is not None
    return finding.facts["repeated"]


@pytest.mark.parametrize(
    "other",
    [
        message(0.1, "received", "SIP/2.0 180 Ringing", tag="u"),
        message(2.0, "sent", "SIP/2.0 200 OK", tag="u"),
        message(0.1, "received", "SIP/2.0 486 Busy Here", tag="u"),
    ],
    ids=["a provisional response", "our answer to a re-INVITE of theirs", "a refusal of a fork's branch"],
)
def test_only_a_2xx_to_us_is_an_answer(other: SipMessage) -> None:
    finding = dialog.answered_once("p.1", [INVITE, other, ok(1.0)])
    assert finding is not None
    assert finding.verdict is Verdict.PASSED


def test_a_reinvite_of_theirs_with_the_same_number_does_not_make_ours_one() -> None:
    """Both sides count CSeq by themselves (RFC 3261 section 12.2.1.1)."""
    theirs = message(0.5, "received", "INVITE sip:a@example.com SIP/2.0", tag="t")
    finding = dialog.answered_once("p.1", [theirs, INVITE, ok(1.0), ok(1.0, "u")])
    assert finding is not None
    assert finding.verdict is Verdict.FAILED


def test_another_request_with_the_same_number_does_not_make_the_invite_one_in_a_dialog() -> None:
    other = message(0.0, "sent", "MESSAGE sip:b@example.com SIP/2.0", tag="t")
    finding = dialog.answered_once("p.1", [other, INVITE, ok(1.0)])
    assert finding is not None


def test_an_answer_to_a_reinvite_alone_says_nothing_of_who_answered() -> None:
    again = message(0.0, "sent", "INVITE sip:b@example.com SIP/2.0", tag="t")
    assert dialog.answered_once("p.1", [again, ok(1.0)]) is None
    assert dialog.answered_once("p.1", [ok(1.0)]) is None


@pytest.mark.parametrize("messages", [[INVITE, ACK], [INVITE, ok(1.0)], []], ids=["no 200", "no ACK", "nothing"])
def test_without_a_200_and_an_ack_there_is_nothing_to_acknowledge(messages: list[SipMessage]) -> None:
    assert dialog.acknowledged("p.1", messages) is None


@pytest.mark.parametrize("copies", range(4))
def test_a_200_that_comes_again_and_again_was_acknowledged_by_nobody(copies: int) -> None:
    """No ACK leaves for a Contact that cannot be reached from here, such as an IPv6 address."""
    finding = dialog.acknowledged("p.1", [INVITE, *(ok(0.5 * 2**n) for n in range(copies + 1))])
    if copies <= _MOST_REPEATED:
        assert finding is None
    else:
        assert finding is not None
        assert finding.verdict is Verdict.FAILED
        assert "s after the first time: this phone sent no ACK" in finding.actual


def test_the_ack_of_a_challenge_acknowledges_no_200() -> None:
    """A refusal is acknowledged hop by hop (RFC 3261 section 17.1.1.3), whatever its Contact; the 200 to the next attempt is not."""
    again = message(0.2, "sent", "INVITE sip:b@example.com SIP/2.0", number=2)
    challenge = message(0.1, "received", "SIP/2.0 407 Proxy Authentication Required", tag="t")
    copies = [ok(0.5 * 2**n, number=2) for n in range(_MOST_REPEATED + 2)]
    finding = dialog.acknowledged("p.1", [INVITE, challenge, ACK, again, *copies])
    assert finding is not None
    assert finding.verdict is Verdict.FAILED
    assert "this phone sent no ACK" in finding.actual


def test_the_ack_of_a_reinvite_is_not_that_of_the_first() -> None:
    later = message(0.2, "sent", "ACK sip:b@example.com SIP/2.0", tag="t", number=2)
    copies = [ok(0.5 * 2**n) for n in range(_MOST_REPEATED + 2)]
    finding = dialog.acknowledged("p.1", [INVITE, ok(0.1, number=2), later, *copies])
    assert finding is not None
    assert finding.verdict is Verdict.FAILED


def test_a_200_that_was_on_its_way_when_the_ack_went_out_is_no_repetition() -> None:
    soon = _ON_ITS_WAY_S
    assert repeated(dialog.acknowledged("p.1", [ok(-1.0), ACK, ok(soon)])) == 0
    assert repeated(dialog.acknowledged("p.1", [ok(-1.0), ACK, ok(soon + 0.01)])) == 1


def test_copies_of_a_200_that_come_together_are_one() -> None:
    together = _ON_ITS_WAY_S
    assert repeated(dialog.acknowledged("p.1", [ok(0.0), ACK, ok(together)])) == 0
    copies = [ok(-2.0), ACK, ok(1.0), ok(1.0 + together / 2)]
    assert repeated(dialog.acknowledged("p.1", copies)) == 1
    acknowledged = message(-2.0, "sent", "ACK sip:b@example.com SIP/2.0")
    assert repeated(dialog.acknowledged("p.1", [ok(-2.0), acknowledged, ok(0.0), ok(together)])) == 1
    assert repeated(dialog.acknowledged("p.1", [ok(-2.0), acknowledged, ok(0.0), ok(together + 0.01)])) == 2


def test_an_ack_at_the_moment_of_the_200_acknowledges_it() -> None:
    assert repeated(dialog.acknowledged("p.1", [ok(0.0), ACK, ok(1.0)])) == 1


def test_the_other_side_s_ack_acknowledges_nothing_of_theirs() -> None:
    """It belongs to an answer of ours: to a re-INVITE, say."""
    theirs = replace(ACK, direction="received")
    assert dialog.acknowledged("p.1", [ok(0.0), theirs, ok(1.0)]) is None


def test_an_ack_before_the_200_acknowledges_another() -> None:
    assert repeated(dialog.acknowledged("p.1", [ACK, ok(0.1), ok(1.0)])) == 0


def test_the_answers_of_two_parties_are_no_repetition_of_each_other() -> None:
    assert repeated(dialog.acknowledged("p.1", [ok(0.0, "t"), ACK, ok(1.0, "u")])) == 0


def test_the_answers_to_two_invites_are_no_repetition_of_each_other() -> None:
    assert repeated(dialog.acknowledged("p.1", [ok(0.0), ACK, ok(1.0, number=2)])) == 0


def test_a_200_that_is_repeated_is_one_however_often_it_was_sent_before_the_ack() -> None:
    late = message(3.0, "sent", "ACK sip:b@example.com SIP/2.0")
    assert repeated(dialog.acknowledged("p.1", [ok(0.0), ok(0.5), ok(1.5), late])) == 0
    assert repeated(dialog.acknowledged("p.1", [ok(0.0), ok(0.5), ok(1.5), late, ok(3.5)])) == 1


def bye(direction: Direction, start: str, number: int = 2) -> SipMessage:
    text = message(1.0, direction, start, tag="t", number=number).text
    method = "BYE" if start.startswith("SIP/2.0") else start.split()[0]
    return replace(ACK, direction=direction, text=text.replace(f"{number} INVITE", f"{number} {method}"))


SENT = bye("sent", "BYE sip:b@example.com SIP/2.0")
AGAIN = bye("sent", "BYE sip:b@example.com SIP/2.0", 3)


@pytest.mark.parametrize(
    ("came", "status"),
    [
        ([], None),
        (["100 Trying"], None),
        (["200 OK"], 200),
        (["481 Call/Transaction Does Not Exist"], 481),
        (["407 Proxy Authentication Required"], 407),
        (["407 Proxy Authentication Required", "200 OK"], 200),
        (["401 Unauthorized", "407 Proxy Authentication Required", "500 Server Internal Error"], 500),
    ],
)
def test_a_bye_is_answered_when_its_challenges_are(came: list[str], status: int | None) -> None:
    answers = [bye("received", f"SIP/2.0 {line}", number) for number, line in enumerate(came, start=2)]
    found = dialog.answer_to_bye([INVITE, ok(0.1), ACK, SENT, AGAIN, *answers])
    assert (found.status if found else None) == status


def test_a_bye_that_crosses_another_may_find_no_call() -> None:
    theirs = bye("received", "BYE sip:a@example.com SIP/2.0")
    assert dialog.accepted_to_bye([INVITE, ok(0.1), ACK, SENT]) == (200,)
    assert dialog.accepted_to_bye([INVITE, ok(0.1), ACK, SENT, theirs]) == (200, 481)


@pytest.mark.parametrize(
    ("copies", "verdict"), [(_MOST_REPEATED, Verdict.PASSED), (_MOST_REPEATED + 1, Verdict.FAILED)]
)
def test_each_200_may_come_again_as_often_as_one(copies: int, verdict: Verdict) -> None:
    """On a way of more than half a second there and back each does, before its ACK has arrived: of a call's, its hold's and its
    resume's.
    """
    messages: list[SipMessage] = []
    for number in (1, 2, 3):
        at = 10.0 * number
        ack = message(at, "sent", "ACK sip:b@example.com SIP/2.0", tag="t", number=number)
        again = copies if number == 2 else _MOST_REPEATED
        messages += [ok(at, number=number), ack, *(ok(at + 0.5 * 2**n, number=number) for n in range(again))]
    finding = dialog.acknowledged("p.1", messages)
    assert finding is not None
    assert (finding.verdict, repeated(finding)) == (verdict, copies)
