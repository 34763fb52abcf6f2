"""One made-up case for each rule: what happened, which rule has to say so, and what the answer has to be.

``causes`` are the first causes named, in order. A list of candidates is written as a tuple in their place.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.unit.diagnosis.building import CALLER, SDP, Example

GROUP = "+18155550101"  #: billing, at Talkdesk
OTHER_GROUP = "+18155550102"
NOBODY = "+17735550199"
QUEUE = "+18085550101"


@dataclass(frozen=True)
class Expected:
    """``rule`` is the one this example is for: without it the answer has to be another."""

    rule: str
    example: Example
    causes: tuple[str, ...]
    candidates: tuple[str, ...] = ()


def _fallback(example: Example, after: float = 0.1, phone: str = "reception") -> Example:
    """The AI was not had, and an agent's phone rang until the caller gave up."""
    return example.dials().after(after).rings(phone).after(4).gives_up()


def _refused(example: Example, code: int, reason: str = "", **invite: object) -> Example:
    """The call got to the AI, which refused it."""
    _fallback(example).ai_gets(**invite).ai_answers(code, reason)  # type: ignore[arg-type]
    return example.all_ports_answer().not_taken("the phone reception", attempted=[f"failed:{example.did}"])


def _nothing(example: Example, after: float = 0.1) -> Example:
    """Nothing of the call reached the AI."""
    return _fallback(example, after).not_taken("the phone reception")


def _talk(example: Example, **invite: object) -> Example:
    """The AI answered."""
    withheld = bool(invite.pop("withheld", False))
    return example.dials(withheld=withheld).after(0.1).ai_gets(**invite).answered().taken().counted()  # type: ignore[arg-type]


def _transfer(example: Example, row: str = "TD-TRANSFER-BLIND") -> Example:
    """Caller and AI talk, and the AI is asked for a person."""
    example.row = row
    return _talk(example).to_ai().to_caller()


def _warm(example: Example) -> Example:
    example.line = "inbound-warm"
    return _transfer(example, "TD-TRANSFER-WARM")


def _register(code: int, reason: str = "", **trunk: str) -> Example:
    given = {"authentication": "digest"} | trunk
    example = Example(row="TD-REGISTER-OK", **given)  # type: ignore[arg-type]
    actual = f"it was answered {code} {reason}" if code else "it was never answered"
    example.finding("registration", "Synthflow's number", actual=actual, code=code, reason=reason)
    return example.all_ports_answer()


def _unregistered(reach: str, code: int = 0, reason: str = "", **trunk: str) -> Example:
    given = {"authentication": "digest"} | trunk
    example = Example(row="TD-REGISTER-OK", **given)  # type: ignore[arg-type]
    example.finding("registration", "Synthflow's number", code=code, reason=reason)
    return example.sip_number().probed("ai", reach).probed("termination", reach)


def _challenged(example: Example) -> Example:
    """The registrar asked for credentials before it refused; seen at the stand-in's own phone."""
    return example._sip("received", "SIP/2.0 401 Unauthorized", "REGISTER")


def _called(example: Example) -> Example:
    """The AI answered, and the caller has not been told yet."""
    return example.dials().after(0.1).ai_gets().ai_answers(200, "OK").taken()


_ON_HOLD = SDP.format(host="192.0.2.2", protocol="RTP/AVP", formats="0", lines="a=inactive\r\n")


def _refused_fallback() -> Example:
    """The AI refused, and the caller was left ringing."""
    example = Example(row="TD-FALLBACK-REFUSED", line="fallback-refused").dials().ai_gets().ai_answers(503)
    return example.all_ports_answer().after(4)


def _stood_in(**invite: str) -> Example:
    """A stand-in answers whatever it is asked for."""
    return Example(ai="stand-in").dials().ai_gets(**invite).ai_answers(200, "OK").answered()  # type: ignore[arg-type]


def _same_codec() -> Example:
    return Example().codec("caller.1", "PCMU").record(witness={"codec": "PCMU"})


def _left_up(example: Example) -> Example:
    """The AI's leg does not end when the caller hangs up."""
    example.row = "HANGUP-CALLER"
    return example.to_ai().to_caller().finding("released", example.ai_label, actual="it is still up", seconds=None)


