"""What the messages of a dialog show: who answered, whether the ACK arrived, reliable responses,
session timers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from harness.case.checks import dialog
from harness.case.checks.dialog import _MOST_REPEATED, _ON_ITS_WAY_S
from harness.case.events import Direction, SipMessage
from harness.case.verdict import Finding, Verdict
from tests.unit.checks import messages
from tests.unit.checks.messages import answer, invite


def message(
    at: float, direction: Direction, start: str, *, tag: str = "", number: int = 1
) -> SipMessage:
    method = start.split()[0] if not start.startswith("SIP/2.0") else "INVITE"
    to = "To: <sip:b@example.com>" + (f";tag={tag}" if tag else "")
    lines = [
        start,
        "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1",
        "From: <sip:a@example.com>;tag=1",
        to,
        "Call-ID: c",
    ]
    text = "\r\n".join([*lines, f"CSeq: {number} {method}", "Content-Length: 0"]) + "\r\n\r\n"
    where = {"transport": "udp", "local": "192.0.2.1:5060", "remote": "192.0.2.2:5060"}
    return SipMessage(at=at, phone="p", leg="p.1", direction=direction, text=text, **where)


INVITE = message(0.0, "sent", "INVITE sip:b@example.com SIP/2.0")
ACK = message(0.0, "sent", "ACK sip:b@example.com SIP/2.0")
AGAIN = message(0.0, "sent", "INVITE sip:b@example.com SIP/2.0", tag="t")


def ok(at: float, tag: str = "t", *, number: int = 1) -> SipMessage:
    return message(at, "received", "SIP/2.0 200 OK", tag=tag, number=number)


# -- who answered


@pytest.mark.parametrize(
    ("said", "passed"),
    [
        ([INVITE, message(0.1, "received", "SIP/2.0 180 Ringing", tag="u"), ok(1.0)], True),
        (
            [INVITE, message(2.0, "sent", "SIP/2.0 200 OK", tag="u"), ok(1.0)],
            True,
        ),  # to a re-INVITE of theirs
        (
            [INVITE, message(0.1, "received", "SIP/2.0 486 Busy Here", tag="u"), ok(1.0)],
            True,
        ),  # of a fork's branch
        # both sides count CSeq by themselves (RFC 3261 section 12.2.1.1)
        ([replace(AGAIN, direction="received"), INVITE, ok(1.0), ok(1.0, "u")], False),
        ([message(0.0, "sent", "MESSAGE sip:b@x SIP/2.0", tag="t"), INVITE, ok(1.0)], True),
        ([AGAIN, ok(1.0)], None),  # an answer to a re-INVITE alone
        ([ok(1.0)], None),
    ],
)
def test_who_answered_the_initial_invite(said: list[SipMessage], passed: bool | None) -> None:
    found = dialog.answered_once("p.1", said)
    assert (None if found is None else found.verdict is Verdict.PASSED) is passed


# -- whether the ACK arrived


@pytest.mark.parametrize(
    ("said", "repeated"),
    [
        ([INVITE, ACK], None),
        ([INVITE, ok(1.0)], None),
        # without an ACK: none leaves for a Contact that cannot be reached
        ([INVITE, *(ok(0.5 * 2**n) for n in range(_MOST_REPEATED + 1))], None),
        ([INVITE, *(ok(0.5 * 2**n) for n in range(_MOST_REPEATED + 2))], _MOST_REPEATED + 1),
        # an ACK from the other side acknowledges our answer
        ([ok(0.0), replace(ACK, direction="received"), ok(1.0)], None),
        # a 200 that was in transit when the ACK left
        ([ok(-1.0), ACK, ok(_ON_ITS_WAY_S)], 0),
        ([ok(-1.0), ACK, ok(_ON_ITS_WAY_S + 0.01)], 1),
        # copies that come together are one
        ([ok(-2.0), replace(ACK, at=-2.0), ok(0.0), ok(_ON_ITS_WAY_S)], 1),
        ([ok(-2.0), replace(ACK, at=-2.0), ok(0.0), ok(_ON_ITS_WAY_S + 0.01)], 2),
        ([ok(0.0), ACK, ok(1.0)], 1),
        ([ACK, ok(0.1), ok(1.0)], 0),  # an ACK before the 200 acknowledges another
        ([ok(0.0, "t"), ACK, ok(1.0, "u")], 0),
        ([ok(0.0), ACK, ok(1.0, number=2)], 0),
        # however often it came before the ACK
        ([ok(0.0), ok(0.5), ok(1.5), replace(ACK, at=3.0)], 0),
        ([ok(0.0), ok(0.5), ok(1.5), replace(ACK, at=3.0), ok(3.5)], 1),
    ],
)
def test_how_often_an_acknowledged_200_was_repeated(
    said: list[SipMessage], repeated: int | None
) -> None:
    found = dialog.acknowledged("p.1", said)
    assert (None if found is None else found.facts["repeated"]) == repeated


def test_the_ack_of_another_attempt_acknowledges_nothing() -> None:
    """A refusal is acknowledged hop by hop (RFC 3261 section 17.1.1.3), whatever its Contact; the
    200 to the next attempt is not.
    """
    again = message(0.2, "sent", "INVITE sip:b@example.com SIP/2.0", number=2)
    challenge = message(0.1, "received", "SIP/2.0 407 Proxy Authentication Required", tag="t")
    copies = [ok(0.5 * 2**n, number=2) for n in range(_MOST_REPEATED + 2)]
    found = dialog.acknowledged("p.1", [INVITE, challenge, ACK, again, *copies])
    assert found is not None
    assert found.verdict is Verdict.FAILED
    assert "s after the first time: this phone sent no ACK" in found.actual


@pytest.mark.parametrize(
    ("copies", "verdict"), [(_MOST_REPEATED, Verdict.PASSED), (_MOST_REPEATED + 1, Verdict.FAILED)]
)
def test_each_200_may_come_again_as_often_as_one(copies: int, verdict: Verdict) -> None:
    """With more than half a second there and back, each of a call's, its hold's and its resume's
    does before its ACK arrives.
    """
    said: list[SipMessage] = []
    for number in (1, 2, 3):
        at = 10.0 * number
        ack = message(at, "sent", "ACK sip:b@example.com SIP/2.0", tag="t", number=number)
        again = copies if number == 2 else _MOST_REPEATED
        said += [
            ok(at, number=number),
            ack,
            *(ok(at + 0.5 * 2**n, number=number) for n in range(again)),
        ]
    found = dialog.acknowledged("p.1", said)
    assert found is not None
    assert (found.verdict, found.facts["repeated"]) == (verdict, copies)


# -- how it ended


def bye(direction: Direction, start: str, number: int = 2) -> SipMessage:
    text = message(1.0, direction, start, tag="t", number=number).text
    method = "BYE" if start.startswith("SIP/2.0") else start.split()[0]
    return replace(
        ACK, direction=direction, text=text.replace(f"{number} INVITE", f"{number} {method}")
    )


@pytest.mark.parametrize(
    ("came", "status"),
    [
        (["100 Trying"], None),
        (["481 Call/Transaction Does Not Exist"], 481),
        (["407 Proxy Authentication Required"], 407),
        (["407 Proxy Authentication Required", "200 OK"], 200),
        (
            ["401 Unauthorized", "407 Proxy Authentication Required", "500 Server Internal Error"],
            500,
        ),
    ],
)
def test_a_bye_is_answered_when_its_challenges_are(came: list[str], status: int | None) -> None:
    byes = [bye("sent", "BYE sip:b@example.com SIP/2.0", number) for number in (2, 3)]
    answers = [
        bye("received", f"SIP/2.0 {line}", number) for number, line in enumerate(came, start=2)
    ]
    found = dialog.answer_to_bye([INVITE, ok(0.1), ACK, *byes, *answers])
    assert (found.status if found else None) == status


def test_a_bye_that_crosses_another_may_find_no_call() -> None:
    own, theirs = bye("sent", "BYE sip:b@x SIP/2.0"), bye("received", "BYE sip:a@x SIP/2.0")
    assert dialog.accepted_to_bye([INVITE, ok(0.1), ACK, own]) == (200,)
    assert dialog.accepted_to_bye([INVITE, ok(0.1), ACK, own, theirs]) == (200, 481)
    assert [dialog.ended_by_the_other(each) for each in ([theirs], [own], [own, theirs])] == [
        True,
        False,
        False,
    ]


# -- reliable provisional responses


RELIABLY = ("Require: 100rel", "RSeq: 1")
OTHERS = "without Require: 100rel and RSeq"


@pytest.mark.parametrize(
    ("came", "instead", "words"),
    [
        (["183"], "it never came", "183 with RSeq, and no 200 to the PRACK: it never came"),
        (["100", "183"], None, "183 with RSeq, and 200 to the PRACK"),
        (["183", "180"], None, "183, 180 with RSeq, and 200 to the PRACK"),
        (
            [],
            "the call has ended with 420 Bad Extension",
            "no provisional response: the call has ended with 420",
        ),
    ],
)
def test_which_responses_were_reliable(
    came: Sequence[str], instead: str | None, words: str
) -> None:
    said = [
        invite("Require: 100rel"),
        *(answer(f"{code} x", *RELIABLY * (code != "100")) for code in came),
    ]
    found = dialog.reliable_provisionals("caller.1", said, instead)
    assert found.actual.startswith(words)
    assert found.verdict is (Verdict.FAILED if instead else Verdict.PASSED)


@pytest.mark.parametrize(
    ("header", "verdict", "words"),
    [
        (
            "Require: 100rel",
            Verdict.FAILED,
            f"183 with RSeq, and 200 to the PRACK; and 180 {OTHERS}",
        ),
        ("Supported: 100rel", Verdict.PASSED, "183 with RSeq, and 200 to the PRACK"),
    ],
)
def test_if_the_invite_requires_it_every_response_is_reliable(
    header: str, verdict: Verdict, words: str
) -> None:
    """RFC 3262 section 3: a UAS sends all but 100 so then, or refuses the INVITE with 420."""
    came = [answer("100 Trying"), answer("180 Ringing"), answer("183 Progress", *RELIABLY)]
    found = dialog.reliable_provisionals("caller.1", [invite(header), *came])
    assert (found.verdict, found.actual) == (verdict, words)


@pytest.mark.parametrize(
    ("headers", "reliable"),
    [
        (("require: timer, 100Rel", "RSEQ: 1"), True),
        (("RSeq: 1",), False),
        (("Supported: 100rel", "RSeq: 1"), False),
        (("Require: 100rel",), False),
    ],
)
def test_a_reliable_response_has_both_headers(headers: Sequence[str], reliable: bool) -> None:
    found = dialog.reliable_provisionals(
        "caller.1", [invite("Require: 100rel"), answer("183 Progress", *headers)]
    )
    assert found.verdict is (Verdict.PASSED if reliable else Verdict.FAILED)
    assert reliable or found.actual == f"183 {OTHERS}, so that there was nothing to acknowledge"


# -- session timers (RFC 4028)


def interval(asked: tuple[str, ...], said: tuple[str, ...]) -> Finding:
    return dialog.interval(
        "p.1", [invite(*asked), answer("200 OK", *said), invite("Session-Expires: 1800")]
    )


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (("Session-Expires: 90 ; Refresher = UAS",), "90 s"),
        (("Require: 100rel, Timer", "x: 90;refresher=uac"), "90 s"),
        (("Session-Expires: 1800;refresher=uas",), "1800 s, longer than the 200 s asked for"),
        (("Session-Expires: 60;refresher=uas",), "60 s, shorter than 90 s"),
        (("Session-Expires: 90",), "90 s, which does not say who refreshes"),
        (("Session-Expires: 90;x=refresher=uas",), "90 s, which does not say who refreshes"),
        (
            ("Session-Expires: 90;refresher=uac",),
            "90 s, refreshed by the caller without Require: timer",
        ),
        (("Session-Expires: x;refresher=uas",), "the 200 names none"),
        ((), "the 200 names none"),
    ],
)
def test_an_interval_as_agreed(said: tuple[str, ...], words: str) -> None:
    found = interval(("Session-Expires: 200",), said)
    assert (found.actual, found.verdict is Verdict.PASSED) == (words, words == "90 s")


@pytest.mark.parametrize(("text", "seconds"), [("4294967295", 2**32 - 1), ("4294967296", None)])
def test_an_interval_fits_32_bits(text: str, seconds: int | None) -> None:
    """RFC 4028 section 4: delta-seconds."""
    assert (
        dialog.agreed_interval([invite(), answer("200 OK", f"Session-Expires: {text}")]) == seconds
    )


@pytest.mark.parametrize(
    ("refusals", "asked", "passed"),
    [
        ([120], [120], True),
        ([120], [119, 120], False),
        ([200, 150], [199], False),
        ([200, 150], [200], True),
    ],
)
def test_after_a_422_each_invite_asks_for_enough(
    refusals: list[int], asked: list[int], passed: bool
) -> None:
    said = [
        invite("Session-Expires: 90"),
        *(answer("422 Small", f"Min-SE: {least}") for least in refusals),
    ]
    said += [
        messages.message(
            "received", "INVITE sip:a@example.com SIP/2.0", "7 INVITE", "Session-Expires: 60"
        )
    ]
    said += [invite(f"Session-Expires: {seconds}") for seconds in asked]
    found = dialog.interval(
        "p.1", [*said, answer("200 OK", f"Session-Expires: {asked[-1]};refresher=uas")]
    )
    assert (found.verdict is Verdict.PASSED) is passed
    assert found.actual.endswith(f", after {len(refusals)}× 422 with Min-SE {max(refusals)} s")


def test_only_the_200_to_the_invite_agrees_to_an_interval() -> None:
    other = messages.message(
        "received", "SIP/2.0 200 OK", "1 UPDATE", "Session-Expires: 90;refresher=uas"
    )
    progress = answer("183 Session Progress", "Session-Expires: 90;refresher=uas")
    assert dialog.interval("p.1", [invite(), other, progress]).actual == "the 200 names none"
    assert dialog.agreed_interval([invite("Session-Expires: 90"), other, progress]) is None


INTERVAL = "Session-Expires: 90;refresher=uas"


@pytest.mark.parametrize(
    ("method", "said", "accepted"),
    [
        ("UPDATE", ("200 OK", INTERVAL), True),
        ("INVITE", ("202 Accepted", INTERVAL), True),
        (
            "UPDATE",
            ("200 OK",),
            False,
        ),  # from then on nobody ends the session (RFC 4028 section 7.2)
        ("UPDATE", ("481 Call/Transaction Does Not Exist", INTERVAL), False),
        ("INFO", ("200 OK", INTERVAL), False),
    ],
)
@pytest.mark.parametrize("way", [("sent", "received"), ("received", "sent")])
def test_a_session_is_refreshed_when_the_other_side_accepts_it(
    way: tuple[str, str], method: str, said: tuple[str, ...], accepted: bool
) -> None:
    asked = messages.message(
        way[0], f"{method} sip:b SIP/2.0", f"7 {method}", "Session-Expires: 90"
    )
    accepts = messages.message(way[1], f"SIP/2.0 {said[0]}", f"7 {method}", *said[1:])
    assert dialog.accepts_refresh(accepts, [asked]) is accepted
    assert not dialog.accepts_refresh(replace(accepts, unread="syntax error"), [asked])
    assert not dialog.accepts_refresh(asked, [asked])
    assert not dialog.accepts_refresh(accepts, [])  # repeats what came before the call had settled
    for direction, number in ((way[1], 7), (way[0], 8)):
        other = messages.message(direction, f"{method} sip:b SIP/2.0", f"{number} {method}")
        assert not dialog.accepts_refresh(accepts, [other])
