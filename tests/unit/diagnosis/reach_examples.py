"""Examples of registrations that fail, and of calls that do not get to the AI."""

from __future__ import annotations

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.stories import (
    NOBODY,
    Expected,
    called,
    challenged,
    fallback,
    nothing,
    refused,
    refused_unseen,
    register,
    stood_in,
    talk,
    unregistered,
)

#: An SBC that answers us may keep silent to an address that it does not know; a firewall between the two may, too.
_UNHEARD = ("synthflow-ip-not-allowed", "registration-unanswered", "firewall-udp-32681")

REGISTRATION = [
    Expected(
        "registration.user",
        challenged(register(403, "Forbidden").sip_number(username="another")),
        ("username-wrong",),
    ),
    Expected("registration.user.said", register(403, "Forbidden: unknown user"), ("username-wrong",)),
    Expected("registration.password", challenged(register(401, "Unauthorized").sip_number()), ("password-wrong",)),
    Expected("registration.password.said", register(403, "Forbidden: wrong password"), ("password-wrong",)),
    Expected(
        "registration.address",
        register(403, "Forbidden")._sip("received", "SIP/2.0 403 Forbidden", "REGISTER"),
        ("synthflow-ip-not-allowed",),
    ),
    Expected("registration.address.said", register(403, "Address not allowed"), ("synthflow-ip-not-allowed",)),
    Expected("registration.address.silent", register(0).sip_number(), _UNHEARD),
    Expected("registration.unanswered.there", register(0).sip_number(), _UNHEARD),
    *(
        Expected(
            f"registration.firewall-{port}.between",
            register(0, transport=port[:3]).sip_number(),
            (*_UNHEARD[:2], f"firewall-{port}"),
        )
        for port in ("udp-32681", "tcp-32681", "tls-32682")
    ),
    Expected(
        "registration.password.unsent",
        challenged(register(401, "Unauthorized").sip_number()._sip("sent", "REGISTER sip:x SIP/2.0", "REGISTER")),
        ("password-wrong",),
    ),
    Expected("registration.refuses.domain", register(404, "Domain not found").sip_number(), ("registrar-refuses",)),
    Expected("registration.elsewhere.said", register(404, "Domain not found"), ("termination-uri-wrong",)),
    Expected(
        "registration.stale",
        register(401, "Unauthorized")._sip(
            "received", "SIP/2.0 401 Unauthorized", "REGISTER", WWW_Authenticate='Digest nonce="n", stale=true'
        ),
        ("registrar-fails",),
    ),
    Expected("registration.inactive", register(503, "Trunk inactive"), ("trunk-inactive",)),
    Expected("registration.unavailable", register(503, "Maintenance").sip_number(), ("trunk-inactive",)),
    Expected("registration.failing", register(504, "Server Time-out"), ("registrar-fails",)),
    Expected("registration.failing.said", register(503, "No circuit available"), ("registrar-fails",)),
    Expected("registration.refuses.said", register(403, "TLS required"), ("registrar-refuses",)),
    Expected("registration.refuses.user", register(404, "User not found").sip_number(), ("registrar-refuses",)),
    Expected(
        "registration.lapsed",
        Example(row="TD-REGISTER-OK", authentication="digest")
        .finding("registration", "Synthflow's number", True, code=200)
        .finding("timing.within", "Synthflow's number", what="the registration is refreshed", granted_s=1, asked_s=5),
        ("registration-expires-early",),
    ),
    Expected(
        "registration.elsewhere",
        register(0).sip_number(termination_uri="203.0.113.9:5060"),
        ("termination-uri-wrong",),
    ),
    Expected(
        "registration.elsewhere.refused",
        register(405, "Method Not Allowed").sip_number(termination_uri="203.0.113.9:5060"),
        ("termination-uri-wrong",),
    ),
    Expected("registration.refuses", register(423, "Interval Too Brief"), ("registrar-refuses",)),
    Expected("registration.refuses.address", register(404, "Not Found").sip_number(), ("registrar-refuses",)),
]

