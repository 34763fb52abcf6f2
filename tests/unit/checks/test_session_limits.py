"""Session intervals exactly at what was asked for, and at the least there may be (RFC 4028)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.calls.checks import session
from harness.calls.verdict import Verdict
from tests.unit.checks.session_messages import answer, invite, message


def agreed(asked: tuple[str, ...], said: tuple[str, ...]) -> tuple[Verdict, str]:
    finding = session.interval("p.1", [invite(*asked), answer("200 OK", *said)])
    return finding.verdict, finding.actual


@pytest.mark.parametrize(
    ("asked", "seconds", "wrong"),
    [
        (("Session-Expires: 100",), 100, ""),
        (("Session-Expires: 100",), 101, ", longer than the 100 s asked for"),
        (("Session-Expires: 100",), 90, ""),
        (("Session-Expires: 100",), 89, ", shorter than 90 s"),
        (("Session-Expires: 200", "Min-SE: 100"), 100, ""),
        (("Session-Expires: 200", "Min-SE: 100"), 99, ", shorter than 100 s"),
        (("Session-Expires: 200", "Min-SE: 10"), 90, ""),
        ((), 1800, ""),
        ((), 89, ", shorter than 90 s"),
    ],
)
def test_no_longer_than_asked_and_no_shorter_than_the_least(asked: tuple[str, ...], seconds: int, wrong: str) -> None:
    verdict, actual = agreed(asked, (f"Session-Expires: {seconds};refresher=uas",))
    assert verdict is (Verdict.FAILED if wrong else Verdict.PASSED)
    assert actual == f"{seconds} s{wrong}"


@pytest.mark.parametrize(
    ("said", "right"),
    [
        (("Session-Expires: 90;refresher=uas",), True),
        (("Session-Expires: 90 ; Refresher = UAS",), True),
        (("Session-Expires: 90;refresher=uac", "Require: timer"), True),
        (("Session-Expires: 90;refresher=uac", "Require: 100rel, Timer"), True),
        (("Session-Expires: 90;refresher=uac", "Require: 100rel"), False),
        (("Session-Expires: 90;refresher=proxy",), False),
        (("Session-Expires: 90;x=refresher=uas",), False),
        (("Session-Expires: x;refresher=uas",), False),
        ((), False),
    ],
)
def test_somebody_has_to_refresh(said: tuple[str, ...], right: bool) -> None:
    assert (agreed((), said)[0] is Verdict.PASSED) is right


def test_after_a_422_each_invite_asks_for_enough() -> None:
    def tried(*intervals: int) -> tuple[Verdict, str]:
        refused = answer("422 Session Interval Too Small", "Min-SE: 120")
        messages = [invite("Session-Expires: 90"), refused]
        messages += [invite(f"Session-Expires: {seconds}") for seconds in intervals]
        finding = session.interval("p.1", [*messages, answer("200 OK", "Session-Expires: 120;refresher=uas")])
        return finding.verdict, finding.actual

    assert tried(120) == (Verdict.PASSED, "120 s, after 1× 422 with Min-SE 120 s")
    assert tried(121)[0] is Verdict.PASSED
    assert tried(119, 120)[0] is Verdict.FAILED
    theirs = message("received", "INVITE sip:a@example.com SIP/2.0", "7 INVITE", "Session-Expires: 60")
    mine = [invite("Session-Expires: 100"), theirs, answer("200 OK", "Session-Expires: 100;refresher=uas")]
    assert session.interval("p.1", mine).verdict is Verdict.PASSED


def test_the_largest_min_se_of_several_refusals_counts() -> None:
    refusals = [answer("422 Small", "Min-SE: 200"), answer("422 Small", "Min-SE: 150")]
    late = [*refusals, invite("Session-Expires: 199"), answer("200 OK", "Session-Expires: 199;refresher=uas")]
    finding = session.interval("p.1", late)
    assert finding.verdict is Verdict.FAILED
    assert finding.actual.endswith(", after 2× 422 with Min-SE 200 s")
    assert finding.facts["min_se_s"] == 200


def test_the_answer_to_another_request_agrees_to_nothing() -> None:
    other = message("received", "SIP/2.0 200 OK", "1 UPDATE", "Session-Expires: 90;refresher=uas")
    progress = answer("183 Session Progress", "Session-Expires: 90;refresher=uas")
    assert session.interval("p.1", [invite(), other, progress]).actual == "the 200 names none"
    assert session.agreed_interval([invite("Session-Expires: 90"), other, progress]) is None
    assert session.agreed_interval([invite(), other, answer("200 OK", "x: 120;refresher=uas")]) == 120


INTERVAL = "Session-Expires: 90;refresher=uas"


@pytest.mark.parametrize(
    ("method", "said", "accepted"),
    [
        ("UPDATE", ("200 OK", INTERVAL), True),
        ("INVITE", ("202 Accepted", INTERVAL), True),
        ("UPDATE", ("200 OK",), False),  # from then on nobody ends the session (RFC 4028 section 7.2)
        ("UPDATE", ("481 Call/Transaction Does Not Exist", INTERVAL), False),
        ("UPDATE", ("500 Server Internal Error",), False),
        ("UPDATE", ("407 Proxy Authentication Required",), False),
        ("INFO", ("200 OK", INTERVAL), False),
    ],
)
@pytest.mark.parametrize("way", [("sent", "received"), ("received", "sent")])
def test_a_session_is_refreshed_when_the_other_side_accepts_it(
    way: tuple[str, str], method: str, said: tuple[str, ...], accepted: bool
) -> None:
    asked = message(way[0], f"{method} sip:b SIP/2.0", f"7 {method}", "Session-Expires: 90")
    answers = message(way[1], f"SIP/2.0 {said[0]}", f"7 {method}", *said[1:])
    assert session.accepts_refresh(answers, [asked]) is accepted
    assert not session.accepts_refresh(asked, [asked])
    assert not session.accepts_refresh(answers, [])  # repeats what came before the call had settled
    for other in (
        message(way[1], f"{method} sip:b SIP/2.0", f"7 {method}"),
        message(way[0], f"{method} sip:b SIP/2.0", f"8 {method}"),
    ):
        assert not session.accepts_refresh(answers, [other])


def test_what_the_phone_could_not_read_accepts_nothing() -> None:
    """To the call it never was (``SipMessage.unread``); it may lack all that a response has to have."""
    asked = message("sent", "UPDATE sip:b SIP/2.0", "7 UPDATE", "Session-Expires: 90")
    for cseq in ("7 UPDATE", "no number"):
        dropped = replace(message("received", "SIP/2.0 200 OK", cseq, INTERVAL), unread="syntax error")
        assert not session.accepts_refresh(dropped, [asked])