REGISTRATION = [
    Expected(
        "registration.user",
        _challenged(_register(403, "Forbidden").sip_number(username="another")),
        ("username-wrong",),
    ),
    Expected("registration.user.said", _register(403, "Forbidden: unknown user"), ("username-wrong",)),
    Expected("registration.password", _challenged(_register(403, "Forbidden").sip_number()), ("password-wrong",)),
    Expected("registration.password.said", _register(403, "Forbidden: wrong password"), ("password-wrong",)),
    Expected(
        "registration.address",
        _register(403, "Forbidden")._sip("received", "SIP/2.0 403 Forbidden", "REGISTER"),
        ("synthflow-ip-not-allowed",),
    ),
    Expected("registration.address.said", _register(403, "Address not allowed"), ("synthflow-ip-not-allowed",)),
    Expected("registration.inactive", _register(503, "Trunk inactive"), ("trunk-inactive",)),
    Expected("registration.unavailable", _register(503, "Maintenance").sip_number(), ("trunk-inactive",)),
    Expected(
        "registration.lapsed",
        Example(row="TD-REGISTER-OK", authentication="digest")
        .finding("registration", "Synthflow's number", True, code=200)
        .finding("timing.within", "Synthflow's number", what="the registration is refreshed", granted_s=1, asked_s=5),
        ("registration-expires-early",),
    ),
    Expected(
        "registration.elsewhere",
        _register(0).sip_number(termination_uri="203.0.113.9:5060"),
        ("termination-uri-wrong",),
    ),
]

_BETWEEN = ("firewall-udp-32681", "firewall-udp-32681-rejected")

REACH = [
    Expected(
        "reach.number-form",
        _talk(Example(), did="12065550100").finding("route.request_uri", "assistant main", request_user="12065550100"),
        ("request-uri-form",),
    ),
    Expected(
        "reach.nobodys-number.answered",
        _stood_in(did=NOBODY).not_taken("nobody known"),
        ("route-wrong-did",),
    ),
    Expected("reach.answer.kept", _called(Example()).after(4).unanswered(), ("answer-not-passed-on",)),
    Expected(
        "reach.answer.refused",
        _called(Example()).ends_here(500, "Server Internal Error").unanswered(),
        ("answer-not-passed-on",),
    ),
    Expected(
        "reach.another-assistant",
        Example().dials().ai_gets(did="+12065550106").answered().not_taken("sales"),
        ("route-wrong-did",),
    ),
    Expected(
        "reach.another-trunk",
        _talk(Example(), trunk="udp-digest").finding("route.trunk", "assistant main", trunk="udp-digest"),
        ("route-wrong-trunk",),
    ),
    Expected(
        "reach.another-transport",
        _talk(Example(), over="tcp", remote="203.0.113.50:5060").finding("route.transport", "assistant main"),
        ("route-wrong-trunk",),
    ),
    Expected("reach.not-attached", _refused(Example(), 404, "No assistant"), ("assistant-not-attached",)),
    Expected("reach.nobodys-number", _refused(Example(), 404, "Not Found", did=NOBODY), ("route-wrong-did",)),
    Expected("reach.concurrency", _refused(Example(), 429, "Too many"), ("concurrency-exhausted",)),
    Expected("reach.no-g711", _refused(Example(), 488, "Not Acceptable", offer="no G.711"), ("no-g711",)),
    Expected("reach.srtp", _refused(Example(), 488, "Not Acceptable", offer="SRTP alone"), ("srtp-mismatch",)),
    Expected(
        "reach.user",
        _refused(
            Example(authentication="digest"), 403, "unknown user", authorization='Digest username="x", response="y"'
        ),
        ("username-wrong",),
    ),
    Expected(
        "reach.password",
        _refused(
            Example(authentication="digest"), 403, "wrong password", authorization='Digest username="x", response="y"'
        ),
        ("password-wrong",),
    ),
    Expected(
        "reach.no-credentials", _refused(Example(), 407, "Proxy Authentication Required"), ("credentials-not-sent",)
    ),
    Expected(
        "reach.turned-away",
        Example().dials().after(0.1).state("disconnected", 403, "Forbidden").all_ports_answer().not_taken(),
        ("platform-refuses-caller", "trunk-transport-mismatch", "route-wrong-trunk", "firewall-udp-32681-rejected"),
        ("platform-refuses-caller", "trunk-transport-mismatch", "route-wrong-trunk", "firewall-udp-32681-rejected"),
    ),
    Expected(
        "reach.kept",
        Example().dials().after(0.1).answered().all_ports_answer().not_taken(),
        ("trunk-transport-mismatch", "route-wrong-trunk", "route-missing", *_BETWEEN),
        ("trunk-transport-mismatch", "route-wrong-trunk", "route-missing", *_BETWEEN),
    ),
    Expected("reach.refused.media", _refused(Example(), 488, "Not Acceptable"), ("ai-refuses",)),
    Expected("reach.refused", _refused(Example(), 500, "Server Internal Error"), ("ai-refuses",)),
    Expected(
        "reach.rang",
        _fallback(Example(), after=30.0).ai_gets().not_taken("the phone reception", attempted=["no-answer:x"]),
        ("ai-never-answers",),
    ),
    Expected(
        "reach.certificate.expired",
        _nothing(Example(transport="tls")).probed("ai", "answers", "expired").probed("termination", "answers"),
        ("certificate-expired",),
    ),
    Expected(
        "reach.certificate.name",
        _nothing(Example(transport="tls")).probed("ai", "answers", "wrong name").probed("termination", "answers"),
        ("certificate-wrong-name",),
    ),
    Expected(
        "reach.certificate.untrusted",
        _nothing(Example(transport="tls")).probed("ai", "answers", "untrusted").probed("termination", "answers"),
        ("certificate-untrusted",),
    ),
    Expected(
        "reach.unknown-number",
        Example().dials().after(0.1).state("disconnected", 404, "Not Found").all_ports_answer().not_taken(),
        ("number-unknown-at-platform",),
    ),
]

