"""Media that goes where an SDP of the platform's says, and where nobody takes it."""

from __future__ import annotations

from harness.diagnosis.audio import NO_RTP
from harness.diagnosis.cells import cells
from harness.diagnosis.conditions import not_shown, unless, when
from harness.diagnosis.rule import Rule
from harness.diagnosis.rules.media import LASTING, SAME_CODEC, SENT, UNHEARD, UNHEARD_BY_CALLER, UP
from harness.diagnosis.session import ANOTHER_HOST

ADDRESSES: tuple[Rule, ...] = (
    Rule(
        id="audio.private-address",
        cause="sdp-private-address",
        symptoms=("audio",),
        cells=cells("media from it", "AI"),
        conditions=(
            when("sdp.to_ai", "private"),
            when("audio.to_caller", *NO_RTP),
            *LASTING,
        ),
        consequences=UNHEARD_BY_CALLER,
        because="the newest SDP that the AI got names a private address, so what the AI sends cannot arrive",
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
