"""Examples of registrations that fail, of calls that do not reach the AI, and of evidence that fits
several causes.
"""

from __future__ import annotations

from tests.unit.diagnosis.case import Example, dialled
from tests.unit.diagnosis.stories import (
    GROUP,
    NOBODY,
    RINGS_30_S,
    Expected,
    called,
    challenged,
    fallback,
    lost,
    nothing,
    refused,
    refused_caller,
    refused_unseen,
    register,
    stood_in,
    taken,
    talk,
    transfer,
    warm,
)

#: An SBC that answers the harness may ignore an address that it does not know. So may a firewall
#: between the two.
_UNHEARD = "likely synthflow-ip-not-allowed; possible registration-unanswered"

#: A number of people that an assistant takes over from.
THEN_AI = {"lines.people.overflow": "main"}

REGISTRATION = [
    Expected(
        "registration.user",
        challenged(register(403, "Forbidden").sip_number(username="another")),
        "certain username-wrong",
    ),
    Expected(
        "registration.address.silent",
        register(0).sip_number(),
        "likely synthflow-ip-not-allowed; possible registration-unanswered, firewall-udp-32681",
    ),
    Expected(
        "registration.unanswered.there",
        register(0).sip_number(),
        "likely synthflow-ip-not-allowed; possible registration-unanswered, firewall-udp-32681",
    ),
    *(
        Expected(
            f"registration.firewall-{port}.between",
            register(0, transport=port[:3]).sip_number(),
            f"{_UNHEARD}, firewall-{port}",
        )
        for port in ("udp-32681", "tcp-32681", "tls-32682")
    ),
    Expected(
        "registration.password.unsent",
        challenged(
            register(401, "Unauthorized").sip_number()._sip("sent", "REGISTER sip:x SIP/2.0")
        ),
        "likely password-wrong",
    ),
    Expected(
        "registration.refuses.domain",
        register(404, "Domain not found").sip_number(),
        "likely registration-refused",
    ),
    Expected(
        "registration.elsewhere.said",
        register(404, "Domain not found"),
        "likely termination-uri-wrong",
    ),
    Expected(
        "registration.failing", register(504, "Server Time-out"), "likely registration-refused"
    ),
    Expected(
        "registration.failing.said",
        register(503, "No circuit available"),
        "likely registration-refused",
    ),
    Expected(
        "registration.refuses.said", register(403, "TLS required"), "likely registration-refused"
    ),
    Expected(
        "registration.refuses.user",
        register(404, "User not found").sip_number(),
        "likely registration-refused",
    ),
    Expected(
        "registration.elsewhere.refused",
        register(405, "Method Not Allowed").sip_number(termination_uri="203.0.113.9:5060"),
        "likely termination-uri-wrong",
    ),
    Expected(
        "registration.refuses", register(423, "Interval Too Brief"), "likely registration-refused"
    ),
    Expected(
        "registration.refuses.address",
        register(404, "Not Found").sip_number(),
        "likely registration-refused",
    ),
]


def refused_by_record(words: str) -> Example:
    """The AI refused the call, of which its record alone tells."""
    example = fallback(Example()).record(status="failed", error_message=words).all_ports_answer()
    return example.not_taken("the phone reception", attempted=[f"failed:{example.did}"])


def unheard() -> Example:
    """The AI's answers do not get back to the platform, which sends its INVITE again and again."""
    example = (
        dialled(ai="stand-in").ai_gets().ai_answers(180, "Ringing").ai_gets().ai_gets().ai_gets()
    )
    return example.after(30).rings("reception").after(4).gives_up().not_taken("the phone reception")


def given_up_early() -> Example:
    """The AI rang for two of the thirty seconds that are agreed on, and somebody else rang then."""
    example = fallback(Example(file=RINGS_30_S), after=2.0).ai_gets()
    return example.all_ports_answer().not_taken("the phone reception", attempted=["no-answer:x"])