_UNDECIDED = ("route-missing", "trunk-transport-mismatch", "route-wrong-trunk")

UNDECIDED = [
    Expected(
        rule,
        _nothing(Example(transport="tcp")).all_ports_answer(),
        (*_UNDECIDED, "firewall-tcp-32681-rejected"),
        (*_UNDECIDED, "firewall-tcp-32681-rejected"),
    )
    for rule in ("reach.own-agents", "reach.wrong-port", "reach.trunk-elsewhere")
] + [
    Expected(
        "gladly.in-the-clear.unseen",
        _nothing(Example("gladly", "GL-INBOUND", transport="tls")).all_ports_answer(),
        (*_UNDECIDED, "firewall-tls-32682-rejected", "tls-not-appended"),
        (*_UNDECIDED, "firewall-tls-32682-rejected", "tls-not-appended"),
    )
]


def _firewalls() -> list[Expected]:
    found = []
    for transport, port in (("udp", 32681), ("tcp", 32681), ("tls", 32682)):
        cause = f"firewall-{transport}-{port}"
        for suffix, reach, after in (("", "silent", 30.0), ("-rejected", "refuses", 0.1)):
            found += [
                Expected(
                    f"reach.{cause}{suffix}",
                    _nothing(Example(transport=transport), after).probed("ai", reach).probed("termination", "answers"),
                    (cause + suffix,),
                ),
                Expected(
                    f"reach.{cause}{suffix}.here",
                    _nothing(Example(ai="stand-in", transport=transport), after).probed("termination", reach),
                    (cause + suffix,),
                ),
            ]
            moved = "route-missing", *_UNDECIDED[1:]
            listed = (*(moved if suffix else moved[1:]), cause + suffix)
            found.append(
                Expected(
                    f"reach.{cause}{suffix}.between",
                    _nothing(Example(transport=transport), after).all_ports_answer(),
                    listed,
                    listed,
                )
            )
        refused = "[Errno 104] Connection reset by peer"
        found.append(
            Expected(
                f"registration.{cause}-rejected",
                _unregistered("refuses", 503, refused, transport=transport),
                (f"{cause}-rejected",),
            )
        )
        either = (cause, f"{cause}-rejected")
        found.append(
            Expected(
                f"registration.{cause}",
                _unregistered("silent", transport=transport),
                either if transport == "udp" else (cause,),
                either if transport == "udp" else (),
            )
        )
    udp = ("firewall-udp-32681", "firewall-udp-32681-rejected")
    found.append(Expected("registration.firewall-udp-32681-rejected.unheard", _unregistered("silent"), udp, udp))
    return found


