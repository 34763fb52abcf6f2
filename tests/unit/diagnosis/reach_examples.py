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

#: An SBC that answers the harness may ignore an address that it does not know. So may a firewall between the two.
_UNHEARD = "likely synthflow-ip-not-allowed; possible registration-unanswered"

REGISTRATION = [
    Expected(
        "registration.user",
        challenged(register(403, "Forbidden").sip_number(username="another")),
        "certain username-wrong",
    ),
    Expected("registration.user.said", register(403, "Forbidden: unknown user"), "likely username-wrong"),
    Expected("registration.password", challenged(register(401, "Unauthorized").sip_number()), "likely password-wrong"),
    Expected("registration.password.said", register(403, "Forbidden: wrong password"), "certain password-wrong"),
    Expected(
        "registration.address",
        register(403, "Forbidden")._sip("received", "SIP/2.0 403 Forbidden", "REGISTER"),
        "likely synthflow-ip-not-allowed",
    ),
    Expected("registration.address.said", register(403, "Address not allowed"), "certain synthflow-ip-not-allowed"),
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
        challenged(register(401, "Unauthorized").sip_number()._sip("sent", "REGISTER sip:x SIP/2.0", "REGISTER")),
        "likely password-wrong",
    ),
    Expected(
        "registration.refuses.domain", register(404, "Domain not found").sip_number(), "likely registration-refused"
    ),
    Expected("registration.elsewhere.said", register(404, "Domain not found"), "likely termination-uri-wrong"),
    Expected(
        "registration.stale",
        register(401, "Unauthorized")._sip(
            "received", "SIP/2.0 401 Unauthorized", "REGISTER", WWW_Authenticate='Digest nonce="n", stale=true'
        ),
        "likely registration-refused",
    ),
    Expected("registration.inactive", register(503, "Trunk inactive"), "certain trunk-inactive"),
    Expected("registration.unavailable", register(503, "Maintenance").sip_number(), "likely trunk-inactive"),
    Expected("registration.failing", register(504, "Server Time-out"), "likely registration-refused"),
    Expected("registration.failing.said", register(503, "No circuit available"), "likely registration-refused"),
    Expected("registration.refuses.said", register(403, "TLS required"), "likely registration-refused"),
    Expected("registration.refuses.user", register(404, "User not found").sip_number(), "likely registration-refused"),
    Expected(
        "registration.lapsed",
        Example(row="TD-REGISTER-OK", authentication="digest")
        .finding("registration", "Synthflow's number", True, code=200)
        .finding("timing.within", "Synthflow's number", what="the registration is refreshed", granted_s=1, asked_s=5),
        "certain registration-expires-early",
    ),
    Expected(
        "registration.elsewhere",
        register(0).sip_number(termination_uri="203.0.113.9:5060"),
        "certain termination-uri-wrong",
    ),
    Expected(
        "registration.elsewhere.refused",
        register(405, "Method Not Allowed").sip_number(termination_uri="203.0.113.9:5060"),
        "likely termination-uri-wrong",
    ),
    Expected("registration.refuses", register(423, "Interval Too Brief"), "likely registration-refused"),
    Expected("registration.refuses.address", register(404, "Not Found").sip_number(), "likely registration-refused"),
]


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
    Expected("reach.firewall-udp-32681.unheard", unheard(), "likely firewall-udp-32681"),
    Expected(
        "reach.circle",
        Example().dials().after(0.1).state("disconnected", 482, "Loop Detected").all_ports_answer().not_taken(),
        "likely platform-refuses-caller",
    ),
    Expected(
        "reach.number-form",
        talk(Example(), did="12065550100").finding("route.request_uri", "assistant main", request_user="12065550100"),
        "certain request-uri-form",
    ),
    Expected(
        "reach.nobodys-number.answered",
        stood_in(did=NOBODY).not_taken("nobody known"),
        "certain route-wrong-did",
    ),
    Expected("reach.answer.kept", called(Example()).after(4).unanswered(), "certain answer-not-passed-on"),
    Expected(
        "reach.answer.refused",
        called(Example()).ends_here(500, "Server Internal Error").unanswered(),
        "certain answer-not-passed-on",
    ),
    Expected(
        "reach.another-assistant",
        Example().dials().ai_gets(did="+12065550106").answered().not_taken("sales"),
        "certain route-wrong-did",
    ),
    Expected(
        "reach.another-trunk",
        talk(Example(), trunk="udp-digest").finding("route.trunk", "assistant main", trunk="udp-digest"),
        "certain route-wrong-trunk",
    ),
    Expected(
        "reach.another-transport",
        talk(Example(), over="tcp", remote="203.0.113.50:5060").finding("route.transport", "assistant main"),
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
    Expected("reach.not-attached", refused(Example(), 404, "Not Found"), "likely assistant-not-attached"),
    Expected("reach.nobodys-number", refused(Example(), 404, "Not Found", did=NOBODY), "certain route-wrong-did"),
    Expected(
        "reach.number-form.refused", refused(Example(), 404, "Not Found", did="12065550100"), "certain request-uri-form"
    ),
    Expected("reach.concurrency.busy", refused(Example(), 486, "Busy Here"), "likely concurrency-exhausted"),
    Expected("reach.concurrency", refused(Example(), 429, "Too many"), "likely concurrency-exhausted"),
    Expected("reach.no-g711", refused(Example(), 488, "Not Acceptable", offer="no G.711"), "certain no-g711"),
    Expected("reach.srtp", refused(Example(), 488, "Not Acceptable", offer="SRTP alone"), "certain srtp-mismatch"),
    Expected("reach.no-g711.recorded", refused_by_record("488 no codec in common (offered: G722)"), "likely no-g711"),
    Expected("reach.srtp.recorded", refused_by_record("488 SRTP is not wanted"), "likely srtp-mismatch"),
    Expected(
        "reach.user",
        refused(
            Example(authentication="digest"), 403, "unknown user", authorization='Digest username="x", response="y"'
        ),
        "certain trunk-username-wrong",
    ),
    Expected(
        "reach.password",
        refused(
            Example(authentication="digest"), 403, "wrong password", authorization='Digest username="x", response="y"'
        ),
        "certain trunk-password-wrong",
    ),
    Expected(
        "reach.no-credentials", refused(Example(), 407, "Proxy Authentication Required"), "certain credentials-not-sent"
    ),
    Expected(
        "reach.turned-away",
        Example().dials().after(0.1).state("disconnected", 403, "Forbidden").all_ports_answer().not_taken(),
        "one of platform-refuses-caller, route-wrong-trunk",
    ),
    Expected(
        "reach.caller-media",
        Example(ai="stand-in").dials().after(0.1).state("disconnected", 488, "Not Acceptable Here").not_taken(),
        "likely platform-refuses-caller",
    ),
    Expected(
        "reach.nobody-there",
        Example(line="campaign")
        .dials()
        .after(0.1)
        .state("disconnected", 480, "Temporarily Unavailable")
        .all_ports_answer()
        .not_taken(),
        "one of route-missing, platform-refuses-caller, trunk-transport-mismatch, route-wrong-trunk, firewall-udp-32681-rejected",
    ),
    Expected(
        "reach.no-such-trunk",
        Example().dials().after(0.1).state("disconnected", 503, "No such trunk").all_ports_answer().not_taken(),
        "likely route-wrong-trunk",
    ),
    Expected(
        "reach.own-agents.unasked",
        Example(line="campaign")
        .dials()
        .after(0.1)
        .rings("reception")
        .all_ports_answer()
        .not_taken("the phone reception"),
        "likely route-missing",
    ),
    Expected(
        "reach.kept",
        Example().dials().after(0.1).answered().all_ports_answer().not_taken(),
        "one of trunk-transport-mismatch, route-wrong-trunk, route-missing, firewall-udp-32681, firewall-udp-32681-rejected",
    ),
    Expected("reach.refused.media", refused(Example(), 488, "Not Acceptable"), "likely ai-refuses"),
    Expected("reach.refused", refused(Example(), 500, "Server Internal Error"), "likely ai-refuses"),
    Expected(
        "reach.refused.known",
        refused(
            Example(authentication="digest"), 403, "IP not allowed", authorization='Digest username="x", response="y"'
        ),
        "likely ai-refuses",
    ),
    Expected("reach.refused.transport", refused(Example(), 403, "TLS required"), "likely ai-refuses"),
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
        "reach.rang",
        fallback(Example(), after=30.0).ai_gets().not_taken("the phone reception", attempted=["no-answer:x"]),
        "certain ai-never-answers",
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
        "certain platform-answers-first",
    ),
    Expected(
        "reach.answered-first.unseen",
        Example(ai="stand-in").dials().ai_gets().after(0.1).answered().finding("ringing", "caller.1", seconds=None),
        "likely platform-answers-first",
    ),
    Expected(
        "reach.answered-first.unseen.early",
        Example(ai="stand-in").dials().ai_gets().after(0.1).answered().finding("prack", "caller.1"),
        "likely platform-answers-first",
    ),
    Expected(
        "reach.certificate.expired",
        nothing(Example(transport="tls")).probed("ai", "answers", "expired").probed("termination", "answers"),
        "certain certificate-expired",
    ),
    Expected(
        "reach.certificate.name",
        nothing(Example(transport="tls")).probed("ai", "answers", "wrong name").probed("termination", "answers"),
        "certain certificate-wrong-name",
    ),
    Expected(
        "reach.certificate.untrusted",
        nothing(Example(transport="tls")).probed("ai", "answers", "untrusted").probed("termination", "answers"),
        "likely certificate-untrusted",
    ),
    Expected(
        "reach.unknown-number",
        Example().dials().after(0.1).state("disconnected", 404, "Not Found").all_ports_answer().not_taken(),
        "likely number-unknown-at-platform",
    ),
]