def busy(example: Example) -> Example:
    """The AI is busy, and the platform tells the caller something else."""
    example.row, example.line = "BUSY", "fallback-refused"
    example.dials().ai_gets().ai_answers(486, "Busy Here").ends_at_once(
        480, "Temporarily Unavailable"
    )
    return example.all_ports_answer().finding("final_response", "caller.1", code=480, wanted=(486,))


def answered_itself(line: str, after: float = 0.1) -> Example:
    """The platform answers the caller, and nobody else is called."""
    example = dialled(line=line).after(after).answered()
    return example.all_ports_answer().not_taken()


REACH = [
    Expected("reach.firewall-udp-32681.unheard", unheard(), "likely firewall-udp-32681"),
    Expected(
        "reach.nobodys-number.answered",
        stood_in(did=NOBODY).not_taken("nobody known"),
        "certain route-wrong-did",
    ),
    Expected(
        "reach.answer.refused",
        called(Example()).ends_here(500, "Server Internal Error").unanswered(),
        "certain answer-not-passed-on",
    ),
    Expected(
        "reach.another-transport",
        talk(over="tcp", remote="203.0.113.50:5060").finding("route.transport", "assistant main"),
        "likely route-wrong-trunk",
    ),
    Expected(
        "reach.no-g711.told",
        refused_unseen(488),
        "one of no-g711, srtp-mismatch, route-wrong-trunk, platform-refuses-caller",
    ),
    Expected(
        "reach.srtp.told",
        refused_unseen(606),
        "one of no-g711, srtp-mismatch, route-wrong-trunk, platform-refuses-caller",
    ),
    Expected(
        "reach.not-attached", refused(Example(), 404, "Not Found"), "likely assistant-not-attached"
    ),
    Expected(
        "reach.nobodys-number",
        refused(Example(), 404, "Not Found", did=NOBODY),
        "certain route-wrong-did",
    ),
    Expected(
        "reach.number-form.refused",
        refused(Example(), 404, "Not Found", did="12065550100"),
        "certain request-uri-form",
    ),
    Expected(
        "reach.concurrency.busy",
        refused(Example(), 486, "Busy Here"),
        "likely concurrency-exhausted",
    ),
    Expected(
        "reach.concurrency", refused(Example(), 429, "Too many"), "likely concurrency-exhausted"
    ),
    Expected(
        "reach.srtp.recorded", refused_by_record("488 SRTP is not wanted"), "likely srtp-mismatch"
    ),
    Expected(
        "reach.no-credentials",
        refused(Example(), 407, "Proxy Authentication Required"),
        "certain credentials-not-sent",
    ),
    Expected(
        "reach.caller-media",
        dialled(ai="stand-in").ends_at_once(488, "Not Acceptable Here").not_taken(),
        "likely platform-refuses-caller",
    ),
    Expected(
        "reach.nobody-there",
        dialled(line="campaign")
        .ends_at_once(480, "Temporarily Unavailable")
        .all_ports_answer()
        .not_taken(),
        "one of route-missing, platform-refuses-caller, trunk-transport-mismatch, route-wrong-trunk, "
        "firewall-udp-32681-rejected, trunk-inactive",
    ),
    Expected(
        "reach.no-such-trunk",
        refused_caller(503, "No such trunk"),
        "likely route-wrong-trunk",
    ),
    Expected("reach.trunk.said", refused_caller(503, "Trunk disabled"), "likely trunk-inactive"),
    Expected(
        "reach.overflow",
        dialled(row="AI-OVERFLOW", line="people", file=THEN_AI)
        .rings("reception")
        .ends_here(486, "Busy Here")
        .not_taken()
        .all_ports_answer(),
        "likely fallback-missing",
    ),
    Expected(
        "reach.failover",
        nothing(Example(line="trunk-failover")).all_ports_answer(),
        "likely failover-missing, route-missing",
    ),
    Expected(
        "reach.own-agents.unasked",
        dialled(line="campaign")
        .after(0.1)
        .rings("reception")
        .all_ports_answer()
        .not_taken("the phone reception"),
        "likely route-missing",
    ),
    # a number with a fallback, and one without: a platform whose trunk fails would ring it
    *(
        Expected(rule, answered_itself("inbound"), "one of hours-wrong, route-missing")
        for rule in ("reach.kept", "hours.undeclared")
    ),
    Expected(
        "hours.undeclared",
        answered_itself("campaign"),
        "one of hours-wrong, trunk-transport-mismatch, route-wrong-trunk, route-missing, "
        "firewall-udp-32681, firewall-udp-32681-rejected, trunk-inactive",
    ),
    # it was to be refused, and nothing else was looked at
    Expected(
        "hours.undeclared",
        dialled(ai="stand-in", row="NOANSWER", line="no-answer")
        .after(0.1)
        .answered()
        .finding("final_response", "caller.1", code=200, wanted=(408, 480)),
        "possible hours-wrong",
    ),
    Expected(
        "hours.kept",
        answered_itself("inbound", after=3.0),
        "one of trunk-transport-mismatch, route-wrong-trunk, route-missing, hours-wrong, "
        "firewall-udp-32681, firewall-udp-32681-rejected, trunk-inactive",
    ),
    # an announcement, and not the group's machine
    Expected(
        "hours.undeclared",
        dialled(row="VOICEMAIL", line="nobody-there")
        .after(0.1)
        .answered()
        .finding("voicemail", "caller.1", speech_s=0.0),
        "possible hours-wrong",
    ),
    *(
        Expected(
            rule,
            dialled(row="TD-FALLBACK-DOWN", line="fallback-down")
            .after(0.1)
            .answered()
            .after(4)
            .landed("reception"),
            "one of hours-wrong, another-device-answered, nobody-available",
        )
        for rule in ("hours.undeclared", "fallback.elsewhere.at-once")
    ),
    Expected("reach.refused.media", refused(Example(), 488, "Not Acceptable"), "likely ai-refuses"),
    Expected(
        "reach.media-of-the-phone",
        refused(Example(ai="stand-in"), 488, "Not Acceptable"),
        "likely harness-phone-refuses",
    ),
    *(
        Expected(
            "reach.malformed",
            refused(Example(ai="stand-in"), code, words),
            "certain harness-phone-refuses",
        )
        for code, words in ((422, "Session Interval Too Small"), (420, "Bad Extension"))
    ),
    *(
        Expected("final.changed", busy(Example(ai=ai)), "likely refusal-changed")
        for ai in ("stand-in", "synthflow")
    ),
    Expected(
        "reach.refused", refused(Example(), 500, "Server Internal Error"), "likely ai-refuses"
    ),
    Expected(
        "reach.refused.known",
        refused(
            Example(authentication="digest"),
            403,
            "IP not allowed",
            authorization='Digest username="x", response="y"',
        ),
        "likely ai-refuses",
    ),
    Expected(
        "reach.refused.transport", refused(Example(), 403, "TLS required"), "likely ai-refuses"
    ),
    Expected(
        "reach.rang.at-once",
        fallback(Example()).ai_gets().not_taken("the phone reception", attempted=["no-answer:x"]),
        "likely ring-timeout-wrong",
    ),
    *(
        Expected(rule, given_up_early(), "likely ring-timeout-wrong; possible ai-never-answers")
        for rule in ("reach.rang.early", "reach.rang.or-early")
    ),
    Expected(
        "reach.answered-first.unseen",
        dialled(ai="stand-in")
        .ai_gets()
        .after(0.1)
        .answered()
        .finding("ringing", "caller.1", seconds=None),
        "likely platform-answers-first",
    ),
    Expected(
        "reach.answered-first.unseen.early",
        dialled(ai="stand-in").ai_gets().after(0.1).answered().finding("prack", "caller.1"),
        "likely platform-answers-first",
    ),
    Expected(
        "reach.certificate.untrusted",
        nothing(Example(transport="tls"))
        .probed("ai", "answers", "untrusted")
        .probed("termination", "answers"),
        "likely certificate-untrusted",
    ),
    Expected(
        "reach.not-attached.passed-on",
        refused_caller(404, "Not Found"),
        "likely assistant-not-attached, number-unknown-at-platform",
    ),
]