def _same(example: Example) -> Example:
    """Both sides have the same codec."""
    return example.codec("caller.1", "PCMU").record(witness={"codec": "PCMU"})


AUDIO = [
    Expected("audio.crossed", _talk(Example()).to_ai().to_caller("crossed"), ("audio-crossed",)),
    Expected("audio.crossed.at-ai", _talk(Example()).to_ai("crossed").to_caller(), ("audio-crossed",)),
    Expected(
        "audio.stopped",
        _talk(Example()).to_ai().to_caller().after(11).to_ai("no-rtp").to_caller("no-rtp"),
        ("rtp-blocked-after-10s",),
    ),
    Expected(
        "audio.stopped.at-reinvite",
        _talk(Example(row="HOLD"))
        .to_caller()
        .hears_mark("caller.1", 240)
        .reinvites()
        .after(3)
        .to_ai()
        .to_caller("no-rtp"),
        ("media-lost-on-reinvite",),
    ),
    Expected(
        "audio.no-rtp-to-ai",
        _talk(Example()).to_ai("no-rtp").to_caller().codec("caller.1", "PCMU").record(witness={"codec": "PCMU"}),
        ("rtp-blocked-to-ai",),
    ),
    Expected(
        "audio.no-rtp-to-caller",
        _talk(Example()).to_ai().to_caller("no-rtp").codec("caller.1", "PCMU").record(witness={"codec": "PCMU"}),
        ("rtp-blocked-to-caller",),
    ),
    Expected(
        "audio.private-address",
        _talk(Example(), address="10.0.0.10").to_ai().to_caller("no-rtp"),
        ("sdp-private-address",),
    ),
    Expected(
        "audio.no-rtp",
        _talk(Example())
        .to_ai("no-rtp")
        .to_caller("no-rtp")
        .codec("caller.1", "PCMU")
        .record(witness={"codec": "PCMU"}),
        ("rtp-blocked-both",),
    ),
    Expected(
        "audio.two-codecs",
        _talk(Example())
        .to_ai("unmarked", 200)
        .to_caller("silence", 200)
        .codec("caller.1", "PCMU")
        .record(witness={"codec": "PCMA"}),
        ("g711-one-side",),
    ),
    Expected(
        "audio.noise",
        _talk(Example())
        .to_ai("unmarked", 200)
        .to_caller("other", 200)
        .codec("caller.1", "PCMU")
        .record(witness={"codec": "PCMU"}),
        ("payload-mismatch",),
    ),
    Expected(
        "audio.noise.like-sound",
        _same(_talk(Example())).to_ai("other", 200, instead="speech").to_caller("other", 200, instead="speech"),
        ("payload-mismatch",),
    ),
    Expected(
        "audio.loss",
        _talk(Example()).to_ai().to_caller().finding("audio.loss", "caller.1", share=0.3),
        ("heavy-loss",),
    ),
    Expected(
        "audio.delay",
        _talk(Example()).to_ai().to_caller().finding("audio.delay", "assistant main → caller.1", delay_ms=800.0),
        ("high-delay",),
    ),
    Expected(
        "audio.echo", _talk(Example()).to_ai().to_caller().finding("audio.echo", "caller.1", echo=True), ("echo",)
    ),
    Expected(
        "audio.cut.by-ai",
        _talk(Example()).ends("sent").to_ai("no-rtp").to_caller("no-rtp"),
        ("ai-hangs-up",),
    ),
    Expected(
        "audio.cut.by-platform",
        _talk(Example()).ends("received").to_ai("no-rtp").to_caller("no-rtp"),
        ("call-dropped",),
    ),
    Expected(
        "audio.on-hold.at-caller",
        _talk(Example())
        .asks("INVITE", 200, "OK", within=False, answer=_ON_HOLD)
        .ai_answers(200, "OK", sdp="a=sendrecv\r\n")
        .to_ai("no-rtp")
        .to_caller("no-rtp"),
        ("media-on-hold",),
    ),
    Expected(
        "fallback.time.down",
        _fallback(Example(row="TD-FALLBACK-DOWN", line="fallback-down"), after=4)
        .probed("ai", "silent")
        .landed("reception", "reception")
        .finding("timing.within", "reception.1", what="the call", seconds=4.0),
        ("ring-timeout-wrong",),
    ),
    Expected(
        "fallback.late",
        _refused_fallback()
        .rings("reception")
        .finding("timing.within", "reception.1", what="the call", seconds=4.0)
        .landed("reception", "reception"),
        ("fallback-late",),
    ),
    Expected(
        "fallback.none.waiting",
        _refused_fallback().landed("reception"),
        ("fallback-missing",),
    ),
    Expected(
        "audio.order",
        _talk(_same_codec()).counted(reordered=150).to_ai("no mark", 100).to_caller("other", 100),
        ("rtp-disordered",),
    ),
    Expected(
        "audio.level",
        _talk(Example()).to_ai().to_caller().finding("audio.level", "assistant main → caller.1", level_dbov=-50.0),
        ("level-wrong",),
    ),
    Expected(
        "audio.crossed.at-agent",
        _transfer(Example()).landed("billing", "billing").with_agent("billing").finding("audio.crossed", "billing.1"),
        ("audio-crossed",),
    ),
    Expected(
        "audio.answer",
        _called(Example()).asks("INVITE", 200, "OK", within=False).ends_here(406, "SDP incomplete").unanswered(),
        ("answer-unusable",),
    ),
    Expected(
        "change.refused", _talk(Example(row="HOLD")).asks("INVITE", 481, "No such call").never(), ("change-refused",)
    ),
    Expected("change.unanswered", _talk(Example(row="HOLD")).asks("INVITE").after(3).never(), ("change-refused",)),
    Expected(
        "audio.on-hold",
        _talk(Example()).ai_answers(200, "OK", sdp="a=inactive\r\n").to_ai("no-rtp").to_caller("no-rtp"),
        ("media-on-hold",),
    ),
    Expected(
        "audio.unsaid",
        _talk(Example(ai="stand-in")).counted("stand-in.1", received=0).to_ai().to_caller("silence", 0),
        ("ai-silent",),
    ),
    Expected(
        "audio.silenced.to-caller",
        _same(_talk(Example())).to_ai().to_caller("silence", 200),
        ("audio-silenced",),
    ),
    Expected(
        "audio.silenced.to-ai",
        _same(_talk(Example())).to_ai("silence", 200).to_caller(),
        ("audio-silenced",),
    ),
    Expected(
        "audio.fallback",
        Example(row="TD-FALLBACK-REFUSED", line="fallback-refused")
        .dials()
        .ai_gets()
        .ai_answers(503, "Service Unavailable")
        .rings("reception")
        .landed("reception", "reception")
        .answered()
        .with_agent("reception", "no-rtp"),
        ("fallback-no-audio",),
    ),
    Expected(
        "digits.lost",
        _talk(Example(row="DTMF-RFC4733")).to_ai().to_caller().finding("dtmf", "assistant main", sent="12#", seen=""),
        ("digits-lost",),
    ),
]

