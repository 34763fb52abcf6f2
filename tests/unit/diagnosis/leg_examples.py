"""Examples of what any leg shows: hang-ups, headers, codecs, digits, and Gladly's headers and
transport.
"""

from __future__ import annotations

from typing import Any, Literal

from harness.deployment import Handover
from tests.unit.diagnosis.case import CALLER, Example, description, dialled
from tests.unit.diagnosis.stories import (
    GROUP,
    ON_HOLD,
    QUEUE,
    Expected,
    campaign,
    from_outside,
    heard,
    lost,
    people,
    referred,
    refused_caller,
    talk,
    transfer,
    warm,
)

EVENTS = "a=rtpmap:101 telephone-event/8000\r\n"
WITHOUT = description("192.0.2.1")
NO_G711 = description("198.51.100.70", "18")


AT_A_TELEPHONE = {"phones.reception.number": "+14155550177", "phones.reception.shows": "platform"}


def fallback(**fields: Any) -> Example:
    """The AI refused, and the fallback's agent answered."""
    example = Example(row="TD-FALLBACK-REFUSED", line="fallback-refused", **fields)
    example.dials().ai_gets().ai_answers(503, "Service Unavailable").after(0.1).rings("reception")
    return example.answered().landed("reception", "reception")


def to_agent(example: Example, phone: str, code: int, offer: str = NO_G711) -> Example:
    """An INVITE that the agent's phone refuses by itself: no leg of it begins."""
    return example.at_phone(phone, "INVITE", offer).at_phone(
        phone, "INVITE", code=code, reason="Not Acceptable Here"
    )


def refused_fallback(example: Example) -> Example:
    return example.ends_at_once(488, "Not Acceptable Here").landed("reception")


def capacity(reached: int, made: int = 4) -> Example:
    """Calls made at once, of which so many reached the AI; the trunk is agreed to carry three."""
    example = dialled(row="TD-CAPACITY", ai="stand-in")
    for number in range(2, made + 1):
        example.dials_too(f"caller-{number}")
    for number in range(reached):
        example.ai_gets(call_id=f"call-{number}").ai_answers(call_id=f"call-{number}")
    return example


def _early_media(ai: Literal["synthflow", "stand-in"]) -> Example:
    """The AI sent a 183 with SDP, then its 200; the caller heard of the 200 alone."""
    example = dialled(row="EARLYMEDIA", line="early-media", ai=ai).after(0.1).ai_gets()
    example.ai_answers(183, "Session Progress", sdp=WITHOUT).ai_answers(sdp=WITHOUT)
    if ai == "stand-in":  # whose answer has a moment
        example.rings("stand-in").state("connecting", 200, "OK", phone="stand-in")
    return example.answered().taken().finding("audio.early", "caller.1")


def _kept_silent() -> Example:
    """The caller got a 183 with SDP as well, and heard the AI only once it had answered."""
    example = dialled(row="EARLYMEDIA", line="early-media", ai="stand-in").after(0.1).ai_gets()
    example.ai_answers(183, "Session Progress", sdp=WITHOUT)
    example.caller_gets(
        f"SIP/2.0 183 Session Progress\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\n\r\n{WITHOUT}"
    )
    example.ai_answers(sdp=WITHOUT).rings("stand-in").state(
        "connecting", 200, "OK", phone="stand-in"
    )
    example.answered().taken().finding("audio.early", "stand-in.1 → caller.1")
    return example.both_hear()


def _media_refused(offer: str, row: str = "TD-FALLBACK-REFUSED") -> Example:
    """The AI refuses the call for its media, and so is the caller refused."""
    example = dialled(row=row, line="fallback-refused").ai_gets(offer=offer)
    return example.ai_answers(488, "Not Acceptable Here").ends_at_once(488, "Not Acceptable Here")


def hung_up(by: str, code: int) -> Example:
    """One of them hangs up, and the caller's leg stays."""
    if by == "agent":
        example = transfer(Example(ai="stand-in"), "HANGUP-AGENT").ai_refers(GROUP).rings("billing")
        example.landed("billing", "billing").at_phone("billing", "BYE", sent=True, within=True)
        if code:
            example.at_phone("billing", "BYE", code=code, sent=False)
    else:
        example = heard(Example(row="HANGUP-AI", ai="stand-in"))
        example._sip("sent", "BYE sip:platform SIP/2.0", to="<sip:x@y.example>;tag=p", number="5")
        if code:
            example._sip("received", f"SIP/2.0 {code} OK", "BYE", number="5")
    return example.after(1.5).still_up("caller.1")


