"""The same for what our own phones say kept them from a call."""

from __future__ import annotations

from harness.case.events import (
    AskedByOptions,
    CallsRefused,
    NameLookup,
    PasswordWithheld,
    TlsHandshake,
    WithheldBy,
)
from tests.unit.diagnosis.case import Example, description, dialled
from tests.unit.diagnosis.leg_examples import to_agent
from tests.unit.diagnosis.stories import (
    GROUP,
    Expected,
    called,
    campaign,
    lost,
    referred,
    talk,
    transfer,
)

SRTP_ALONE = description("198.51.100.70", protocol="RTP/SAVP")
G711 = description("198.51.100.70")


def refused_by_an_agent(code: int, offer: str = G711) -> Example:
    """The group's phone refuses by itself what comes of the transfer."""
    example = referred(ai="stand-in")
    return lost(to_agent(example, "billing", code, offer).notified(code))


def refused_by_the_customer(code: int, offer: str = G711) -> Example:
    """The customer's phone refuses the campaign's call by itself."""
    return to_agent(campaign(), "customer", code, offer).landed("customer")


def looked_up(problem: str, *, denied: bool) -> Example:
    """The caller's phone was to call a name that nobody told it the address of."""
    example = Example().dials_too("caller")
    for where in ("caller", "caller.1"):
        asked = {"name": "sip.carrier.example", "seconds": 2.0}
        example.tells(NameLookup, where, problem=problem, denied=denied, **asked)
    example.after(2.0).ends_here(503, "Service Unavailable")
    return (
        example.all_ports_answer()
        .not_taken()
        .never(f"DNS has no address for sip.carrier.example: {problem}")
    )


def closed() -> Example:
    """The AI took the call, and the caller's connection was closed between 100 and 200."""
    example = dialled(ai="stand-in").ai_gets().ai_answers().after(0.1)
    why = "End of file (PJ_EEOF)"
    example.transport_failed("caller", why).ends_here(503, why)
    return example.never(f"the phone itself ended the call: 503 {why}")


def withheld(rule: WithheldBy, realm: str, why: str) -> Example:
    """The caller's INVITE was challenged, and its phone sent no password."""
    example = dialled()
    asked = {"realm": realm, "algorithm": "MD5"}
    example.tells(PasswordWithheld, "caller.1", why=why, rule=rule, **asked)
    return example.ends_at_once(407, "Proxy Authentication Required").all_ports_answer().not_taken()


def no_room(example: Example, phone: str) -> Example:
    """Its process refuses the platform's INVITE before it is a message of anybody's."""
    return example.tells(CallsRefused, phone, source="198.51.100.20")


def _at_the_stand_in() -> Example:
    example = no_room(dialled(ai="stand-in"), "stand-in")
    return example.ends_at_once(486, "Busy Here").all_ports_answer().not_taken()


def _at_an_agent() -> Example:
    example = referred(ai="stand-in")
    return no_room(example, "billing").notified(486).after(1.0).landed("billing")


def _at_the_customer() -> Example:
    return no_room(campaign(), "customer").after(4.0).landed("customer")


def malformed(example: Example, phone: str) -> Example:
    """Its stack cannot read the platform's INVITE, and answers that without asking anybody."""
    asked = example.at_phone(phone, "INVITE", "v=0\r\n").at_phone(
        phone, "INVITE", code=100, reason="Trying"
    )
    return asked.at_phone(phone, "INVITE", code=400, reason="Bad SDP")


def _unread_by_the_ai() -> Example:
    example = malformed(dialled(ai="stand-in"), "stand-in").ends_at_once(400, "Bad SDP")
    return malformed(example, "reception").all_ports_answer().not_taken()


def _unread_by_an_agent() -> Example:
    example = malformed(referred(ai="stand-in"), "billing")
    return example.notified(400).landed("billing")


def _unread_by_the_customer() -> Example:
    example = malformed(campaign(), "customer")
    return example.after(4.0).landed("customer")