#: What the caller was refused for is said, and nobody could look at the AI's side.
_OF_THE_MEDIA = ("no-g711", "srtp-mismatch", "route-wrong-trunk", "caller-media-refused")

_BETWEEN = ("firewall-udp-32681", "firewall-udp-32681-rejected")


def refused_by_record(words: str) -> Example:
    """The AI refused the call, of which its record alone tells."""
    example = fallback(Example()).record(status="failed", error_message=words).all_ports_answer()
    return example.not_taken("the phone reception", attempted=[f"failed:{example.did}"])


def unheard() -> Example:
    """The AI's answers do not get back to the platform, which sends its INVITE again and again."""
    example = Example(ai="stand-in").dials().ai_gets().ai_answers(180, "Ringing").ai_gets().ai_gets().ai_gets()
    return example.after(30).rings("reception").after(4).gives_up().not_taken("the phone reception")


def given_up_early() -> Example:
    """The AI rang for two of the thirty seconds that are agreed on, and somebody else rang then."""
    example = fallback(Example(ring_timeout_s=30.0), after=2.0).ai_gets()
    return example.all_ports_answer().not_taken("the phone reception", attempted=["no-answer:x"])


REACH = [
    Expected("reach.firewall-udp-32681.unheard", unheard(), ("firewall-udp-32681",)),
    Expected(
        "reach.circle",
        Example().dials().after(0.1).state("disconnected", 482, "Loop Detected").all_ports_answer().not_taken(),
        ("routed-in-a-circle",),
    ),
    Expected(
        "reach.number-form",
        talk(Example(), did="12065550100").finding("route.request_uri", "assistant main", request_user="12065550100"),
        ("request-uri-form",),
    ),
    Expected(
        "reach.nobodys-number.answered",
        stood_in(did=NOBODY).not_taken("nobody known"),
        ("route-wrong-did",),
    ),
    Expected("reach.answer.kept", called(Example()).after(4).unanswered(), ("answer-not-passed-on",)),
    Expected(
        "reach.answer.refused",
        called(Example()).ends_here(500, "Server Internal Error").unanswered(),
        ("answer-not-passed-on",),
    ),
    Expected(
        "reach.another-assistant",
        Example().dials().ai_gets(did="+12065550106").answered().not_taken("sales"),
        ("route-wrong-did",),
    ),
    Expected(
        "reach.another-trunk",
        talk(Example(), trunk="udp-digest").finding("route.trunk", "assistant main", trunk="udp-digest"),
        ("route-wrong-trunk",),
    ),
    Expected(
        "reach.another-transport",
        talk(Example(), over="tcp", remote="203.0.113.50:5060").finding("route.transport", "assistant main"),
        ("route-wrong-trunk",),
    ),
    Expected("reach.no-g711.told", refused_unseen(488), _OF_THE_MEDIA, _OF_THE_MEDIA),
    Expected("reach.srtp.told", refused_unseen(606), _OF_THE_MEDIA, _OF_THE_MEDIA),
    Expected("reach.not-attached", refused(Example(), 404, "Not Found"), ("assistant-not-attached",)),
    Expected("reach.nobodys-number", refused(Example(), 404, "Not Found", did=NOBODY), ("route-wrong-did",)),
    Expected(
        "reach.number-form.refused", refused(Example(), 404, "Not Found", did="12065550100"), ("request-uri-form",)
    ),
    Expected("reach.concurrency.busy", refused(Example(), 486, "Busy Here"), ("concurrency-exhausted",)),
    Expected("reach.concurrency", refused(Example(), 429, "Too many"), ("concurrency-exhausted",)),
    Expected("reach.no-g711", refused(Example(), 488, "Not Acceptable", offer="no G.711"), ("no-g711",)),
    Expected("reach.srtp", refused(Example(), 488, "Not Acceptable", offer="SRTP alone"), ("srtp-mismatch",)),
    Expected("reach.no-g711.recorded", refused_by_record("488 no codec in common (offered: G722)"), ("no-g711",)),
    Expected("reach.srtp.recorded", refused_by_record("488 SRTP is not wanted"), ("srtp-mismatch",)),
    Expected(
        "reach.user",
        refused(
            Example(authentication="digest"), 403, "unknown user", authorization='Digest username="x", response="y"'
        ),
        ("trunk-username-wrong",),
    ),
    Expected(
        "reach.password",
        refused(
            Example(authentication="digest"), 403, "wrong password", authorization='Digest username="x", response="y"'
        ),
        ("trunk-password-wrong",),
    ),
    Expected(
        "reach.no-credentials", refused(Example(), 407, "Proxy Authentication Required"), ("credentials-not-sent",)
    ),
    Expected(
        "reach.turned-away",
        Example().dials().after(0.1).state("disconnected", 403, "Forbidden").all_ports_answer().not_taken(),
        ("platform-refuses-caller", "route-wrong-trunk"),
        ("platform-refuses-caller", "route-wrong-trunk"),
    ),
    Expected(
        "reach.redirected",
        Example().dials().after(0.1).state("disconnected", 302, "Moved").all_ports_answer().not_taken(),
        ("caller-redirected",),
    ),
    Expected(
        "reach.caller-media",
        Example(ai="stand-in").dials().after(0.1).state("disconnected", 488, "Not Acceptable Here").not_taken(),
        ("caller-media-refused",),
    ),
    Expected(
        "reach.nobody-there",
        Example(line="campaign")
        .dials()
        .after(0.1)
        .state("disconnected", 480, "Temporarily Unavailable")
        .all_ports_answer()
        .not_taken(),
        ("route-missing", "platform-refuses-caller", "trunk-transport-mismatch", "route-wrong-trunk", *_BETWEEN[1:]),
        ("route-missing", "platform-refuses-caller", "trunk-transport-mismatch", "route-wrong-trunk", *_BETWEEN[1:]),
    ),
    Expected(
        "reach.no-such-trunk",
        Example().dials().after(0.1).state("disconnected", 503, "No such trunk").all_ports_answer().not_taken(),
        ("route-wrong-trunk",),
    ),
    Expected(
        "reach.own-agents.unasked",
        Example(line="campaign")
        .dials()
        .after(0.1)
        .rings("reception")
        .all_ports_answer()
        .not_taken("the phone reception"),
        ("route-missing",),
    ),
    Expected(
        "reach.kept",
        Example().dials().after(0.1).answered().all_ports_answer().not_taken(),
        ("trunk-transport-mismatch", "route-wrong-trunk", "route-missing", *_BETWEEN),
        ("trunk-transport-mismatch", "route-wrong-trunk", "route-missing", *_BETWEEN),
    ),
    Expected("reach.refused.media", refused(Example(), 488, "Not Acceptable"), ("ai-refuses",)),
    Expected("reach.refused", refused(Example(), 500, "Server Internal Error"), ("ai-refuses",)),
    Expected(
        "reach.refused.known",
        refused(
            Example(authentication="digest"), 403, "IP not allowed", authorization='Digest username="x", response="y"'
        ),
        ("ai-refuses",),
    ),
    Expected("reach.refused.transport", refused(Example(), 403, "TLS required"), ("ai-refuses",)),
    Expected(
        "reach.rang.at-once",
        fallback(Example()).ai_gets().not_taken("the phone reception", attempted=["no-answer:x"]),
        ("ring-timeout-wrong",),
    ),
    *(
        Expected(rule, given_up_early(), ("ring-timeout-wrong", "ai-never-answers"))
        for rule in ("reach.rang.early", "reach.rang.or-early")
    ),
    Expected(
        "reach.rang",
        fallback(Example(), after=30.0).ai_gets().not_taken("the phone reception", attempted=["no-answer:x"]),
        ("ai-never-answers",),
    ),
    Expected(
        "reach.answered-first",
        Example()
        .dials()
        .ai_gets()
        .after(0.1)
        .answered()
        .finding("ringing", "caller.1", seconds=None, limit_s=4.0)
        .finding("landing.answered_by", "the call", attempted=["no-answer:x"]),
        ("platform-answers-first",),
    ),
    Expected(
        "reach.answered-first.unseen",
        Example(ai="stand-in").dials().ai_gets().after(0.1).answered().finding("ringing", "caller.1", seconds=None),
        ("platform-answers-first",),
    ),
    Expected(
        "reach.answered-first.unseen.early",
        Example(ai="stand-in").dials().ai_gets().after(0.1).answered().finding("prack", "caller.1"),
        ("platform-answers-first",),
    ),
    Expected(
        "reach.certificate.expired",
        nothing(Example(transport="tls")).probed("ai", "answers", "expired").probed("termination", "answers"),
        ("certificate-expired",),
    ),
    Expected(
        "reach.certificate.name",
        nothing(Example(transport="tls")).probed("ai", "answers", "wrong name").probed("termination", "answers"),
        ("certificate-wrong-name",),
    ),
    Expected(
        "reach.certificate.untrusted",
        nothing(Example(transport="tls")).probed("ai", "answers", "untrusted").probed("termination", "answers"),
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
        nothing(Example(transport="tcp")).all_ports_answer(),
        (*_UNDECIDED, "firewall-tcp-32681-rejected"),
        (*_UNDECIDED, "firewall-tcp-32681-rejected"),
    )
    for rule in ("reach.own-agents", "reach.wrong-port", "reach.trunk-elsewhere")
] + [
    Expected(
        "gladly.in-the-clear.unseen",
        nothing(Example("gladly", "GL-INBOUND", transport="tls")).all_ports_answer(),
        (*_UNDECIDED, "firewall-tls-32682-rejected", "tls-not-appended"),
        (*_UNDECIDED, "firewall-tls-32682-rejected", "tls-not-appended"),
    )
]