UNDECIDED = [
    Expected(
        "reach.trunk",
        nothing(Example(transport="tcp")).all_ports_answer(),
        "one of route-missing, trunk-transport-mismatch, route-wrong-trunk, "
        "firewall-tcp-32681-rejected, trunk-inactive",
    ),
    *(
        Expected(
            f"reach.firewall-{port}.between",
            nothing(Example(transport=port[:3]), after=30.0).all_ports_answer(),
            f"one of trunk-transport-mismatch, route-wrong-trunk, firewall-{port}, trunk-inactive",
        )
        for port in ("udp-32681", "tcp-32681", "tls-32682")
    ),
]


#: As gateways and switches really write it.
NO_ROUTE = 'Q.850;cause=3;text="NO_ROUTE_DESTINATION"'
UNALLOCATED = 'Q.850;cause=1;text="UNALLOCATED_NUMBER"'
NO_CIRCUIT = "Q.850;cause=34"


def refused_by_ai(code: int, phrase: str, **headers: str) -> Example:
    """The AI's side refused the call, and its answer has these headers."""
    example = fallback(Example()).ai_gets()
    example._sip(
        "sent", f"SIP/2.0 {code} {phrase}", "INVITE", to="<sip:ai@192.0.2.60>;tag=b", **headers
    )
    return example.all_ports_answer().not_taken(
        "the phone reception", attempted=[f"failed:{example.did}"]
    )