def behind_a_router() -> Example:
    """The caller's INVITE has a private address for its audio, the platform's is public, and both
    agree on a codec.
    """
    offer = description("192.168.1.20")
    answer = description("198.51.100.9", "0")
    example = dialled().after(0.1).ai_gets().answered().taken().counted(received=0)
    example.invited(offer=offer, answer=answer)
    return example.codec("caller.1", "PCMU").record(witness={"codec": "PCMU"})


def astray(named: str, elsewhere: str = "") -> Example:
    """The answer to the caller has that address for audio, and RTP comes from ``elsewhere``; a
    stand-in hears nothing.
    """
    answer = description(named, "0")
    example = (
        dialled(ai="stand-in").after(0.1).ai_gets(address="198.51.100.26").ai_answers().answered()
    )
    example.taken().invited(answer=answer)
    return (
        example.counted("stand-in.1", received=0)
        .counted(elsewhere=elsewhere)
        .to_ai("no-rtp")
        .to_caller()
    )


def unacknowledged() -> Example:
    """A reliable 183 comes to the caller again and again after its PRACK, and no 200, though the AI
    has answered.
    """
    example = dialled(ai="stand-in").after(0.1).ai_gets().ai_answers().taken()
    for text in ("PRACK sip:x SIP/2.0\r\nRAck: 7  10 INVITE\r\nCSeq: 11 PRACK", ""):
        example.caller_gets("SIP/2.0 183 Session Progress\r\nRSeq: 7\r\nCSeq: 10 INVITE")
        if text:
            example._at_caller("sent", text)
    return example.after(4).unanswered()


def options(code: int) -> Example:
    """The platform's answer to an agent's phone that asks it by OPTIONS; 0: none came."""
    return Example(row="KEEPALIVE").finding("final_response", "OPTIONS", code=code, wanted=(200,))


def _queued() -> Example:
    """The AI refuses, and a queue takes the call, with music and nobody in it."""
    example = dialled(
        row="TD-FALLBACK-REFUSED",
        line="fallback-refused",
        file={"groups.reception.queue_s": 20.0},
    ).ai_gets()
    return example.ai_answers(503).after(0.1).answered().landed("reception")


def _transferred_to_a_queue() -> Example:
    example = (
        transfer(Example(file={"groups.billing.queue_s": 20.0}))
        .ai_refers(GROUP)
        .platform_says(202)
        .notified(200)
    )
    return lost(example.replaces())


def connects(at_s: float) -> Example:
    """The platform makes a TLS connection to the stand-in that many seconds after the caller's
    INVITE, and sends nothing over it.
    """
    example = dialled(ai="stand-in", transport="tls")
    example.after(at_s).tells(TlsHandshake, "stand-in", remote="198.51.100.20:40000", failed=False)
    return (
        example.after(0.3 - at_s)
        .rings("reception")
        .probed("termination", "answers")
        .not_taken("the phone reception")
    )


def asked_by_options(
    *,
    there_s: float = 3.0,
    answered: bool = False,
    every_s: float | None = None,
    asked_after_s: float | None = None,
) -> Example:
    """A call that the platform's agents took at once; what it had asked the stand-in by OPTIONS
    before, and while that went on.
    """
    example = Example(ai="stand-in")
    told = {"there_s": there_s, "answered": answered, "every_s": every_s}
    example.tells(AskedByOptions, "stand-in", **told).after(0.5).dials()
    if asked_after_s is not None:
        example.after(asked_after_s).at_phone("stand-in", "OPTIONS").after(-asked_after_s)
    return example.after(0.1).rings("reception").after(4.0).all_ports_answer().not_taken()


