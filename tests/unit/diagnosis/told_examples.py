"""Examples of refusals that say more than their status: by Reason (RFC 3326), Warning or Retry-After."""

from __future__ import annotations

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.stories import GROUP, Expected, fallback, lost, register, talk, transfer

#: As gateways and switches really write it.
NO_ROUTE = 'Q.850;cause=3;text="NO_ROUTE_DESTINATION"'
UNALLOCATED = 'Q.850;cause=1;text="UNALLOCATED_NUMBER"'
NO_CIRCUIT = "Q.850;cause=34"
CONGESTED = 'Q.850 ;cause=42 ;text="Switching equipment congestion"'


def refused_by_ai(code: int, phrase: str, **headers: str) -> Example:
    """The AI's side refused the call, and its answer has these headers."""
    example = fallback(Example()).ai_gets()
    example._sip("sent", f"SIP/2.0 {code} {phrase}", "INVITE", to="<sip:ai@192.0.2.60>;tag=b", **headers)
    return example.all_ports_answer().not_taken("the phone reception", attempted=[f"failed:{example.did}"])


def refused_by_platform(code: int, phrase: str, *lines: str) -> Example:
    """The platform refused the caller, and nothing came to the AI."""
    text = "\r\n".join([f"SIP/2.0 {code} {phrase}", "CSeq: 1 INVITE", *lines])
    example = Example().dials().after(0.1).caller_gets(text).state("disconnected", code, phrase)
    return example.all_ports_answer().not_taken()


def transfer_refused(code: int, phrase: str, reason: str) -> Example:
    """The platform refused the AI's REFER to the right number."""
    example = transfer(Example()).ai_refers(GROUP)
    example._sip("received", f"SIP/2.0 {code} {phrase}", "REFER", number="2", Reason=reason)
    return lost(example)


def registrar_says(code: int, phrase: str, **headers: str) -> Example:
    """The registrar refused, as the record of the AI's side shows it."""
    example = register(code, phrase)
    example._sip("sent", "REGISTER sip:x SIP/2.0", "REGISTER")
    return example._sip("received", f"SIP/2.0 {code} {phrase}", "REGISTER", **headers)


def ended(reason: str, example: Example | None = None) -> Example:
    """The platform answers, and ends the call at once with that Reason; nothing of the AI is heard."""
    example = (example or Example()).dials().after(0.1).answered().after(0.3)
    example.caller_gets(f"BYE sip:caller SIP/2.0\r\nReason: {reason}").ends_here(200, "OK").counted().after(0.5)
    return example.to_caller("no-rtp")


def taken_and_ended(reason: str) -> Example:
    """The AI takes the call, and both sides get a BYE at once."""
    example = talk(Example())
    example._sip("received", "BYE sip:x SIP/2.0", "BYE", to="<sip:x@y.example>;tag=p", number="3", Reason=reason)
    return example.caller_gets(f"BYE sip:caller SIP/2.0\r\nReason: {reason}").to_ai("no-rtp").to_caller("no-rtp")


def starved(by: str, *, later: bool = False) -> Example:
    """The call is ended for want of RTP, by the AI or by the platform."""
    example = talk(Example(ai="stand-in")).ai_answers(200, "OK")
    example._sip("received", "ACK sip:ai SIP/2.0", "ACK", to="<sip:ai@192.0.2.60>;tag=b")
    if later:
        example.to_ai().to_caller()
    bye = {"to": "<sip:x@y.example>;tag=p", "number": "3", "Reason": 'SIP;cause=200;text="RTP Timeout"'}
    example.after(30)._sip("sent" if by == "the AI" else "received", "BYE sip:x SIP/2.0", "BYE", **bye)
    return example.caller_gets("BYE sip:caller SIP/2.0").to_ai("no-rtp").to_caller("no-rtp")


#: Who answers with an announcement, as agreed, and hangs up behind it need not have got to the AI.
_UNREACHED = "one of " + ", ".join(
    (
        "route-wrong-did",
        "route-wrong-trunk",
        "assistant-not-attached",
        "concurrency-exhausted",
        "no-g711",
        "srtp-mismatch",
        "credentials-not-sent",
        "ai-never-answers",
        "trunk-transport-mismatch",
        "route-missing",
        "firewall-udp-32681",
        "firewall-udp-32681-rejected",
        "ai-hangs-up",
        "call-dropped",
    )
)

TOLD = [
    Expected("audio.cut.codec", taken_and_ended("SIP;cause=488"), "likely g711-one-side"),
    Expected(
        "audio.cut.codec.untaken", ended("Q.850;cause=88"), "one of g711-one-side, no-g711, platform-answers-first"
    ),
    Expected("audio.cut.encryption", taken_and_ended('SIP;cause=488;text="SRTP required"'), "likely srtp-mismatch"),
    Expected("audio.cut.no-rtp.later", starved("the platform", later=True), "likely rtp-blocked-after-10s"),
    Expected("audio.cut.no-rtp.ai", starved("the AI"), "likely rtp-blocked-to-ai"),
    Expected("audio.cut.no-rtp.platform", starved("the platform"), "likely rtp-blocked-both"),
    Expected("audio.cut.full", taken_and_ended(NO_CIRCUIT), "likely platform-refuses-caller"),
    Expected(
        "reach.caller-media.by-bye",
        ended("Q.850;cause=88", Example(ai="stand-in")).not_taken(),
        "likely platform-refuses-caller",
    ),
    Expected(
        "audio.cut.untaken",
        ended("Q.850;cause=16"),
        "one of ai-hangs-up, call-dropped, platform-answers-first",
    ),
    *(
        Expected(rule, ended("Q.850;cause=16", Example(line="ivr")).all_ports_answer(), _UNREACHED)
        for rule in ("reach.cut.by-ai.unseen", "reach.cut.by-platform")
    ),
    Expected("reach.not-attached.said", refused_by_ai(480, "No assistant attached"), "certain assistant-not-attached"),
    Expected(
        "reach.concurrency.said", refused_by_ai(503, "Maximum Calls In Progress"), "certain concurrency-exhausted"
    ),
    Expected(
        "reach.unknown-number.said",
        refused_by_platform(503, "Service Unavailable", f"Reason: {UNALLOCATED}"),
        "likely number-unknown-at-platform",
    ),
    Expected(
        "reach.identity.said",
        refused_by_platform(403, "Unverified origination number"),
        "likely platform-refuses-caller",
    ),
    Expected(
        "transfer.unknown-number.said",
        transfer_refused(500, "Server Internal Error", UNALLOCATED),
        "certain number-unknown-at-platform",
    ),
    Expected(
        "registration.later",
        registrar_says(503, "Service Unavailable", Retry_After="120 (maintenance)"),
        "likely registration-refused",
    ),
    Expected("reach.refused.no-route", refused_by_ai(404, "Not Found", Reason=NO_ROUTE), "likely ai-refuses"),
    Expected(
        "reach.channels", refused_by_ai(503, "Service Unavailable", Reason=NO_CIRCUIT), "likely concurrency-exhausted"
    ),
    Expected(
        "reach.no-route", refused_by_platform(404, "Not Found", f"Reason: {NO_ROUTE}"), "likely platform-refuses-caller"
    ),
    Expected("transfer.no-route", transfer_refused(404, "Not Found", NO_ROUTE), "likely transfer-call-refused"),
]
