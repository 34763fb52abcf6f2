"""Media that goes where an SDP of the platform's says, and where nobody takes it."""

from __future__ import annotations

from dataclasses import replace

from harness.diagnosis.audio import NO_RTP
from harness.diagnosis.cells import cells
from harness.diagnosis.conditions import not_shown, unless, when
from harness.diagnosis.rule import Rule
from harness.diagnosis.rules.media import LASTING, SAME_CODEC, SENT, UNHEARD, UNHEARD_BY_CALLER, UP
from harness.diagnosis.session import ANOTHER_HOST

#: The AI could send where RTP comes from (symmetric RTP, as Synthflow documents it), and then had no need of the address.
_HEARS = when("audio.to_ai", "heard")
_PRIVATE = Rule(
    id="audio.private-address",
    cause="sdp-private-address",
    symptoms=("audio",),
    cells=cells("media from it", "AI"),
    conditions=(
        when("sdp.to_ai", "private"),
        when("audio.to_caller", *NO_RTP),
        not_shown("audio.to_ai", "heard"),
        *LASTING,
    ),
    consequences=UNHEARD_BY_CALLER,
    because="the newest SDP that the AI got names a private address, so what the AI sends cannot arrive",
)

ADDRESSES: tuple[Rule, ...] = (
    _PRIVATE,
    replace(
        _PRIVATE,
        id="audio.private-address.or-latched",
        conditions=(when("sdp.to_ai", "private"), when("audio.to_caller", *NO_RTP), _HEARS, *LASTING),
        because="the newest SDP that the AI got names a private address, and what the AI sends there cannot arrive",
        confidence="likely",
    ),
    replace(
        _PRIVATE,
        id="audio.no-rtp-to-caller.or-latched",
        cause="rtp-blocked-to-caller",
        cells=(),
        conditions=(when("sdp.to_ai", "private"), when("audio.to_caller", *NO_RTP), _HEARS, SENT, *LASTING),
        because="the AI hears the caller, and may send to where that comes from (symmetric RTP), whatever the SDP names; nothing of "
        "it arrives at the caller",
        confidence="possible",
    ),
    Rule(
        id="audio.private-address.caller",
        cause="sdp-private-address",
        symptoms=("audio",),
        essential=(when("sdp.to_caller", "private"), when("audio.to_ai", *NO_RTP)),
        conditions=LASTING,
        consequences=UNHEARD,
        because="the newest SDP that the caller got names a private address, so what the caller sends cannot arrive",
        confidence="likely",
    ),
    Rule(
        id="audio.other-address",
        cause="sdp-other-address",
        symptoms=("audio",),
        essential=(when("rtp.from.ai", ANOTHER_HOST), when("audio.to_caller", *NO_RTP)),
        conditions=(unless("sdp.to_ai", "private"), *LASTING),
        consequences=UNHEARD_BY_CALLER,
        because="the SDP in the INVITE to the AI names another address than RTP comes from, and what the AI sends there does not "
        "arrive",
        confidence="likely",
    ),
    Rule(
        id="audio.other-address.caller",
        cause="sdp-other-address",
        symptoms=("audio",),
        essential=(when("rtp.from.caller", ANOTHER_HOST), when("audio.to_ai", *NO_RTP)),
        conditions=(not_shown("sdp.to_caller", "private"), *LASTING),
        consequences=UNHEARD,
        because="the SDP of the answer to the caller names another address than RTP comes from, and what the caller sends there "
        "does not arrive",
        confidence="likely",
    ),
    # Another address than the signalling's is a media server's, or a wrong one.
    Rule(
        id="audio.other-address.both",
        cause="sdp-other-address",
        symptoms=("audio",),
        essential=(when("sdp.beside", True),),
        conditions=(
            when("audio.to_ai", *NO_RTP),
            when("audio.to_caller", "nothing", "silence"),
            SAME_CODEC,
            unless("sdp.to_ai", "private"),
            unless("audio.stopped", True),
            SENT,
            *UP,
        ),
        consequences=UNHEARD,
        because="nothing arrives at either end, and an SDP names another address than the platform's signalling comes from",
        confidence="possible",
    ),
)