def told_of_another_call(example: Example, phone: str) -> Example:
    """A BYE comes that names another dialog than the leg's, which stays."""
    return (
        example.at_phone(phone, "BYE", sent=False, within=True)
        .at_phone(phone, "BYE", code=481, sent=True)
        .after(1.5)
        .still_up(f"{phone}.1")
    )


SELECTOR = "X-Gladly-Routing-Selector"
MACHINE = "+18155550106"  #: a group with voicemail, at Talkdesk


def said_done(example: Example | None = None, to: str = GROUP) -> Example:
    """The platform's NOTIFY says 200, whoever rang."""
    return (
        transfer(example or Example(ai="stand-in")).ai_refers(to).platform_says(202).notified(200)
    )


def to_a_machine() -> Example:
    """An assistant that hands over to a group whose calls the platform answers itself."""
    handover = Handover(transfer="cold", transfer_to="machine", digit="3")
    return Example(ai="stand-in", axes={"handover": "machine"}, handovers={"machine": handover})


def refused_form(form: str = "") -> Example:
    """The platform itself refuses the call, and nobody rings."""
    example = (
        Example(row="NUMBERFORMATS", ai="stand-in")
        .dials(number=form)
        .ends_at_once(404, "Not Found")
    )
    return example.not_taken()


def untold() -> Example:
    """A transfer that succeeded, of which the AI was never told; it hangs up late, and the caller
    at some time.
    """
    example = referred(ai="stand-in").rings("billing")
    example.landed("billing", "billing").asks("BYE", 200, "OK")
    return example.finding("released", "stand-in.1", actual="it ended after 1.72 s", seconds=1.72)


def at_agent(method: str, *, reason: str = "") -> Example:
    """An agent takes the call of a transfer; then something comes to that phone."""
    example = referred(ai="stand-in").reaches("billing")
    on = {"leg": "billing.1"}
    example.at_phone("billing", "INVITE", **on).at_phone("billing", "INVITE", code=200, **on)  # type: ignore[arg-type]
    if method != "ACK":
        example.after(0.1).at_phone("billing", "ACK", within=True, **on)  # type: ignore[arg-type]
    if method == "ACK":
        return example.after(0.5).at_phone("billing", "INVITE", code=200, **on)  # type: ignore[arg-type]
    return example.after(0.1).at_phone("billing", method, reason, within=True, **on)  # type: ignore[arg-type]