def announced() -> Example:
    """Nobody sees the AI's side; the caller hears an announcement for seconds, and is told that the
    number is not assigned.
    """
    example = (
        dialled()
        .after(3.0)
        .caller_gets(f"SIP/2.0 480 x\r\nCSeq: 1 INVITE\r\nReason: {UNALLOCATED}")
    )
    return example.ends_here(480, "x").finding(
        "landing.answered_by", "the call", wanted="main", unseen=True
    )


def refused_by_platform(code: int, phrase: str, *lines: str) -> Example:
    """The platform refused the caller, and nothing came to the AI."""
    text = "\r\n".join([f"SIP/2.0 {code} {phrase}", "CSeq: 1 INVITE", *lines])
    example = dialled().after(0.1).caller_gets(text).ends_here(code, phrase)
    return example.all_ports_answer().not_taken()


def transfer_refused(code: int, phrase: str, reason: str) -> Example:
    """The platform refused the AI's REFER to the right number."""
    example = transfer().ai_refers(GROUP)
    example._sip("received", f"SIP/2.0 {code} {phrase}", "REFER", number="2", Reason=reason)
    return lost(example)


def ended(example: Example | None = None) -> Example:
    """The platform answers, and ends the call at once; nothing of the AI is heard."""
    example = (example or Example()).dials().after(0.1).answered().after(0.3)
    example.caller_gets("BYE sip:caller SIP/2.0\r\nReason: Q.850;cause=16").ends_here(
        200, "OK"
    ).counted().after(0.5)
    return example.to_caller("no-rtp")


def starved(by: str, *, later: bool = False, on_hold: bool = False) -> Example:
    """The call is ended for want of RTP, by the AI or by the platform; ``on_hold``: both had heard
    each other.
    """
    example = talk(Example(ai="stand-in")).ai_answers()
    example._sip("received", "ACK sip:ai SIP/2.0", to="<sip:ai@192.0.2.60>;tag=b")
    if later or on_hold:
        example.both_hear()
    bye = {
        "to": "<sip:x@y.example>;tag=p",
        "number": "3",
        "Reason": 'SIP;cause=200;text="RTP Timeout"',
    }
    example.after(30)._sip("sent" if by == "the AI" else "received", "BYE sip:x SIP/2.0", **bye)
    example.caller_gets("BYE sip:caller SIP/2.0")
    if on_hold:
        return example.finding("call.up", "caller.1", actual="it ended after 30.0 s")
    return example.unheard()


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
        "hours-wrong",
        "firewall-udp-32681",
        "firewall-udp-32681-rejected",
        "trunk-inactive",
        "ai-hangs-up",
        "call-dropped",
    )
)

