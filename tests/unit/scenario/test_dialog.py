"""What the messages of one call show: final responses, session refreshes, PRACK, and two offers at once."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.calls.events import CallState, Event, MediaState, SipMessage
from harness.calls.verdict import ExpectationError, Finding, Verdict
from harness.deployment import Limits
from harness.errors import PhoneParseError
from harness.phone import PhoneConfig
from harness.phone.waiter import NeverCame, never_came
from harness.scenario.ai import Ai
from harness.scenario.call import Call
from harness.scenario.conclusion import conclude
from harness.scenario.expect import Expect
from tests.unit.checks.session_messages import answer, invite, message
from tests.unit.phone_events import sip_message
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import leg

INVITE = "INVITE sip:+13125550100@carrier.example SIP/2.0"


class EndedLeg:
    """A call that is over, with all that it sent and got."""

    id, successor = "caller.1", None

    def __init__(self, code: int, *lines: str) -> None:
        number = itertools.count(1)
        last = 0
        self.messages = []
        for line in lines:
            last = next(number) if line == INVITE else last
            method = "CANCEL" if line == "200 OK" else "INVITE"
            start = line if line == INVITE else f"SIP/2.0 {line}"
            direction = "sent" if line == INVITE else "received"
            self.messages.append(sip_message(direction, f"{start}\r\nTo: <sip:a@b>\r\nCSeq: {last} {method}\r\n\r\n"))
        over = CallState(
            at=2.0, state="disconnected", code=code, reason="Request Terminated", phone="caller", leg=self.id
        )
        self.events: list[Event] = [*self.messages, over]

    def wait(self, goal: str, predicate: Callable[[Event], bool], within: float, **_: Any) -> Event:
        for event in self.events:
            if predicate(event):
                return event
        raise never_came(goal, within, self.id, "it never came", "")


def ended(code: int, *lines: str) -> tuple[int, str]:
    """What a call is said to have ended with that the phone itself ended with that code."""
    return Call(cast("Any", None), cast("Any", EndedLeg(code, *lines)), "caller").final_response(1.0)


@pytest.mark.parametrize(
    ("code", "lines", "final"),
    [
        (487, ("180 Ringing", "200 OK", "487 Request Terminated"), (487, "Request Terminated")),
        (486, ("407 Proxy Authentication Required", INVITE, "486 Busy Here"), (486, "Busy Here")),
        (487, ("302 Moved Temporarily",), (302, "Moved Temporarily")),  # whatever the phone calls it
        (407, ("407 Proxy Authentication Required",), (407, "Proxy Authentication Required")),
        (
            487,
            ("180 Ringing", "200 Answered", "200 OK"),
            (200, "Answered"),
        ),  # it crossed the CANCEL (RFC 3261 section 9.1)
    ],
)
def test_the_wire_s_word_counts(code: int, lines: tuple[str, ...], final: tuple[int, str]) -> None:
    assert ended(code, INVITE, *lines) == final


def test_what_the_phone_says_by_itself_is_no_response() -> None:
    code, reason = ended(487, INVITE, "407 Proxy Authentication Required", INVITE, "180 Ringing", "200 OK")
    assert code == 0
    assert reason == "no final response; the phone itself ended it as 487 Request Terminated"


# -- A REFER that the rules of the run itself had declined: what comes of it speaks against nobody


# -- A call that must not be set up: refused, or taken by nobody; not one that waits to be answered a little later


def unanswered_leg(*states: tuple[str, int, str]) -> Any:
    """A call of the harness that went through these states."""
    told: dict[str, Any] = {"phone": "ai", "leg": "ai.1", "at": time.monotonic()}
    events = [CallState(state=state, code=code, reason=reason, **told) for state, code, reason in states]  # type: ignore[arg-type]

    def wait(goal: str, predicate: Any, within: float, **_: Any) -> Any:
        if found := next(filter(predicate, events), None):
            return found
        raise never_came(goal, within, "ai.1", "nothing", "")

    return SimpleNamespace(id="ai.1", events=events, wait=wait, successor=None)


RINGS, TAKEN = ("early", 180, "Ringing"), ("confirmed", 200, "OK")


@pytest.mark.parametrize(
    ("states", "verdict", "actual"),
    [
        ([("disconnected", 403, "Forbidden")], Verdict.PASSED, "it ended with 403 Forbidden"),
        ([RINGS, ("disconnected", 480, "Gone")], Verdict.PASSED, "it ended with 480 Gone"),
        ([("disconnected", 503, "Connection refused")], Verdict.PASSED, "it ended with 503 Connection refused"),
        ([], Verdict.PASSED, "no answer came"),  # a firewall that drops what is in the clear
        ([("calling", 0, "")], Verdict.PASSED, "no answer came"),
        ([RINGS], Verdict.FAILED, "after 4 s it rings on"),
        ([("early", 183, "Queued")], Verdict.FAILED, "after 4 s it rings on"),
        ([RINGS, TAKEN], Verdict.FAILED, "ai.1 answered"),
        ([TAKEN, ("disconnected", 200, "OK")], Verdict.FAILED, "ai.1 answered"),
    ],
)
def test_a_call_that_rings_on_is_one_that_was_taken(
    make_context: MakeContext, states: list[tuple[str, int, str]], verdict: Verdict, actual: str
) -> None:
    context = make_context()
    Expect(context, Call(context, unanswered_leg(*states), "ai")).never_answered()
    (finding,) = context.evidence.findings
    assert (finding.check, finding.verdict, finding.actual) == ("route.not_answered", verdict, actual)


# -- When a session has to be refreshed, by whom, and where a case cannot wait for it (RFC 4028)


REFRESH_HEAD = (
    "Via: SIP/2.0/UDP b.example;branch=z9hG4bK{1}\r\nFrom: <sip:a@b.example>;tag=1\r\nTo: <sip:b@b.example>;tag=2\r\n"
)
REST = "Call-ID: 1@b.example\r\nCSeq: {1} INVITE\r\nSession-Expires: {0};refresher=uas\r\n\r\n"


class RefreshedLeg:
    """A call that the platform refreshes ``after`` so many seconds, by a clock that nobody waits for."""

    id, state, successor = "caller.1", "confirmed", None

    def __init__(self, interval: int, after: float) -> None:
        self._answered = time.monotonic()
        self.invite = self._message("sent", 0.0, "INVITE sip:b@b.example SIP/2.0", interval, 1)
        answer = self._message("received", 0.0, "SIP/2.0 200 OK", interval, 1)
        asked = self._message("received", after, "INVITE sip:a@b.example SIP/2.0", interval, 7)
        self._after = [asked, self._message("sent", after, "SIP/2.0 200 OK", interval, 7)]
        up = CallState(at=self._answered, phone="caller", leg=self.id, state="confirmed", code=200, reason="OK")
        self.events: list[Event] = [self.invite, answer, up]

    def _message(self, direction: Any, after: float, start: str, interval: int, cseq: int) -> SipMessage:
        return sip_message(
            direction, f"{start}\r\n" + (REFRESH_HEAD + REST).format(interval, cseq), at=self._answered + after
        )

    @property
    def messages(self) -> list[SipMessage]:
        return [event for event in self.events if isinstance(event, SipMessage)]

    def wait(self, goal: str, tells: Callable[[Event], bool], within: float, since: float) -> Event:
        asked, answer = self._after
        if answer.at <= since + within:
            self.events += [asked, answer]
            if tells(answer):
                return answer
        raise never_came(goal, within, self.id, "nothing", "")


def refreshed(make_context: MakeContext, interval: int, after: float, most_s: float = 120.0) -> Finding:
    context = make_context("SESSIONTIMER", "stand-in", limits=Limits(seconds_per_call=most_s))
    leg: Any = RefreshedLeg(interval, after)
    try:
        Expect(context, Call(context, leg, "caller")).session_is_refreshed()
    except ExpectationError as error:
        return error.finding
    return context.evidence.findings[-1]


@pytest.mark.parametrize(
    ("interval", "after", "verdict"),
    [
        (90, 45.0, Verdict.PASSED),
        (90, 51.0, Verdict.PASSED),  # half is recommended, and not asked for (section 10)
        (90, 59.0, Verdict.PASSED),
        (90, 67.0, Verdict.FAILED),  # a side that waits for it has sent its BYE
        (180, 140.0, Verdict.PASSED),
        (180, 155.0, Verdict.FAILED),
    ],
)
def test_a_session_is_refreshed_before_it_is_given_up(
    make_context: MakeContext, interval: int, after: float, verdict: Verdict
) -> None:
    assert refreshed(make_context, interval, after, most_s=600.0).verdict is verdict


def test_no_call_lasts_longer_than_the_file_allows(make_context: MakeContext) -> None:
    """A Min-SE of half an hour is legal, and common."""
    finding = refreshed(make_context, 1800, 900.0)
    assert finding.verdict is Verdict.NOT_OBSERVABLE
    assert finding.actual.endswith("is 900 s, and a call may last 120 s (limits.seconds_per_call)")
    assert refreshed(make_context, 1800, 900.0, most_s=1900.0).verdict is Verdict.PASSED


# -- That every provisional response is sent reliably: those are looked at, too, that come when one has been acknowledged


RELIABLE = answer("183 Session Progress", "Require: 100rel", "RSeq: 1")


def verdicts(make_context: MakeContext, required: str, *later: SipMessage) -> list[Verdict]:
    """What is found of a call with a reliable 183 and its PRACK, behind which these come."""
    context = make_context("PRACK", "stand-in")
    made = leg([], [invite(f"{required}: 100rel"), RELIABLE, message("received", "SIP/2.0 200 OK", "2 PRACK")])
    made.wait = lambda *_, **__: made.messages[-1]
    Expect(context, Call(context, made, "caller")).acknowledged_provisional()
    made.messages += later
    conclude(context, probe=False)
    return [finding.verdict for finding in context.evidence.findings if finding.check == "prack"]


def test_a_ringing_that_comes_later_is_to_be_reliable_as_well(make_context: MakeContext) -> None:
    rings, answered = answer("180 Ringing"), answer("200 OK")
    assert verdicts(make_context, "Require", answered) == [Verdict.PASSED]
    assert verdicts(make_context, "Require", rings, answered) == [Verdict.PASSED, Verdict.FAILED]
    assert verdicts(make_context, "Supported", rings, answered) == [Verdict.PASSED]


# -- Two offers at once (RFC 3261 section 14.1): who gets 491 offers again, later where it owns the Call-ID


class OfferingLeg:
    """A leg whose offers are answered as told: with 491, another refusal, or as asked for."""

    id, successor = "caller.1", None

    def __init__(self, direction: str, *answers: int) -> None:
        self.direction, self.answers = direction, list(answers)
        self.offers = 0
        self.events: list[Event] = [cast("Any", SimpleNamespace(at=0.0))]
        self.messages: list[SipMessage] = []  #: so far
        self.later: list[SipMessage] = []

    def hold(self) -> None:
        self.offers += 1
        self.events = []
        code = self.answers.pop(0)
        for method in ("UPDATE", "INVITE"):
            text = f"SIP/2.0 {code if method == 'INVITE' else 491} A\r\nCSeq: {self.offers} {method}\r\n\r\n"
            self.events.append(sip_message("received", text))
        if code == 200:
            self.events.append(MediaState(at=1.0, phone="caller", active=True, direction="sendonly"))

    def wait(self, goal: str, predicate: Callable[[Event], bool], within: float, since: float) -> Event:
        while self.later:
            self.messages.append(message := self.later.pop(0))
            if predicate(message):
                return message
        for event in self.events:
            if predicate(event):
                return event
        raise never_came(goal, within, self.id, "it never came", "")


class Context:
    """A case's, as far as an offer asks it; remembers how long it was to pause."""

    patience = 1.0

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self.pause = self.pauses.append
        self.evidence = SimpleNamespace(step=self.step, scripted=lambda *_, **__: None)

    @contextlib.contextmanager
    def step(self, _: str) -> Iterator[None]:
        yield