IDENTITY = [
    Expected(
        "caller_id.from-without-number", _talk(Example()).caller_id("assistant main", "unknown"), ("from-anonymous",)
    ),
    Expected(
        "caller_id.from-anonymous",
        _talk(Example(), shown="<sip:anonymous@anonymous.invalid>;tag=a").caller_id(
            "assistant main", "anonymous", anonymous=True
        ),
        ("from-anonymous",),
    ),
    Expected(
        "caller_id.from-trunk-did",
        _talk(Example()).caller_id("assistant main", "+13125550100"),
        ("from-trunk-did",),
    ),
    Expected(
        "caller_id.from-national",
        _talk(Example()).caller_id("assistant main", "4155550101"),
        ("from-national",),
    ),
    Expected(
        "caller_id.from-other-number",
        _talk(Example()).caller_id("assistant main", "+12025550177"),
        ("from-other-number",),
    ),
    Expected(
        "caller_id.pai",
        _talk(Example(row="ANONYMOUS"), withheld=True).finding(
            "caller_id.withheld", "assistant main", anonymous=True, asserted=[]
        ),
        ("pai-stripped",),
    ),
    Expected(
        "caller_id.lost-on-transfer",
        _transfer(Example())
        .ai_refers(GROUP)
        .rings("billing")
        .landed("billing", "billing")
        .caller_id("billing.1", "+13125550100"),
        ("caller-id-lost-on-transfer",),
    ),
]


def _lost(example: Example) -> Example:
    return example.landed("billing").probed("termination", "answers")