LEGS = [
    Expected(
        "transfer.raced",
        at_agent("CANCEL").with_agent("billing", "no-rtp", "no-rtp"),
        "likely another-device-answered",
    ),
    *(
        Expected(
            rule,
            at_agent("BYE").with_agent("billing", "no-rtp", "no-rtp"),
            "likely another-device-answered, agent-call-dropped",
        )
        for rule in ("transfer.raced", "transfer.cut.or-raced")
    ),
    Expected(
        "reach.agent-answer.lost",
        at_agent("ACK").with_agent("billing", "no-rtp", "no-rtp"),
        "likely answer-not-passed-on",
    ),
    Expected(
        "reach.agent-answer.kept",
        people()
        .reaches("reception")
        .at_phone("reception", "INVITE", leg="reception.1")
        .at_phone("reception", "INVITE", code=200, leg="reception.1")
        .at_phone("reception", "ACK", within=True, leg="reception.1")
        .after(4)
        .unanswered(),
        "likely answer-not-passed-on",
    ),
    Expected(
        "audio.agent.held",
        at_agent("INVITE", reason=ON_HOLD).after(1).with_agent("billing", "no-rtp", "no-rtp"),
        "likely media-on-hold",
    ),
    Expected(
        "release.ai.kept.passed-on",
        referred()
        .caller_gets(f"REFER sip:x SIP/2.0\r\nRefer-To: <sip:{GROUP}@x>")
        .replaces()
        .reaches("billing")
        .finding("one_call", "caller", up=("caller.1", "caller.2")),
        "likely ai-hangup-not-passed-on",
    ),
    Expected("fallback.none.full", capacity(3).landed("reception"), "likely fallback-missing"),
    Expected(
        "reach.ringing-lost",
        dialled(ai="stand-in")
        .ai_gets()
        .ai_answers(180, "Ringing")
        .finding("ringing", "caller.1", seconds=None),
        "likely ringing-not-passed-on",
    ),
    Expected(
        "reach.another-assistant.attached",
        dialled().answered().not_taken("sales"),
        "likely route-wrong-did; possible assistant-not-attached",
    ),
    Expected(
        "reach.unknown-number.again",
        refused_form("4155550123").calls_again("form", "+14155550123", refused=404),
        "likely number-unknown-at-platform",
    ),
    Expected(
        "reach.codec.again",
        dialled(ai="stand-in")
        .ends_at_once(488, "Not Acceptable Here")
        .not_taken()
        .calls_again("codec", "+14155550123", rang=["stand-in"], again_as_before="refused"),
        "likely platform-refuses-caller",
    ),
    Expected(
        "transfer.again.group-wrong",
        lost(said_done()).calls_again("group", GROUP, rang=["support"]),
        "likely group-wrong",
    ),
    Expected(
        "transfer.again.nobody-available",
        # As Asterisk's Queue does it: 200, and music, with nobody logged in.
        said_done(to_a_machine(), MACHINE)
        .landed("machine")
        .calls_again("group", MACHINE, answered=True),
        "likely nobody-available",
    ),
    Expected(
        "caller_id.at-a-telephone",
        fallback(file=AT_A_TELEPHONE).caller_id("reception.1", "+12015550199"),
        "likely telephone-shown-otherwise",
    ),
    Expected(
        "caller_id.lost-to-people",
        people()
        .rings("reception")
        .answered()
        .landed("reception", "reception")
        .caller_id("billing.1", CALLER, passed=True)
        .caller_id("reception.1", "+13125550100"),
        "likely caller-id-lost-on-fallback",
    ),
    Expected(
        "caller_id.customer",
        campaign().rings("customer").caller_id("customer.1", "+13125550177").taken(),
        "certain campaign-caller-id",
    ),
    Expected(
        "codec.customer",
        to_agent(campaign(), "customer", 488).landed("customer"),
        "certain harness-phone-refuses",
    ),
    Expected(
        "campaign.not-dialled",
        campaign().landed("customer"),
        "likely campaign-not-dialled",
    ),
    *(
        Expected(
            f"header.{rule}.agent",
            transfer(Example("gladly", transport="tls"), "GL-TRANSFER-TOPIC")
            .ai_refers(QUEUE, f"?{SELECTOR}={sent}")
            .rings("queue")
            .finding("header", "support.1", header=SELECTOR, values=came, value="support"),
            f"certain {cause}",
        )
        for rule, sent, came, cause in (
            ("missing", "support", [], "header-not-passed-on"),
            ("other-sent", "x", ["x"], "transfer-topic-wrong"),
            ("changed", "support", ["x"], "header-changed"),
        )
    ),
    Expected(
        "reach.answers.two",
        heard().finding("answered.once", "caller.1"),
        "certain answered-twice",
    ),
    Expected("release.ai.not-taken", hung_up("ai", 481), "certain hangup-not-taken"),
    Expected(
        "release.ack.to-ai",
        talk(Example(ai="stand-in"))
        .ai_answers()
        .after(0.5)
        .ai_answers()
        .both_hear()
        .finding("answered.acknowledged", "stand-in.1", repeated=1),
        "certain ack-not-taken",
    ),
    Expected(
        "release.caller.refused",
        told_of_another_call(heard(Example(row="HANGUP-AI")), "caller"),
        "certain hangup-not-taken",
    ),
    Expected(
        "release.ai.refused",
        told_of_another_call(
            talk(Example(row="HANGUP-CALLER", ai="stand-in")).to_ai().asks("BYE", 200, "OK"),
            "stand-in",
        ),
        "certain hangup-not-taken",
    ),
    Expected(
        "release.agent.refused",
        told_of_another_call(
            transfer(Example(ai="stand-in"), "HANGUP-CALLER")
            .ai_refers(GROUP)
            .reaches("billing")
            .asks("BYE", 200, "OK"),
            "billing",
        ),
        "certain hangup-not-taken",
    ),
    Expected("release.agent.not-taken", hung_up("agent", 481), "certain hangup-not-taken"),
    Expected(
        "transfer.busy",
        lost(to_agent(referred(ai="stand-in"), "billing", 486).notified(486)),
        "certain harness-phone-refuses",
    ),
    Expected(
        "transfer.elsewhere",
        lost(said_done(Example()).replaces()),
        "likely another-device-answered; possible nobody-available",
    ),
    Expected("lost.early.audio", _kept_silent(), "likely early-media-not-passed-on"),
    *(
        Expected(
            rule,
            _early_media("synthflow"),
            "likely early-media-not-passed-on, platform-answers-first",
        )
        for rule in ("lost.early.unordered", "lost.early.answered-first")
    ),
    Expected(
        "release.given-up.fallback",
        dialled(row="TD-FALLBACK-TIMEOUT", line="fallback-timeout")
        .ai_gets()
        .after(2)
        .reaches("reception")
        .still_up("assistant main"),
        "certain ai-not-let-go",
    ),
    Expected(
        "release.given-up.refused",
        dialled(row="NOANSWER", line="no-answer")
        .ai_gets()
        .after(2)
        .ends_here(480, "Temporarily Unavailable")
        .still_up("assistant main"),
        "certain ai-not-let-go",
    ),
    Expected(
        "fallback.srtp",
        _media_refused("SRTP alone").landed("reception"),
        "certain srtp-mismatch; likely fallback-missing",
    ),
    Expected(
        "fallback.none.media",
        _media_refused("no G.711", "TD-INBOUND").not_taken(),
        "certain no-g711; likely fallback-missing",
    ),
    Expected(
        "transfer.credentials",
        lost(
            warm(Example(authentication="digest"))
            .ai_invites(GROUP, authorization='Digest username="x"')
            .platform_says(407, "Proxy Authentication Required", "INVITE")
        ),
        "certain transfer-call-challenged",
    ),
    Expected("registration.unanswered.outside", from_outside(), "likely registration-unanswered"),
    Expected(
        "reach.form",
        Example(row="NUMBERFORMATS", axes={"form": "national"})
        .dials(number="3125550100")
        .ends_at_once(404, "Not Found")
        .all_ports_answer()
        .not_taken(),
        "likely number-form-refused",
    ),
    Expected(
        "reach.caller-credentials",
        refused_caller(407, "Proxy Authentication Required"),
        "likely platform-refuses-caller",
    ),
    Expected(
        "reach.withheld",
        Example(row="ANONYMOUS")
        .dials(withheld=True)
        .ends_at_once(401, "Unauthorized")
        .all_ports_answer()
        .not_taken(),
        "likely platform-refuses-caller",
    ),
    Expected(
        "reach.identity",
        refused_caller(608, "Rejected"),
        "likely platform-refuses-caller",
    ),
]