def firewalls() -> list[Expected]:
    found = []
    for transport, port in (("udp", 32681), ("tcp", 32681), ("tls", 32682)):
        cause = f"firewall-{transport}-{port}"
        for suffix, reach, after in (("", "silent", 30.0), ("-rejected", "refuses", 0.1)):
            found += [
                Expected(
                    f"reach.{cause}{suffix}",
                    nothing(Example(transport=transport), after).probed("ai", reach).probed("termination", "answers"),
                    (cause + suffix,),
                ),
                Expected(
                    f"reach.{cause}{suffix}.here",
                    nothing(Example(ai="stand-in", transport=transport), after).probed("termination", reach),
                    (cause + suffix,),
                ),
            ]
            moved = "route-missing", *_UNDECIDED[1:]
            listed = (*(moved if suffix else moved[1:]), cause + suffix)
            found.append(
                Expected(
                    f"reach.{cause}{suffix}.between",
                    nothing(Example(transport=transport), after).all_ports_answer(),
                    listed,
                    listed,
                )
            )
        refused = "[Errno 104] Connection reset by peer"
        found.append(
            Expected(
                f"registration.{cause}-rejected",
                unregistered("refuses", 503, refused, transport=transport),
                (f"{cause}-rejected",),
            )
        )
        either = (cause, f"{cause}-rejected")
        found.append(
            Expected(
                f"registration.{cause}",
                unregistered("silent", transport=transport),
                either if transport == "udp" else (cause,),
                either if transport == "udp" else (),
            )
        )
    udp = ("firewall-udp-32681", "firewall-udp-32681-rejected")
    found.append(Expected("registration.firewall-udp-32681-rejected.unheard", unregistered("silent"), udp, udp))
    return found