TRANSFER = [
    Expected(
        "transfer.number",
        _lost(_transfer(Example()).ai_refers(NOBODY).platform_says(202).notified(404, "Not Found")),
        ("group-did-wrong",),
    ),
    Expected(
        "transfer.mode",
        _transfer(Example())
        .rings("billing")
        .landed("billing", "billing")
        .finding("transfer.refer", "caller.1", declared="consumed", seen="passed-on"),
        ("refer-other-way",),
    ),
    Expected(
        "transfer.group",
        _transfer(Example()).ai_refers(GROUP).platform_says(202).rings("support").landed("billing", "support"),
        ("group-wrong",),
    ),
    Expected(
        "transfer.inactive",
        _lost(_transfer(Example()).ai_refers(GROUP).platform_says(503, "Service Unavailable")),
        ("trunk-inactive",),
    ),
    Expected(
        "transfer.rejected",
        _lost(_transfer(Example()).ai_refers(GROUP).platform_says(403, "Forbidden")),
        ("refer-rejected",),
    ),
    Expected(
        "transfer.address",
        _lost(_warm(Example()).ai_invites(GROUP).platform_says(403, "Forbidden", "INVITE")),
        ("synthflow-ip-not-allowed",),
    ),
    Expected(
        "transfer.host",
        _lost(_warm(Example()).ai_invites(GROUP, "203.0.113.9:5060")),
        ("termination-uri-wrong",),
    ),
    Expected(
        "transfer.unsent",
        _lost(_warm(Example()).record(executed_actions={"a": {"name": "transfer_call", "type": "warm", "to": GROUP}})),
        ("termination-uri-wrong",),
    ),
    Expected(
        "transfer.failed",
        _lost(_transfer(Example()).ai_refers(GROUP).platform_says(202).notified(486, "Busy Here")),
        ("refer-accepted-then-failed",),
    ),
    Expected(
        "transfer.silent",
        _lost(_transfer(Example()).ai_refers(GROUP).platform_says(202)),
        ("refer-never-notified",),
    ),
    Expected(
        "transfer.untrue",
        _lost(_transfer(Example()).ai_refers(GROUP).platform_says(202).notified(200, "OK")),
        ("transfer-said-done",),
    ),
    Expected(
        "release.ack",
        _talk(Example()).to_ai().to_caller().finding("answered.acknowledged", "caller.1", repeated=2),
        ("ack-not-taken",),
    ),
    Expected("release.hangup.unanswered", _left_up(_talk(Example()).asks("BYE").after(1.5)), ("hangup-not-taken",)),
    Expected(
        "release.hangup.refused", _left_up(_talk(Example()).asks("BYE", 481, "No such call")), ("hangup-not-taken",)
    ),
    Expected("release.hangup.kept", _left_up(_talk(Example()).asks("BYE", 200, "OK")), ("hangup-not-passed-on",)),
    Expected(
        "transfer.nobody",
        _lost(_transfer(Example()).ai_refers(GROUP).platform_says(202).notified(480, "Temporarily Unavailable")),
        ("nobody-available",),
    ),
    Expected(
        "transfer.nobody.at-once",
        _lost(_transfer(Example()).ai_refers(GROUP).platform_says(480, "Temporarily Unavailable")),
        ("nobody-available",),
    ),
    Expected(
        "transfer.unknown-number",
        _lost(_warm(Example()).ai_invites(GROUP).platform_says(404, "Not Found", "INVITE")),
        ("number-unknown-at-platform",),
    ),
    Expected(
        "transfer.unknown-number.notified",
        _lost(_transfer(Example()).ai_refers(GROUP).platform_says(202).notified(404, "Not Found")),
        ("number-unknown-at-platform",),
    ),
    Expected("transfer.unanswered", _lost(_transfer(Example()).ai_refers(GROUP)), ("transfer-unanswered",)),
    Expected(
        "transfer.call-refused",
        _lost(_warm(Example()).ai_invites(GROUP).platform_says(488, "Not Acceptable Here", "INVITE")),
        ("transfer-call-refused",),
    ),
    Expected("transfer.not-tried", _lost(_transfer(Example())), ("transfer-not-tried",)),
    Expected(
        "transfer.no-audio",
        _transfer(Example())
        .ai_refers(GROUP)
        .platform_says(202)
        .rings("billing")
        .landed("billing", "billing")
        .with_agent("billing", "no-rtp", "no-rtp"),
        ("transfer-no-audio",),
    ),
    Expected(
        "transfer.cut",
        _transfer(Example())
        .ai_refers(GROUP)
        .platform_says(202)
        .rings("billing")
        .landed("billing", "billing")
        .ends("received")
        .with_agent("billing", "no-rtp", "no-rtp"),
        ("agent-call-dropped",),
    ),
    Expected(
        "release.unreported",
        _transfer(Example())
        .ai_refers(GROUP)
        .platform_says(202)
        .rings("billing")
        .landed("billing", "billing")
        .finding("released", "assistant main", seconds=None),
        ("transfer-not-reported",),
    ),
    Expected(
        "release.left-behind",
        _transfer(Example())
        .ai_refers(GROUP)
        .platform_says(202)
        .notified(200, "OK")
        .rings("billing")
        .landed("billing", "billing")
        .finding("released", "assistant main", seconds=None),
        ("ai-leg-left-behind",),
    ),
    Expected(
        "fallback.none",
        Example(row="TD-FALLBACK-REFUSED", line="fallback-refused")
        .dials()
        .ai_gets()
        .ai_answers(503, "Service Unavailable")
        .after(0.1)
        .state("disconnected", 503, "Service Unavailable")
        .landed("reception"),
        ("fallback-missing",),
    ),
    Expected(
        "fallback.group",
        Example(row="TD-FALLBACK-REFUSED", line="fallback-refused")
        .dials()
        .rings("billing")
        .landed("reception", "billing"),
        ("fallback-wrong-group",),
    ),
    Expected(
        "fallback.group.instead",
        _fallback(Example(), phone="billing")
        .ai_gets()
        .ai_answers(429, "Concurrency limit reached")
        .all_ports_answer()
        .not_taken("the phone billing"),
        ("concurrency-exhausted", "fallback-wrong-group"),
    ),
    Expected(
        "fallback.time",
        Example(row="TD-FALLBACK-TIMEOUT", line="fallback-timeout")
        .dials()
        .after(5)
        .rings("reception")
        .answered()
        .landed("reception", "reception")
        .finding("timing", "reception", what="the fallback", seconds=5.0, expected_s=2.0),
        ("ring-timeout-wrong",),
    ),
]


