"""Examples whose facts fit more than one cause: all of them are told, or the one is not told as certain."""

from __future__ import annotations

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.stories import (
    GROUP,
    Expected,
    challenged,
    lost,
    nothing,
    register,
    taken,
    talk,
    transfer,
    warm,
)


def _laws(to_ai: str, to_caller: str, packets: int = 0) -> Example:
    """PCMU on the caller's side, PCMA on the AI's."""
    example = talk(Example(ai="stand-in")).codec("caller.1", "PCMU").codec("stand-in.1", "PCMA")
    return example.counted("stand-in.1", received=200).to_ai(to_ai, packets).to_caller(to_caller)


def _later(ai: str = "synthflow") -> Example:
    """Both hear each other, and are listened to again after five minutes."""
    example = talk(Example(row="LONGCALL", ai=ai)).codec("caller.1", "PCMU").counted(received=15000)
    example.codec("stand-in.1", "PCMU") if ai == "stand-in" else example.record(
        status="in-progress", witness={"codec": "PCMU"}
    )
    return example.to_ai().to_caller().after(300)


def _cut(*, ack: bool, refresh: int = 0) -> Example:
    """The AI answers, with its 200 repeated where no ACK comes, and sends BYE after half a minute.

    ``refresh`` is how a session refresh of its own is answered before that.
    """
    example = talk(Example(row="LONGCALL", ai="stand-in")).ai_answers(200, "OK")
    if ack:
        example._sip("received", "ACK sip:ai SIP/2.0", "ACK", to="<sip:ai@192.0.2.60>;tag=b")
    else:
        example.after(0.5).ai_answers(200, "OK").after(1.0).ai_answers(200, "OK")
    example.to_ai().to_caller().after(31)
    if refresh:
        example.ai_refreshes(refresh)
    return example.ends("sent").to_ai("no-rtp").to_caller("no-rtp")


def _no_fallback(refused: int, told: int) -> Example:
    """The AI refused with one status, and the caller was told another, or the same."""
    example = Example(row="TD-FALLBACK-REFUSED", line="fallback-refused", ai="stand-in").dials().ai_gets()
    return example.ai_answers(refused).after(0.1).state("disconnected", told, "x").landed("reception")


def unseen(refused: int = 503, told: int = 500, reason: str = "x") -> Example:
    """The same of a number whose fallback leads to people in browsers, who were rung in vain, or not at all."""
    example = Example(ai="stand-in", browsers=True).dials().ai_gets().ai_answers(refused).after(20)
    return example.state("disconnected", told, reason).all_ports_answer().not_taken()


def _cut_by_the_ai() -> Example:
    """The AI calls an agent itself, who answers, and hangs up."""
    example = warm(Example(ai="stand-in")).ai_invites(GROUP).platform_says(200, "OK", "INVITE")
    example.rings("billing").landed("billing", "billing")
    example._sip("sent", "BYE sip:x SIP/2.0", "BYE", call_id="onward", number="3")
    return example.at_phone("billing", "BYE", within=True, leg="billing.1").after(0.1).with_agent("billing", "no-rtp")


_SILENCE = ("silence", 15000)

RIVALS = [
    Expected(
        "registration.password.forbidden", challenged(register(403, "Forbidden").sip_number()), "likely password-wrong"
    ),
    Expected(
        "registration.unavailable.or-none", register(503).sip_number(), "likely trunk-inactive, registration-unanswered"
    ),
    Expected(
        "registration.unanswered.or-503", register(503).sip_number(), "likely trunk-inactive, registration-unanswered"
    ),
    Expected(
        "reach.own-agents.silent-ai",
        nothing(Example(transport="tcp")).probed("ai", "silent").probed("termination", "answers"),
        "likely firewall-tcp-32681; possible route-missing",
    ),
    Expected(
        "reach.own-agents.silent-termination",
        nothing(Example(transport="tcp", ai="stand-in")).probed("termination", "silent"),
        "likely firewall-tcp-32681; possible route-missing",
    ),
    Expected(
        "audio.stopped.to-caller",
        _later().to_ai().to_caller("no-rtp"),
        "likely rtp-blocked-after-10s; possible ai-silent",
    ),
    Expected(
        "audio.unsaid.later", _later().to_ai().to_caller("no-rtp"), "likely rtp-blocked-after-10s; possible ai-silent"
    ),
    Expected(
        "audio.own-side.caller",
        taken().to_ai("no-rtp").to_caller("no-rtp"),
        "likely rtp-blocked-both; possible own-rtp-blocked",
    ),
    Expected(
        "audio.own-side.ai",
        taken("stand-in").to_ai("no-rtp").to_caller(),
        "likely rtp-blocked-to-ai; possible own-rtp-blocked",
    ),
    Expected(
        "audio.own-side.agent",
        transfer(Example()).rings("billing").landed("billing", "billing").with_agent("billing", "no-rtp"),
        "likely transfer-no-audio; possible own-rtp-blocked",
    ),
    Expected(
        "audio.silenced.later.to-caller",
        _later("stand-in").to_ai().to_caller(*_SILENCE, listened_s=300.0),
        "likely audio-silenced",
    ),
    Expected(
        "audio.silenced.later.to-ai",
        _later("stand-in").to_ai(*_SILENCE, listened_s=300.0).to_caller(),
        "likely audio-silenced",
    ),
    Expected(
        "audio.two-codecs.at-ai",
        talk(Example())
        .to_ai("unmarked", 200)
        .to_caller("no-rtp")
        .codec("caller.1", "PCMU")
        .record(witness={"codec": "PCMA"}),
        "likely g711-one-side",
    ),
    *(
        Expected(
            rule,
            talk(Example(), address="10.0.0.10").to_ai().to_caller("no-rtp"),
            "likely sdp-private-address; possible rtp-blocked-to-caller",
        )
        for rule in ("audio.private-address.or-latched", "audio.no-rtp-to-caller.or-latched")
    ),
    Expected("transfer.cut.by-ai", _cut_by_the_ai(), "likely ai-hangs-up"),
    Expected("audio.cut.by-ai", _cut(ack=True), "certain ai-hangs-up"),
    Expected("audio.cut.no-refresh", _cut(ack=True, refresh=481), "certain refresh-not-taken"),
    Expected("audio.cut.no-ack", _cut(ack=False), "certain ack-not-taken"),
    Expected("audio.two-codecs.no-rtp", _laws("no-rtp", "no-rtp"), "likely g711-one-side; possible rtp-blocked-both"),
    Expected("audio.no-rtp.two-codecs", _laws("no-rtp", "no-rtp"), "likely g711-one-side; possible rtp-blocked-both"),
    Expected("fallback.none.passed-on", _no_fallback(486, 486), "certain fallback-missing"),
    *(
        Expected(rule, unseen(), "likely ai-refuses, fallback-missing; possible nobody-available")
        for rule in ("fallback.none.unseen", "fallback.nobody.unseen")
    ),
    Expected("fallback.none.or-number", _no_fallback(503, 404), "likely fallback-missing"),
    Expected("fallback.none.or-nobody", _no_fallback(503, 480), "likely fallback-missing; possible nobody-available"),
    Expected("fallback.nobody.or-none", _no_fallback(503, 480), "likely fallback-missing; possible nobody-available"),
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