def hold(direction: str, *answers: int) -> tuple[OfferingLeg, list[float]]:
    leg, context = OfferingLeg(direction, *answers), Context()
    Call(cast("Any", context), cast("Any", leg), "caller").hold()
    return leg, context.pauses


@pytest.mark.parametrize(("direction", "least", "most"), [("outgoing", 2.1, 4.0), ("incoming", 0.0, 2.0)])
@pytest.mark.parametrize("glares", [0, 1, 2])
def test_it_offers_again(direction: str, least: float, most: float, glares: int) -> None:
    leg, pauses = hold(direction, *[491] * glares, 200)
    assert (leg.offers, len(pauses)) == (glares + 1, glares)
    assert all(least <= pause <= most for pause in pauses)


@pytest.mark.parametrize("answers", [(491, 491, 491), (488,), (491, 500)])
def test_what_is_refused_for_good_never_came(answers: tuple[int, ...]) -> None:
    with pytest.raises(NeverCame):
        hold("outgoing", *answers)


# -- An INVITE whose last headers were lost on the way to us: no check takes one of them for absent


HEAD = "INVITE sip:+13125550100@127.0.0.1 SIP/2.0\r\nX-Padding: " + "x" * 3800


def call_of(text: str) -> Call:
    invite = sip_message("received", text, leg="stand-in.1")
    return Call(
        cast("Any", None), cast("Any", SimpleNamespace(invite=invite, events=[invite], id="a", successor=None)), "ai"
    )