def _gladly(row: str, **invite: object) -> Example:
    return _talk(Example("gladly", row, transport="tls"), **invite)


def _header(name: str, values: list[str], value: str | None) -> Example:
    return _gladly("GL-HEADER-CALLER").finding("header", "assistant main", header=name, values=values, value=value)


GLADLY = [
    Expected(
        "gladly.in-the-clear",
        _refused(Example("gladly", "GL-INBOUND", transport="tls"), 403, "TLS required", over="udp", tls=False),
        ("tls-not-appended",),
    ),
    Expected("gladly.caller.missing", _header("X-Gladly-Caller-Id", [], CALLER), ("caller-header-missing",)),
    Expected(
        "gladly.caller.plus", _header("X-Gladly-Caller-Id", [CALLER[1:]], CALLER), ("caller-header-without-plus",)
    ),
    Expected("gladly.caller.wrong", _header("X-Gladly-Caller-Id", ["+12015550199"], CALLER), ("caller-header-wrong",)),
    Expected(
        "gladly.selector.unwanted", _header("X-Gladly-Routing-Selector", ["billing"], None), ("selector-unwanted",)
    ),
    Expected("gladly.selector.missing", _header("X-Gladly-Routing-Selector", [], "billing"), ("selector-missing",)),
    Expected(
        "gladly.selector.wrong", _header("X-Gladly-Routing-Selector", ["support"], "billing"), ("selector-wrong",)
    ),
    Expected("gladly.repeated", _header("X-Gladly-Caller-Id", [CALLER, CALLER], CALLER), ("header-repeated",)),
    Expected(
        "gladly.repeated.selector",
        _header("X-Gladly-Routing-Selector", ["billing", "billing"], "billing"),
        ("header-repeated",),
    ),
]

EXAMPLES = [*REGISTRATION, *REACH, *UNDECIDED, *_firewalls(), *AUDIO, *IDENTITY, *TRANSFER, *GLADLY]
