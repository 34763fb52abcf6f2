"""What the messages of one call show: final responses, session refreshes, PRACK, and two offers at
once.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.case.events import Event, MediaState, SipMessage
from harness.case.verdict import ExpectationError, Verdict
from harness.deployment import Limits
from harness.errors import OfferPendingError, PhoneParseError
from harness.phone import PhoneConfig
from harness.scenario.ai import Ai
from harness.scenario.call import Call
from harness.scenario.expect import Expect
from tests.unit.checks.messages import answer, invite, message
from tests.unit.phone_events import sip_message
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import TOLD, ScriptedLeg, leg, states

PASSED, FAILED = Verdict.PASSED, Verdict.FAILED
INVITE = "INVITE sip:+13125550100@carrier.example SIP/2.0"


def ended(code: int, *lines: str) -> Any:
    """A call that the phone took for over with that code, and all that it sent and got before."""
    told: list[Event] = []
    number = 0
    for at, line in enumerate(lines):
        number += line == INVITE
        start, direction = (line, "sent") if line == INVITE else (f"SIP/2.0 {line}", "received")
        method = "CANCEL" if line == "200 OK" else "INVITE"
        text = f"{start}\r\nTo: <sip:a@b>\r\nCSeq: {number} {method}\r\n\r\n"
        told.append(sip_message(direction, text, at=at / 100))
    return leg(*told, *states("disconnected", began=2.0, code=code, reason="Request Terminated"))


@pytest.mark.parametrize(
    ("code", "lines", "final"),
    [
        (487, ("180 Ringing", "200 OK", "487 Request Terminated"), (487, "Request Terminated")),
        (
            487,
            ("302 Moved Temporarily",),
            (302, "Moved Temporarily"),
        ),  # whatever the phone calls it
        (
            487,
            ("180 Ringing", "200 Answered", "200 OK"),
            (200, "Answered"),
        ),  # crossed the CANCEL (RFC 3261 section 9.1)
        (
            487,
            ("407 Proxy Authentication Required", INVITE, "180 Ringing", "200 OK"),
            (0, "no final response; the phone itself ended it as 487 Request Terminated"),
        ),
    ],
)
def test_the_final_response_is_the_one_on_the_wire(
    code: int, lines: tuple[str, ...], final: tuple[int, str]
) -> None:
    nothing: Any = None
    assert Call(nothing, ended(code, INVITE, *lines), "caller").final_response(1.0) == final


# -- A call that must not be set up is refused, or not answered


@pytest.mark.parametrize(
    ("told", "verdict", "actual"),
    [
        (
            states("disconnected", code=403, reason="Forbidden"),
            PASSED,
            "it ended with 403 Forbidden",
        ),
        (states("calling"), PASSED, "no answer came"),
        (states("early"), FAILED, "after 4 s it rings on"),
        (states("confirmed", "disconnected"), FAILED, "ai.1 answered"),
    ],
)
def test_a_call_that_rings_on_was_accepted(
    make_context: MakeContext, told: list[Event], verdict: Verdict, actual: str
) -> None:
    context = make_context()
    Expect(context, Call(context, leg(*told, name="ai.1"), "ai")).never_answered()
    (finding,) = context.evidence.findings
    assert (finding.check, finding.verdict, finding.actual) == (
        "route.not_answered",
        verdict,
        actual,
    )


# -- When a session has to be refreshed, and where a case cannot wait for it (RFC 4028)


def refresh(direction: str, at: float, start: str, interval: int, cseq: int) -> SipMessage:
    text = (
        f"{start}\r\nVia: SIP/2.0/UDP b.example;branch=z9hG4bK{cseq}\r\nFrom: <sip:a@b.example>;tag=1\r\n"
        f"To: <sip:b@b.example>;tag=2\r\nCall-ID: 1@b.example\r\nCSeq: {cseq} INVITE\r\n"
        f"Session-Expires: {interval};refresher=uas\r\n\r\n"
    )
    return sip_message(direction, text, at=at)


@pytest.mark.parametrize(
    ("interval", "after", "most_s", "verdict"),
    [
        (90, 45.0, 600.0, PASSED),
        (90, 59.0, 600.0, PASSED),  # half is recommended, and not asked for (section 10)
        (90, 67.0, 600.0, FAILED),  # a side that waits for it has sent its BYE
        (1800, 900.0, 1900.0, PASSED),
        (
            1800,
            900.0,
            120.0,
            Verdict.NOT_OBSERVABLE,
        ),  # limits.seconds_per_call ends the call before
    ],
)
def test_a_session_is_refreshed_before_it_is_given_up(
    make_context: MakeContext,
    clock: Any,
    interval: int,
    after: float,
    most_s: float,
    verdict: Verdict,
) -> None:
    context = make_context(
        "SESSIONTIMER", "stand-in", limits=Limits(seconds_per_call=most_s), clock=clock
    )
    began = clock.now
    made = leg(
        refresh("sent", began, "INVITE sip:b@b.example SIP/2.0", interval, 1),
        refresh("received", began, "SIP/2.0 200 OK", interval, 1),
        *states("confirmed", began=began),
        refresh("received", began + after, "INVITE sip:a@b.example SIP/2.0", interval, 7),
        refresh("sent", began + after, "SIP/2.0 200 OK", interval, 7),
        clock=clock,
    )
    try:
        Expect(context, Call(context, made, "caller")).session_is_refreshed()
        found = context.evidence.findings[-1]
    except ExpectationError as error:
        found = error.finding
    assert found.verdict is verdict


# -- Where reliable provisional responses are required, each has to be one


@pytest.mark.parametrize(
    ("required", "before", "verdict"),
    [
        ("Require", [], PASSED),
        ("Require", ["180 Ringing"], FAILED),
        ("Supported", ["180 Ringing"], PASSED),
    ],
)
def test_each_provisional_response_is_reliable(
    make_context: MakeContext, required: str, before: list[str], verdict: Verdict
) -> None:
    context = make_context("PRACK", "stand-in")
    reliable = answer("183 Session Progress", "Require: 100rel", "RSeq: 1")
    acknowledged = message("received", "SIP/2.0 200 OK", "2 PRACK")
    made = leg(invite(f"{required}: 100rel"), *map(answer, before), reliable, acknowledged)
    Expect(context, Call(context, made, "caller")).acknowledged_provisional()
    assert [(finding.check, finding.verdict) for finding in context.evidence.findings] == [
        ("prack", verdict)
    ]


# -- Two offers at once (RFC 3261 section 14.1)


class OfferingLeg(ScriptedLeg):
    """A leg whose offers are answered so: with 491, another refusal, as asked for; or not made, as
    another is under way (0).
    """

    offers = 0

    def __init__(self, clock: Any, direction: str, *answers: int) -> None:
        super().__init__(direction=direction, clock=clock)
        self.answers, self.now = list(answers), clock

    def hold(self) -> None:
        code = self.answers.pop(0)
        if code == 0:
            raise OfferPendingError("another offer is under way")
        self.offers += 1
        self.told = [
            sip_message(
                "received",
                f"SIP/2.0 {status} A\r\nCSeq: {self.offers} {method}\r\n\r\n",
                at=self.now.now,
            )
            for method, status in (("UPDATE", 491), ("INVITE", code))
        ]
        if code == 200:
            self.told.append(MediaState(at=self.now.now, active=True, direction="sendonly", **TOLD))


@pytest.mark.parametrize(
    ("direction", "answers", "least", "most"),
    [
        ("outgoing", (200,), 0.0, 0.0),
        ("outgoing", (491, 200), 2.1, 4.0),  # who owns the Call-ID waits longer
        ("outgoing", (491, 491, 200), 4.2, 8.0),
        ("incoming", (491, 200), 0.0, 2.0),
        ("outgoing", (0, 0, 200), 0.1, 0.1),  # it offers when the other's INVITE is over
    ],
)
def test_an_offer_that_met_another_is_made_again(
    make_context: MakeContext,
    clock: Any,
    direction: str,
    answers: tuple[int, ...],
    least: float,
    most: float,
) -> None:
    made: Any = OfferingLeg(clock, direction, *answers)
    began = clock.now
    Call(make_context(clock=clock), made, "caller").hold()
    assert made.offers == len(list(filter(None, answers)))
    assert least - 0.01 <= clock.now - began <= most + 0.01


def test_an_invite_that_lost_headers_is_not_judged() -> None:
    """Otherwise a check takes a header that was cut off for absent."""
    text = "INVITE sip:+13125550100@127.0.0.1 SIP/2.0\r\nX-Padding: " + "x" * 3800
    nothing: Any = None
    with pytest.raises(PhoneParseError, match="and drops the rest"):
        Call(nothing, leg(sip_message("received", text)), "ai").invite  # noqa: B018
    whole = Call(
        nothing,
        leg(sip_message("received", f"{text}\r\nX-Last: 1\r\nContent-Length: 900\r\n\r\nv=0")),
        "ai",
    )
    assert whole.invite is not None, "a body that was cut off loses no header"


# -- Where a call in the clear goes: nobody speaks in the clear at TLS's own port, so that it would show nothing there


@pytest.mark.parametrize(
    ("termination", "transport", "place"),
    [
        ("acme.sip.example:5061", "tcp", "acme.sip.example"),
        ("[2001:db8::7]:5061", "tcp", "[2001:db8::7]"),
        (
            "acme.sip.example:5071",
            "udp",
            "acme.sip.example:5071",
        ),  # a port of its own says nothing of a transport
        ("acme.sip.example:5061", None, "acme.sip.example:5061"),  # over the trunk's own
    ],
)
def test_a_call_in_the_clear_goes_where_it_may_be_taken(
    make_context: MakeContext,
    monkeypatch: pytest.MonkeyPatch,
    termination: str,
    transport: Any,
    place: str,
) -> None:
    """RFC 3261 section 19.1.2: 5061 is TLS's, and 5060 that of the others."""
    context = make_context(ai="stand-in")
    trunk = context.trunk.model_copy(update={"transport": "tls", "termination": termination})
    context.__dict__["trunk"] = trunk
    stand_in = context.deployment.stand_in.model_copy(update={"bind": "127.0.0.9"})
    context.deployment = context.deployment.model_copy(update={"stand_in": stand_in})
    dialled: list[tuple[str, PhoneConfig]] = []

    def lease(config: PhoneConfig, **_: Any) -> Any:
        def dial(uri: str) -> Any:
            dialled.append((uri, config))
            return leg()

        return SimpleNamespace(dial=dial)

    monkeypatch.setattr(context.phones, "lease", lease)
    Ai(context).calls("+13125550142", transport=transport)
    ((uri, config),) = dialled
    assert uri.partition(";")[0] == f"sip:+13125550142@{place}"
    assert config.proxy == place, "and no proxy leads it elsewhere"