def _gladly(row: str, **invite: Any) -> Example:
    return talk(Example("gladly", row, transport="tls"), **invite)


def _header(name: str, values: list[str], value: str | None) -> Example:
    return _gladly("GL-HEADER-CALLER").finding(
        "header", "assistant main", header=name, values=values, value=value
    )


def call_from_outside(code: int = 0, *, answered: bool = False) -> Example:
    """A call to the queue from an address that is not allowed, which has to end with 403."""
    example = Example("gladly", "GL-ALLOWLIST-UNLISTED", transport="tls", ai="stand-in")
    if answered:
        example.state("confirmed", 200, "OK", phone="stranger")
    return example.finding("final_response", "stranger.1", code=code)


def in_the_clear() -> Example:
    """A number whose destination lacks transport=tls: its caller is to get the fallback."""
    return Example("gladly", "GL-PLAINTEXT", transport="tls", line="plaintext").dials().after(0.1)


def taken_in_the_clear() -> Example:
    """The AI gets it all the same, and the fallback does not come."""
    example = in_the_clear().ai_gets(over="udp", tls=False).ai_answers().answered()
    return example.after(5).landed("reception")


GLADLY = [
    Expected(
        "gladly.in-the-clear.refused",
        dialled(integration="gladly", row="REJECTED", transport="tls", line="rejected")
        .ai_gets(over="udp", tls=False)
        .ai_answers(403, "TLS required")
        .ends_at_once(403, "TLS required")
        .finding("final_response", "caller.1", code=403, wanted=(603,)),
        "certain tls-not-appended",
    ),
    Expected("gladly.unguarded", call_from_outside(answered=True), "certain calls-unguarded"),
    Expected(
        "gladly.taken-in-the-clear",
        in_the_clear()
        .rings("reception")
        .answered()
        .landed("reception", "reception")
        .finding("route.not_answered", "the AI", answered=["main"], code=0),
        "certain taken-in-the-clear",
    ),
    Expected(
        "gladly.taken-in-the-clear.landing", taken_in_the_clear(), "certain taken-in-the-clear"
    ),
    Expected(
        "gladly.repeated",
        _header("X-Gladly-Caller-Id", [CALLER, CALLER], CALLER),
        "certain caller-header-wrong",
    ),
]