OWN = [
    Expected("reach.not-asked", asked_by_options(every_s=30.0), "likely trunk-not-asked"),
    *(
        Expected(
            f"fallback.queue.{cause}",
            _queued(),
            "likely nobody-available; possible another-device-answered",
        )
        for cause in ("nobody-available", "another-device-answered")
    ),
    *(
        Expected(
            f"transfer.queue.{cause}",
            _transferred_to_a_queue(),
            "likely nobody-available; possible another-device-answered",
        )
        for cause in ("nobody-available", "another-device-answered")
    ),
    Expected(
        "registration.unguarded",
        Example(row="TD-REGISTER-BADPASS", ai="stand-in").finding(
            "registration.refused", "stand-in", code=200, reason="OK"
        ),
        "certain registration-unguarded",
    ),
    Expected("reach.certificate.refused", connects(0.1), "likely certificate-refused"),
    Expected(
        "reach.certificate.unchecked",
        dialled(
            row="TLS-BADCERT", ai="stand-in", transport="tls", axes={"certificate": "wrong-name"}
        )
        .ai_gets()
        .finding("route.not_reached", "the AI", reached=["stand-in.1"]),
        "certain certificate-unchecked",
    ),
    Expected(
        "caller_id.not-withheld",
        talk(Example(row="ANONYMOUS"), withheld=True).finding(
            "caller_id.withheld", "assistant main", anonymous=False, asserted=[]
        ),
        "certain withheld-number-shown",
    ),
    Expected("audio.private-address.caller", astray("10.0.0.9"), "likely sdp-private-address"),
    Expected(
        "audio.other-address.caller",
        astray("198.51.100.99", "192.0.2.2"),
        "likely sdp-other-address",
    ),
    Expected(
        "reach.caller-media.answered",
        called(Example()).ends_here(488, "Not Acceptable Here").unanswered(),
        "likely platform-refuses-caller",
    ),
    Expected("reach.prack", unacknowledged(), "certain prack-not-taken"),
    Expected(
        "lost.refused",
        Example(row="PRACK", ai="stand-in")
        .asks("INVITE", 420, "Bad Extension", within=False, Require="100rel")
        .dials()
        .ends_here(420, "Bad Extension")
        .finding("prack", "caller.1"),
        "likely platform-refuses-caller",
    ),
    Expected(
        "audio.own-address",
        behind_a_router().to_ai().to_caller("no-rtp"),
        "likely own-address-private",
    ),
    Expected("reach.malformed", _unread_by_the_ai(), "likely harness-phone-refuses"),
    Expected("transfer.malformed", _unread_by_an_agent(), "certain harness-phone-refuses"),
    Expected("customer.malformed", _unread_by_the_customer(), "certain harness-phone-refuses"),
    Expected(
        "reach.name.unknown", looked_up("EAI_NONAME", denied=True), "certain host-name-unknown"
    ),
    Expected(
        "reach.name.silent", looked_up("no answer yet", denied=False), "certain host-name-unknown"
    ),
    Expected(
        "reach.unheard",
        Example().dials(taken=False).after(4).not_taken().all_ports_answer(),
        "certain call-unanswered",
    ),
    Expected("options.unanswered", options(405), "certain options-not-answered"),
    Expected("reach.connection.closed", closed(), "certain call-unanswered"),
    Expected(
        "reach.realm",
        withheld(
            "realm configured",
            "carrier.example",
            "its realm is carrier.example, and acme.example is configured",
        ),
        "likely password-withheld",
    ),
    Expected(
        "reach.realm.second",
        withheld(
            "first realm", "elsewhere", "its realm is elsewhere, and acme.example asked first"
        ),
        "likely password-withheld",
    ),
    Expected("reach.no-room", _at_the_stand_in(), "likely harness-phone-refuses"),
    Expected("transfer.no-room", _at_an_agent(), "certain harness-phone-refuses"),
    Expected("customer.no-room", _at_the_customer(), "certain harness-phone-refuses"),
    Expected(
        "encryption.agent", refused_by_an_agent(488, SRTP_ALONE), "likely harness-phone-refuses"
    ),
    Expected(
        "encryption.customer",
        refused_by_the_customer(488, SRTP_ALONE),
        "likely harness-phone-refuses",
    ),
]
