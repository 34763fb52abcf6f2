"""The words of findings: ``findings.txt`` holds the finding of each example, and what it measured.

After an intended change of words, or with a new example, ``python -m tests.unit.checks.test_words`` writes the file again;
read its diff.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.audio.marks import DEFAULT_LEVEL_DBOV
from harness.calls.checks import (
    audio,
    dialog,
    finding,
    headers,
    identity,
    landing,
    quality,
    reach,
    registration,
    session,
    signalling,
    timing,
)
from harness.calls.checks.audio import ListenerReport
from harness.calls.events import Direction, SipMessage
from harness.calls.verdict import Finding
from tests.unit.checks.calls import AI_NUMBER, ANONYMOUS, ASSERTED, CALLER, answered, counted, exchange, heard, invite
from tests.unit.checks.check_examples import EXAMPLES
from tests.unit.phone_events import sip_message

FILE = Path(__file__).with_name("findings.txt")


def sip(direction: Direction, *lines: str, at: float = 0.0) -> SipMessage:
    """A message of a REGISTER or INVITE, by its first line and the headers that count."""
    cseq = [] if any(line.startswith("CSeq") for line in lines) else ["CSeq: 1 INVITE"]
    head = ["Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1", "From: <sip:a@x>;tag=1", "Call-ID: c"]
    to = [] if any(line.startswith("To:") for line in lines) else ["To: <sip:b@x>"]
    text = "\r\n".join([lines[0], *head, *to, *cseq, *lines[1:], "Content-Length: 0"]) + "\r\n\r\n"
    return sip_message(direction, text, at=at)


REGISTER = ("REGISTER sip:x SIP/2.0", "CSeq: 1 REGISTER")
BOUND = ("SIP/2.0 200 OK", "CSeq: 1 REGISTER")


def unbound(*messages: SipMessage) -> str:
    return str(registration.unbound(messages))


def twice_with_a_reinvite() -> list[SipMessage]:
    """A call whose re-INVITE is answered by the same party, and one answer that cannot be read."""
    again = sip("sent", "INVITE sip:b@x SIP/2.0", "To: <sip:b@x>;tag=t", "CSeq: 2 INVITE", at=2.0)
    unreadable = sip("received", "SIP/2.0 200 OK", "To: <sip:b@x>;tag=t", "CSeq: nonsense", at=2.05)
    return [
        sip("sent", "INVITE sip:b@x SIP/2.0"),
        unreadable,
        sip("received", "SIP/2.0 200 OK", "To: <sip:b@x>;tag=t", at=1.0),
        sip("sent", "ACK sip:b@x SIP/2.0", "CSeq: 1 ACK", at=1.01),
        again,
        sip("received", "SIP/2.0 200 OK", "To: <sip:b@x>;tag=u", "CSeq: 2 INVITE", at=2.1),
        sip("received", "SIP/2.0 200 OK", "To: <sip:b@x>;tag=v", "CSeq: 3 BYE", at=3.0),
    ]


def refused_422(asked: str, agreed: str) -> list[SipMessage]:
    return [
        sip("sent", "INVITE sip:b@x SIP/2.0", "Session-Expires: 90"),
        sip("received", "SIP/2.0 422 Small", "Min-SE: 120"),
        sip("sent", "INVITE sip:b@x SIP/2.0", f"Session-Expires: {asked}", "Min-SE: 120"),
        sip("received", "INVITE sip:a@x SIP/2.0", "Session-Expires: 5"),
        sip("received", "SIP/2.0 200 OK", f"Session-Expires: {agreed}", "Require: timer"),
    ]


#: Beyond the examples of each check: the other ways to say it, and the limits themselves.
MORE: dict[str, Callable[[], object]] = {
    "level, the least": lambda: audio.level("a", "b", DEFAULT_LEVEL_DBOV - 20.0),
    "level, below": lambda: audio.level("a", "b", DEFAULT_LEVEL_DBOV - 20.5),
    "level, the most": lambda: audio.level("a", "b", DEFAULT_LEVEL_DBOV + 9.0),
    "level, above": lambda: audio.level("a", "b", DEFAULT_LEVEL_DBOV + 9.5),
    "level, as sent": lambda: audio.level("a", "b", DEFAULT_LEVEL_DBOV),
    "level, a little above": lambda: audio.level("a", "b", DEFAULT_LEVEL_DBOV + 0.6),
    "level, a little below": lambda: audio.level("a", "b", DEFAULT_LEVEL_DBOV - 0.6),
    "heard, unmarked": lambda: heard(None, ListenerReport(2.0, None, (), rx_packets=100)),
    "heard, unmarked and a known mark": lambda: heard(None, ListenerReport(2.0, None, (7,), rx_packets=100)),
    "heard, other": lambda: heard(None, ListenerReport(2.0, -20.0, (), rx_packets=100)),
    "heard, other and a known mark": lambda: heard(None, ListenerReport(2.0, -20.0, (7,), rx_packets=100)),
    "heard, silence": lambda: heard(None, ListenerReport(2.0, -70.0, (), rx_packets=100)),
    "heard, silence of uncounted packets": lambda: heard(None, ListenerReport(2.0, -70.0, ())),
    "heard, another codec": lambda: heard(None, ListenerReport(2.0, -70.0, (), rx_packets=100, rx_other_type=91)),
    "heard, almost all of another codec": lambda: heard(
        None, ListenerReport(2.0, -70.0, (), rx_packets=100, rx_other_type=90)
    ),
    "heard, echo": lambda: heard(None, ListenerReport(2.0, -20.0, (9,), rx_packets=100)),
    "heard, no media": lambda: heard(None, ListenerReport(0.0, None)),
    "heard, nobody looked": lambda: heard(None),
    "answered once, in a re-INVITE": lambda: dialog.answered_once("p.1", twice_with_a_reinvite()),
    "acknowledged, with a re-INVITE": lambda: dialog.acknowledged("p.1", twice_with_a_reinvite()),
    "acknowledged, repeated once": lambda: dialog.acknowledged(
        "p.1", exchange(("200", "t", 1.0), ("200", "t", 1.6), ("200", "t", 1.7))
    ),
    "acknowledged, repeated twice": lambda: dialog.acknowledged(
        "p.1", exchange(("200", "t", 1.0), ("200", "t", 1.6), ("200", "t", 2.6))
    ),
    "acknowledged, nothing answered": lambda: dialog.acknowledged("p.1", twice_with_a_reinvite()[:1]),
    "acknowledged, no ACK": lambda: dialog.acknowledged("p.1", twice_with_a_reinvite()[:3]),
    "answered once, nobody": lambda: dialog.answered_once("p.1", twice_with_a_reinvite()[:1]),
    "answered once, an answer to nothing": lambda: dialog.answered_once("p.1", twice_with_a_reinvite()[2:3]),
    "unproven": lambda: finding.unproven(heard(None, ListenerReport(2.0, -70.0)), "first line\nsecond"),
    "unclear, a number": lambda: finding.unclear(landing.never_rang("p1", 1, True, ["x"]), [AI_NUMBER, "+1"]),
    "unclear, no number": lambda: finding.unclear(landing.stops("p1", False, 2.0), []),
    "request user": lambda: headers.request_user(invite(), "ai", AI_NUMBER, "m1"),
    "header": lambda: headers.header(invite("X-A: 1", "X-A: 2"), "ai", "X-A", "1", "m1"),
    "no header": lambda: headers.no_header(invite(), "ai", "X-A", "m1"),
    "no header, in the record": lambda: headers.header_not_in_record(None, "ai", "X-A", "id"),
    "header, in the record all the same": lambda: headers.header_not_in_record("1", "ai", "X-A", "id"),
    "header, and the record has others": lambda: headers.header_in_record(None, "ai", "X-A", "1", "id"),
    "header, in the record": lambda: headers.header_in_record("1", "ai", "X-A", "1", "id"),
    "called, in the record": lambda: headers.called_in_record(AI_NUMBER, "ai", AI_NUMBER, "id"),
    "caller id, national": lambda: identity.caller_id(invite(), "ai", CALLER, "national", "US", "m1"),
    "caller id, preserved": lambda: identity.caller_id(invite(ASSERTED), "ai", CALLER, "preserved", "US"),
    "caller id, anonymous user": lambda: identity.caller_id(
        invite(from_="<sip:anonymous@192.0.2.1>"), "ai", CALLER, "e164", "US"
    ),
    "caller id, anonymous host": lambda: identity.caller_id(
        invite(from_="<sip:x@anonymous.invalid>"), "ai", CALLER, "e164", "US"
    ),
    "caller, in the record": lambda: identity.caller_in_record("4155550101", "ai", CALLER, "US", "id"),
    "withheld, shown once": lambda: identity.withheld(
        invite(ASSERTED, "Privacy: id", f"Subject: {CALLER}", from_=ANONYMOUS), "ai", CALLER, "US", "m1"
    ),
    "withheld, shown twice": lambda: identity.withheld(
        invite(f"Subject: {CALLER}", f"Reply-To: <sip:{CALLER}@x>", from_=ANONYMOUS), "ai", CALLER, "US"
    ),
    "landed at two": lambda: landing.landed("a", "billing", {"p1": "sales", "p2": "billing", "p3": "sales"}),
    "landed nowhere": lambda: landing.landed("a", "billing", {}),
    "landed nowhere, called in vain": lambda: landing.landed("a", "billing", {}, ["p1"]),
    "stops": lambda: landing.stops("p1", True, 2.0),
    "goes on": lambda: landing.stops("p1", False, 2.0),
    "rang once": lambda: landing.never_rang("p1", 1, True),
    "rang twice": lambda: landing.never_rang("p1", 2, True, ["x", "y"]),
    "never rang": lambda: landing.never_rang("p1", 0, True),
    "no call up": lambda: landing.one_call("p1", [], "p1.1"),
    "another call up": lambda: landing.one_call("p1", ["p1.1", "p1.2"], "p1.1"),
    "loss, few packets by chance": lambda: quality.loss("p.1", counted(35, 9)),
    "loss, few packets and not by chance": lambda: quality.loss("p.1", counted(35, 14)),
    "loss, of three all": lambda: quality.loss("p.1", counted(0, 3)),
    "loss, of four all": lambda: quality.loss("p.1", counted(0, 4)),
    "answered, waited from the INVITE": lambda: reach.answered("p.1", 1.0, 2.0, since_invite_s=1.05),
    "answered, waited for later": lambda: reach.answered("p.1", 1.0, 2.0, since_invite_s=1.5),
    "tried, another": lambda: reach.tried("ai", AI_NUMBER, ["+1", "+2"]),
    "tried, none": lambda: reach.tried("ai", AI_NUMBER, []),
    "not answered": lambda: reach.not_answered("a", []),
    "rings on": lambda: reach.not_answered("a", [], "after 4 s it rings on", 180, goes_on=True),
    "answered all the same": lambda: reach.not_answered("a", ["x", "y"], code=200),
    "not reached": lambda: reach.not_reached("a", []),
    "reached": lambda: reach.not_reached("a", ["x", "y"]),
    "transfer, refused": lambda: reach.transfer_fails("a", 486),
    "transfer, silence": lambda: reach.transfer_fails("a", 0),
    "registered, unbound": lambda: registration.accepted("n", (200, "OK"), 5.0, "which does not list its Contact"),
    "registered, unbound and not answered": lambda: registration.accepted("n", None, 5.0, "which is odd"),
    "registered": lambda: registration.accepted("n", (200, ""), 5.0),
    "bound": lambda: unbound(
        sip("sent", *REGISTER, "Contact: <sip:a@h:5>"), sip("received", *BOUND, "Contact: <sip:a@h:5>;expires=60")
    ),
    "bound, by its address": lambda: unbound(
        sip("sent", *REGISTER, "Contact: <sip:a@h:5>"), sip("received", *BOUND, "Contact: <sip:z@h:5>;expires=60")
    ),
    "unbound": lambda: unbound(
        sip("sent", *REGISTER, "Contact: <sip:a@h:5>"), sip("received", *BOUND, "Contact: <sip:z@h:6>;expires=60")
    ),
    "expired": lambda: unbound(
        sip("sent", *REGISTER, "Contact: <sip:a@h:5>"), sip("received", *BOUND, "Contact: <sip:a@h:5>;expires=0")
    ),
    "bound, others' messages left out": lambda: unbound(
        sip("sent", *REGISTER, "Contact: <sip:a@h:5>"),
        sip("sent", "OPTIONS sip:x SIP/2.0", "CSeq: 1 OPTIONS", "Contact: <sip:o@o:1>"),
        sip("received", *REGISTER, "Contact: <sip:r@r:1>"),
        sip("received", "SIP/2.0 401 No", "CSeq: 1 REGISTER"),
        sip("received", *BOUND, "Contact: <sip:a@h:5>;expires=60"),
        sip("received", "SIP/2.0 200 OK", "CSeq: 1 OPTIONS"),
        sip("received", "SIP/2.0 403 No", "CSeq: 1 REGISTER"),
    ),
    "interval after a 422": lambda: session.interval("p.1", refused_422("120", "120;refresher=uac")),
    "interval after a 422, asked for less": lambda: session.interval("p.1", refused_422("119", "120;refresher=uac")),
    "interval, too short": lambda: session.interval("p.1", refused_422("200", "119;refresher=uas")),
    "interval, nobody refreshes": lambda: session.interval("p.1", refused_422("120", "120")),
    "interval, the header's own value": lambda: session.interval(
        "p.1", answered("Session-Expires: 90; refresher = uas")
    ),
    "transport, unknown": lambda: signalling.transport("ai", "udp", 1, "udp", "", "m1"),
    "final response, words": lambda: signalling.final_response("p.1", (486,), 0, "it was cancelled", "m1"),
    "digits by two ways": lambda: signalling.digits("ai", "12", "12", ["info", "rfc4733"], "rfc4733"),
    "took, the most": lambda: timing.took("x", "it", 3.0, 2.0),
    "took, too long": lambda: timing.took("x", "it", 3.01, 2.0),
    "released before it was looked": lambda: timing.released("x", -0.3, 1.0),
    "released at once": lambda: timing.released("x", 0.4, 1.0),
}


def written(found: object) -> str:
    """A finding as the file has it: its words, then its evidence and measured fields; any other result of a check as it is."""
    if not isinstance(found, Finding):
        return f"  {found}"
    strength = f", {found.strength.name.lower()}" if found.strength is not None else ""
    fields = [*found.evidence, *(f"{name} = {value!r}" for name, value in found.facts.items() if value)]
    return f"  {found.verdict}{strength}: {found}" + (f"\n    {', '.join(fields)}" if fields else "")


def every() -> dict[str, Callable[[], object]]:
    found: dict[str, Callable[[], object]] = {}
    for example in EXAMPLES:
        for index, make in enumerate((example.right, *example.wrong)):
            found[f"{example.check} by {example.of.__name__}, {index}"] = make
    return found | MORE


def held() -> dict[str, str]:
    found: dict[str, str] = {}
    name = ""
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):
            found[name] = f"{found[name]}\n{line}".strip("\n")
        else:
            name = line
            found[name] = ""
    return found


@pytest.mark.parametrize("name", held())
def test_a_finding_says_the_same_words(name: str) -> None:
    assert name in every(), "its example is gone: write findings.txt again"
    assert written(every()[name]()) == held()[name], "meant? then write findings.txt again, and read its diff"


def test_what_was_tried_beyond_the_examples_is_held() -> None:
    assert set(MORE) <= set(held())


if __name__ == "__main__":
    FILE.write_text("".join(f"{name}\n{written(make())}\n" for name, make in every().items()), encoding="utf-8")