TOLD = [
    Expected(
        "audio.cut.no-rtp.later",
        starved("the platform", later=True),
        "likely rtp-blocked-after-10s",
    ),
    Expected("audio.cut.no-rtp.ai", starved("the AI"), "likely rtp-blocked-to-ai"),
    Expected("audio.cut.no-rtp.platform", starved("the platform"), "likely rtp-blocked-both"),
    Expected(
        "audio.cut.no-rtp.heard", starved("the platform", on_hold=True), "certain call-dropped"
    ),
    Expected(
        "audio.cut.untaken",
        ended(),
        "one of ai-hangs-up, call-dropped, platform-answers-first",
    ),
    *(
        Expected(rule, ended(Example(line="ivr")).all_ports_answer(), _UNREACHED)
        for rule in ("reach.cut.by-ai.unseen", "reach.cut.by-platform")
    ),
    *(
        Expected(
            rule,
            refused_by_platform(503, "Service Unavailable", f"Reason: {UNALLOCATED}"),
            "likely assistant-not-attached, number-unknown-at-platform",
        )
        for rule in ("reach.unknown-number.said", "reach.not-attached.said-on")
    ),
    Expected(
        "reach.not-attached.said-on",
        announced(),
        "likely assistant-not-attached, number-unknown-at-platform",
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
        "reach.refused.no-route",
        refused_by_ai(404, "Not Found", Reason=NO_ROUTE),
        "likely ai-refuses",
    ),
    Expected(
        "reach.channels",
        refused_by_ai(503, "Service Unavailable", Reason=NO_CIRCUIT),
        "likely concurrency-exhausted",
    ),
    Expected(
        "reach.no-route",
        refused_by_platform(404, "Not Found", f"Reason: {NO_ROUTE}"),
        "likely platform-refuses-caller",
    ),
    Expected(
        "transfer.no-route",
        transfer_refused(404, "Not Found", NO_ROUTE),
        "likely transfer-call-refused",
    ),
]


def _laws() -> Example:
    """PCMU on the caller's side, PCMA on the AI's."""
    example = talk(Example(ai="stand-in")).codec("caller.1", "PCMU").codec("stand-in.1", "PCMA")
    return example.counted("stand-in.1", received=200).to_ai("no-rtp").to_caller("no-rtp")


def _later(ai: str = "synthflow") -> Example:
    """Both hear each other, and are listened to again after five minutes."""
    example = talk(Example(row="LONGCALL", ai=ai)).codec("caller.1", "PCMU").counted(received=15000)
    example.codec("stand-in.1", "PCMU") if ai == "stand-in" else example.record(
        status="in-progress", witness={"codec": "PCMU"}
    )
    return example.both_hear().after(300)


def _cut(*, ack: bool, refresh: int = 0) -> Example:
    """The AI answers, with its 200 repeated where no ACK comes, and sends BYE after half a minute.

    ``refresh`` is how a session refresh of its own is answered before that.
    """
    example = talk(Example(row="LONGCALL", ai="stand-in")).ai_answers()
    if ack:
        example._sip("received", "ACK sip:ai SIP/2.0", to="<sip:ai@192.0.2.60>;tag=b")
    else:
        example.after(0.5).ai_answers().after(1.0).ai_answers()
    example.both_hear().after(31)
    if refresh:
        example.ai_refreshes(refresh)
    return example.ends("sent").unheard()