def test_what_lost_headers_is_not_looked_at() -> None:
    with pytest.raises(PhoneParseError, match="and drops the rest"):
        call_of(HEAD).invite  # noqa: B018


# -- Where a call in the clear goes: nobody speaks in the clear at TLS's own port, so that it would show nothing there


@pytest.mark.parametrize(
    ("termination", "transport", "place"),
    [
        ("acme.sip.example:5061", "udp", "acme.sip.example"),
        ("acme.sip.example:5061", "tcp", "acme.sip.example"),
        ("[2001:db8::7]:5061", "tcp", "[2001:db8::7]"),
        ("acme.sip.example:5071", "udp", "acme.sip.example:5071"),  # a port of its own says nothing of a transport
        ("acme.sip.example", "udp", "acme.sip.example"),
        ("acme.sip.example:5061", None, "acme.sip.example:5061"),  # over the trunk's own
    ],
)
def test_a_call_in_the_clear_goes_where_it_may_be_taken(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, termination: str, transport: Any, place: str
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
            return SimpleNamespace(id="ai.1", events=[], successor=None)

        return SimpleNamespace(dial=dial)

    monkeypatch.setattr(context.phones, "lease", lease)
    Ai(context).calls("+13125550142", transport=transport)
    ((uri, config),) = dialled
    assert uri.partition(";")[0] == f"sip:+13125550142@{place}"
    assert config.proxy == place, "and no proxy leads it elsewhere"
