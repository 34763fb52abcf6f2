"""Rows that acceptance plans for SIP trunks check besides the guides', the same for every integration."""

from __future__ import annotations

from collections.abc import Mapping

from harness.integrations.base import ADDRESSED, AGAIN, WITH_THE_AI, Row, Seats


def _row(
    row_id: str,
    title: str,
    proves: str,
    line: str | None = "inbound",
    *,
    seats: Seats = "both",
    needs: tuple[str, ...] = (),
    variants: tuple[tuple[str, tuple[str, ...]], ...] = (),
    seconds: float = 1.5,
    opt_in: bool = False,
    finds: Mapping[str, int],
) -> Row:
    return Row(
        id=row_id,
        title=title,
        proves=proves,
        source="practice",
        line=line,
        seats=seats,
        needs=needs,
        variants=variants,
        full=tuple(name for name, _ in variants),
        codecs=False,
        seconds=seconds,
        opt_in=opt_in,
        finds=finds,
    )


_METHODS = (("digits", ("to-ai", "from-ai")),)

PRACTICE: tuple[Row, ...] = (
    _row(
        "HANGUP-CALLER",
        "The caller hangs up",
        "The caller's BYE is answered, and the AI's leg ends within the time the deployment allows.",
        finds={**WITH_THE_AI, "released": 1, "final_response": 1},
    ),
    _row(
        "HANGUP-AI",
        "The AI hangs up",
        "The caller's leg ends within the time the deployment allows.",
        needs=("escalation.goodbye_digit",),
        finds={**WITH_THE_AI, "released": 1},
    ),
    _row(
        "HANGUP-AGENT",
        "The agent hangs up after a transfer",
        "The agent's BYE is answered, the caller's leg ends within the time the deployment allows, and no other leg is left.",
        seconds=2.5,
        finds={
            "answered": 1,
            "landing.answered_by": 1,
            "landing": 1,
            "audio to agent": 1,
            "audio to caller": 1,
            "released": 2,
            "final_response": 1,
        },
    ),
    _row(
        "ABANDON",
        "The caller gives up while it rings",
        "The caller's CANCEL ends its own INVITE with 487, and every ringing leg with it; nobody keeps ringing.",
        line="no-answer",
        finds={"ringing": 1, "route.tried": 1, "final_response": 1, "released": 1},
    ),
    _row(
        "BUSY",
        "The AI is busy",
        "The caller gets the final response for busy.",
        line="busy",
        seats="synthflow",
        finds={"final_response": 1},
    ),
    _row(
        "NOANSWER",
        "Nobody answers",
        "The caller gets the final response for no answer, when the ring timeout is over.",
        line="no-answer",
        seats="synthflow",
        seconds=4.0,
        finds={"final_response": 1, "timing": 1, "route.tried": 1},
    ),
    _row(
        "REJECTED",
        "The AI declines",
        "The caller gets the final response for declined.",
        "rejected",
        seats="synthflow",
        finds={"final_response": 1},
    ),
    _row(
        "NOSUCHNUMBER",
        "A number nobody has",
        "The caller gets the final response for an unknown number.",
        line=None,
        needs=("numbers.no_such_number",),
        seats="synthflow",
        finds={"final_response": 1, "landing.others": 1},
    ),
    _row(
        "HOLD",
        "The caller holds and resumes",
        "Audio flows both ways; while held nothing of the caller reaches the AI and nothing of the AI the caller; resumed, both "
        "directions are back.",
        seconds=4.0,
        finds={**WITH_THE_AI, **AGAIN, "audio.silent": 2},
    ),
    _row(
        "DTMF-RFC4733",
        "Digits as telephone-event",
        "Every digit arrives once, in order, with a plausible duration, by RFC 4733.",
        variants=_METHODS,
        needs=("escalation.digits_back",),
        seconds=3.0,
        finds={**WITH_THE_AI, "dtmf": 1, "dtmf.duration": 1},
    ),
    _row(
        "DTMF-INFO",
        "Digits by SIP INFO",
        "Every digit arrives once and in order, by SIP INFO.",
        variants=_METHODS,
        needs=("escalation.digits_back",),
        seconds=2.5,
        finds={**WITH_THE_AI, "dtmf": 1},
    ),
    _row(
        "EARLYMEDIA",
        "Audio before the answer",
        "A 183 with SDP opens the media path: the caller hears the AI before the 200 arrives, and both ways after it.",
        line="early-media",
        seconds=2.0,
        finds={**WITH_THE_AI, "audio.early": 1},
    ),
    _row(
        "KEEPALIVE",
        "OPTIONS is answered",
        "The platform answers OPTIONS with 200, as a keep-alive needs.",
        line=None,
        seats="synthflow",
        needs=("platform.host",),
        finds={"final_response": 1},
    ),
    _row(
        "SESSIONTIMER",
        "Session timers",
        "A session interval under the platform's minimum is answered 422 and retried with its Min-SE; the session is refreshed "
        "before half of it is over and audio goes on (RFC 4028); meanwhile the delay of each direction is measured.",
        seats="stand-in",
        seconds=50.0,
        finds={
            "answered": 1,
            "landing.answered_by": 1,
            **AGAIN,
            "audio.one_way_delay": 2,
            "session.interval": 1,
            "timing.within": 1,
        },
    ),
    _row(
        "PRACK",
        "Reliable provisional responses",
        "A 1xx sent reliably is acknowledged by PRACK and the call goes on to be answered, with audio both ways (RFC 3262).",
        line="early-media",
        seats="stand-in",
        finds={**WITH_THE_AI, "prack": 1},
    ),
    _row(
        "REINVITE-CODEC",
        "The codec changes during the call",
        "After a re-INVITE from PCMU to PCMA both sides use PCMA and audio flows both ways again.",
        seconds=2.5,
        finds={**WITH_THE_AI, **AGAIN, "codec": 3},
    ),
    _row(
        "ANONYMOUS",
        "A caller who withholds the number",
        "From is anonymous with Privacy: id, and the number travels in P-Asserted-Identity (RFC 3323, 3325).",
        finds={**WITH_THE_AI, "caller_id.withheld": 1},
    ),
    _row(
        "NUMBERFORMATS",
        "The ways to write a number",
        "A number dialled in E.164, in national form and as tel: reaches the same line; the caller's number arrives in the form "
        "the deployment promises.",
        variants=(("form", ("e164", "national", "tel")),),
        finds={"answered": 1, "landing.answered_by": 1, **ADDRESSED, "caller_id": 1},
    ),
    _row(
        "XEI",
        "X-EI and other X- headers",
        "X-EI and arbitrary X- headers of the caller arrive at the AI unchanged.",
        finds={"answered": 1, "landing.answered_by": 1, "header": 3},
    ),
    _row(
        "TRANSFER-UNAVAILABLE",
        "A transfer to a group with nobody in it",
        "The call returns to the AI, or is released, as the deployment says; the caller is not left in silence.",
        line="transfer-unavailable",
        needs=("groups.nobody",),
        seconds=2.5,
        finds={**WITH_THE_AI, "transfer.fails": 1, "audio to caller again|released": 1, "landing.others": 1},
    ),
    _row(
        "SRTP",
        "Encrypted media",
        "With SRTP asked for, both ends negotiate it and hear each other through it (RFC 3711, 4568).",
        seats="stand-in",
        needs=("expect.srtp",),
        finds={**WITH_THE_AI, "media.encrypted": 2},
    ),
    _row(
        "LONGCALL",
        "A long call",
        "Audio flows both ways at the start, in the middle and at the end; timers and address bindings hold.",
        variants=(("minutes", ("10", "31")),),
        seconds=1860.0,
        opt_in=True,
        finds={**WITH_THE_AI, "audio to ai again": 2, "audio to caller again": 2},
    ),
    _row(
        "CONCURRENT",
        "Several callers at once",
        "Each caller is with the AI in a call of its own: nobody hears another call's mark, no number crosses.",
        needs=("phones.caller-2", "phones.caller-3"),
        seconds=2.5,
        finds=dict.fromkeys((*WITH_THE_AI, *AGAIN, "caller_id"), 3),
    ),
)

TRANSPORT_PRACTICE: tuple[Row, ...] = (
    Row(
        id="TLS-BADCERT",
        title="A bad certificate is refused",
        proves="A far end whose certificate is expired, signed by nobody or made out to another name is not talked to: the call is "
        "not set up over that connection, and the caller gets the fallback.",
        source="practice",
        line="inbound",
        seats="stand-in",
        over="trunks",
        transports=("tls",),
        codecs=False,
        needs=("stand_in.bad_certificates",),
        variants=(("certificate", ("expired", "self-signed", "wrong-name")),),
        full=("certificate",),
        seconds=3.0,
        finds={"landing": 1, "answered": 1, "audio to agent": 1, "audio to caller": 1, "route.not_reached": 1},
    ),
)