def _no_fallback(refused: int, told: int) -> Example:
    """The AI refused with one status, and the caller was told another, or the same."""
    example = dialled(row="TD-FALLBACK-REFUSED", line="fallback-refused", ai="stand-in").ai_gets()
    return example.ai_answers(refused).ends_at_once(told, "x").landed("reception")


def unseen() -> Example:
    """The same of a number whose fallback leads to people in browsers, who were rung in vain, or
    not at all.
    """
    example = (
        Example(ai="stand-in", file={"groups.reception.agents": ()})
        .dials()
        .ai_gets()
        .ai_answers(503)
        .after(20)
    )
    return example.ends_here(500, "x").all_ports_answer().landed("reception")


def _cut_by_the_ai() -> Example:
    """The AI calls an agent itself, who answers, and hangs up."""
    example = warm(Example(ai="stand-in")).ai_invites(GROUP).platform_says(200, "OK", "INVITE")
    example.reaches("billing")
    example._sip("sent", "BYE sip:x SIP/2.0", call_id="onward", number="3")
    return (
        example.at_phone("billing", "BYE", within=True, leg="billing.1")
        .after(0.1)
        .with_agent("billing", "no-rtp")
    )


_SILENCE = ("silence", 15000)

RIVALS = [
    Expected(
        "registration.password.forbidden",
        challenged(register(403, "Forbidden").sip_number()),
        "likely password-wrong",
    ),
    Expected(
        "registration.unavailable.or-none",
        register(503).sip_number(),
        "likely trunk-inactive, registration-unanswered",
    ),
    Expected(
        "registration.unanswered.or-503",
        register(503).sip_number(),
        "likely trunk-inactive, registration-unanswered",
    ),
    Expected(
        "audio.stopped.to-caller",
        _later().to_ai().to_caller("no-rtp"),
        "likely rtp-blocked-after-10s; possible ai-silent",
    ),
    Expected(
        "audio.own-side.caller",
        taken().unheard(),
        "likely rtp-blocked-both; possible own-rtp-blocked",
    ),
    Expected(
        "audio.own-side.ai",
        taken("stand-in").to_ai("no-rtp").to_caller(),
        "likely rtp-blocked-to-ai; possible own-rtp-blocked",
    ),
    Expected(
        "audio.own-side.agent",
        transfer().reaches("billing").with_agent("billing", "no-rtp"),
        "likely transfer-no-audio; possible own-rtp-blocked",
    ),
    Expected(
        "audio.silenced.later.to-ai",
        _later("stand-in").to_ai(*_SILENCE, listened_s=300.0).to_caller(),
        "likely audio-silenced",
    ),
    Expected("transfer.cut.by-ai", _cut_by_the_ai(), "likely ai-hangs-up"),
    Expected("audio.cut.by-ai", _cut(ack=True), "certain ai-hangs-up"),
    Expected("audio.cut.no-refresh", _cut(ack=True, refresh=481), "certain refresh-not-taken"),
    Expected("audio.cut.no-ack", _cut(ack=False), "certain ack-not-taken"),
    Expected(
        "audio.two-codecs.no-rtp",
        _laws(),
        "likely g711-one-side; possible rtp-blocked-both",
    ),
    Expected(
        "audio.no-rtp.two-codecs",
        _laws(),
        "likely g711-one-side; possible rtp-blocked-both",
    ),
    *(
        Expected(rule, unseen(), "likely fallback-missing; possible nobody-available")
        for rule in ("fallback.none.unseen", "fallback.nobody.unseen")
    ),
    Expected("fallback.none.or-number", _no_fallback(503, 404), "likely fallback-missing"),
    Expected(
        "transfer.credentials.forbidden",
        lost(
            warm(Example(authentication="digest"))
            .ai_invites(GROUP)
            .platform_says(407, "x", "INVITE")
            .ai_invites(GROUP, authorization='Digest username="x"')
            .platform_says(403, "Forbidden", "INVITE")
        ),
        "likely transfer-call-challenged",
    ),
]