_UNDECIDED = "one of route-missing, trunk-transport-mismatch, route-wrong-trunk"

UNDECIDED = [
    Expected(
        rule,
        nothing(Example(transport="tcp")).all_ports_answer(),
        f"{_UNDECIDED}, firewall-tcp-32681-rejected",
    )
    for rule in ("reach.own-agents", "reach.wrong-port", "reach.trunk-elsewhere")
] + [
    Expected(
        "gladly.in-the-clear.unseen",
        nothing(Example("gladly", "GL-INBOUND", transport="tls")).all_ports_answer(),
        "one of route-missing, trunk-transport-mismatch, route-wrong-trunk, firewall-tls-32682-rejected, tls-not-appended",
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
                    f"likely {cause}{suffix}",
                ),
                Expected(
                    f"reach.{cause}{suffix}.here",
                    nothing(Example(ai="stand-in", transport=transport), after).probed("termination", reach),
                    f"likely {cause}{suffix}",
                ),
            ]
            listed = _UNDECIDED if suffix else _UNDECIDED.replace("route-missing, ", "")
            found.append(
                Expected(
                    f"reach.{cause}{suffix}.between",
                    nothing(Example(transport=transport), after).all_ports_answer(),
                    f"{listed}, {cause}{suffix}",
                )
            )
        refused = "[Errno 104] Connection reset by peer"
        found.append(
            Expected(
                f"registration.{cause}-rejected",
                unregistered("refuses", 503, refused, transport=transport),
                f"likely {cause}-rejected",
            )
        )
        found.append(
            Expected(
                f"registration.{cause}",
                unregistered("silent", transport=transport),
                f"one of {cause}, {cause}-rejected" if transport == "udp" else f"likely {cause}",
            )
        )
    found.append(
        Expected(
            "registration.firewall-udp-32681-rejected.unheard",
            unregistered("silent"),
            "one of firewall-udp-32681, firewall-udp-32681-rejected",
        )
    )
    return found
