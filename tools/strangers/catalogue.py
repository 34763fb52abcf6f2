"""The strangers' faults, drawn up before the rules that have to name them.

Kamailio with rtpengine is the platform, a stand-in or baresip the AI; a wire of ours lies between the two and changes bytes.
"""

from __future__ import annotations

from tools.strangers.fault import Fault, Media, Side, Sip

_INBOUND = ("TD-INBOUND",)
_BLIND, _WARM = "TD-TRANSFER-BLIND", "TD-TRANSFER-WARM"
_REFUSED, _TIMEOUT, _DOWN = "TD-FALLBACK-REFUSED", "TD-FALLBACK-TIMEOUT", "TD-FALLBACK-DOWN"
_REGISTER = ("TD-REGISTER-OK",)


def _other_codec(side: Side, kind: str) -> tuple[Sip, ...]:
    """G.711 taken out of an SDP, and G.729 put in its place."""
    return (
        Sip(side, kind, "change", r"(m=audio \d+ RTP/AVP)[^\r]*", r"\1 18"),
        Sip(side, kind, "change", r"a=(rtpmap|fmtp):\d+ [^\r]*\r\n", ""),
    )


IDENTITY = (
    Fault(
        "fallback-number-replaced",
        "another From on the way to the fallback's agent",
        (_REFUSED, _TIMEOUT, _DOWN),
        ("caller-id-lost-on-fallback",),
        platform="agent-from-other",
    ),
    Fault(
        "fallback-number-withheld",
        "an anonymous From on the way to the fallback's agent",
        (_REFUSED, _DOWN),
        ("caller-id-lost-on-fallback",),
        platform="agent-from-anonymous",
    ),
    Fault(
        "fallback-number-national",
        "From in national form on the way to the fallback's agent",
        (_TIMEOUT,),
        ("caller-id-lost-on-fallback",),
        platform="agent-from-national",
        held_out=True,
    ),
    Fault(
        "transfer-number-replaced",
        "another From on the way to the group's agent",
        (_BLIND, _WARM),
        ("caller-id-lost-on-transfer",),
        platform="agent-from-other",
        known=True,
    ),
    Fault(
        "transfer-number-withheld",
        "an anonymous From on the way to the group's agent",
        (_BLIND, _WARM),
        ("caller-id-lost-on-transfer",),
        platform="agent-from-anonymous",
    ),
    Fault(
        "ai-number-withheld",
        "an anonymous From on the way to the AI",
        _INBOUND,
        ("from-anonymous",),
        platform="ai-from-anonymous",
        known=True,
    ),
    Fault(
        "ai-number-national",
        "From in national form on the way to the AI",
        _INBOUND,
        ("from-national",),
        platform="ai-from-national",
        known=True,
    ),
    Fault(
        "ai-number-other",
        "a number of nobody's in From on the way to the AI",
        _INBOUND,
        ("from-other-number",),
        platform="ai-from-other",
        known=True,
    ),
    Fault(
        "ai-number-dialled",
        "the dialled number in From on the way to the AI",
        _INBOUND,
        ("from-trunk-did",),
        platform="ai-from-did",
        known=True,
    ),
    Fault(
        "asserted-number-taken",
        "P-Asserted-Identity is taken away",
        ("ANONYMOUS",),
        ("pai-stripped",),
        platform="no-pai",
        known=True,
    ),
)

NUMBERS = (
    Fault(
        "national-form-refused",
        "a number in national form is refused, in E.164 it is taken",
        ("NUMBERFORMATS",),
        ("number-form-refused",),
        platform="no-national",
        axes={"form": ("national",)},
    ),
    Fault(
        "number-unknown",
        "the platform knows no such number",
        _INBOUND,
        ("number-unknown-at-platform",),
        platform="no-number",
    ),
    Fault(
        "number-of-another",
        "the number leads to another assistant",
        _INBOUND,
        ("route-wrong-did",),
        platform="other-did",
        known=True,
    ),
    Fault(
        "number-without-plus", "the AI is called without the plus", _INBOUND, ("request-uri-form",), platform="no-plus"
    ),
    Fault(
        "group-number-unknown",
        "the platform does not know the group's number",
        (_BLIND, _WARM),
        ("number-unknown-at-platform",),
        platform="no-group",
    ),
    Fault(
        "group-another",
        "the group's number rings another group",
        (_BLIND, _WARM),
        ("group-wrong",),
        platform="other-group",
        known=True,
    ),
    Fault(
        "fallback-another",
        "the fallback rings another group",
        (_REFUSED, _TIMEOUT),
        ("fallback-wrong-group",),
        platform="other-group",
        known=True,
    ),
    Fault(
        "group-empty", "no agent of the group is logged in", (_BLIND, _WARM), ("nobody-available",), platform="nobody"
    ),
    Fault(
        "fallback-empty",
        "no agent of the fallback is logged in",
        (_REFUSED, _TIMEOUT),
        ("nobody-available",),
        platform="nobody",
    ),
    Fault(
        "group-answered-elsewhere",
        "a phone that is not ours answers for the group",
        (_BLIND, _WARM),
        ("another-device-answered",),
        platform="other-device",
    ),
    Fault(
        "fallback-answered-elsewhere",
        "a phone that is not ours answers for the fallback",
        (_REFUSED, _DOWN),
        ("another-device-answered",),
        platform="other-device",
    ),
    Fault(
        "caller-turned-away",
        "the platform refuses the caller with 403",
        _INBOUND,
        ("platform-refuses-caller",),
        platform="caller-403",
    ),
    Fault(
        "fallback-none",
        "there is no fallback",
        (_REFUSED, _TIMEOUT, _DOWN),
        ("fallback-missing",),
        platform="no-fallback",
        known=True,
    ),
)

CODECS = (
    Fault(
        "codecs-taken",
        "G.711 is taken out of the offer to the AI",
        (*_INBOUND, _REFUSED, "HANGUP-CALLER"),
        ("no-g711",),
        wire=_other_codec("to-ai", "INVITE"),
        known=True,
    ),
    Fault(
        "encryption-forced",
        "the offer to the AI is SRTP alone",
        _INBOUND,
        ("srtp-mismatch",),
        wire=(Sip("to-ai", "INVITE", "change", r"RTP/AVP", "RTP/SAVP"),),
        known=True,
    ),
    Fault(
        "encryption-taken",
        "the keys are taken out of the offer to the AI",
        ("SRTP",),
        ("encryption-not-passed-on",),
        wire=(Sip("to-ai", "INVITE", "change", r"a=crypto[^\r]*\r\n|S(?=AVP)", ""),),
    ),
    Fault(
        "events-taken-from-offer",
        "telephone-event is taken out of the offer to the AI",
        ("DTMF-RFC4733",),
        ("dtmf-not-negotiated",),
        wire=(
            Sip("to-ai", "INVITE", "change", r" (101|96|97|120)(?=[ \r])", ""),
            Sip("to-ai", "INVITE", "change", r"a=(rtpmap|fmtp):(101|96|97|120) [^\r]*\r\n", ""),
        ),
    ),
    Fault(
        "events-taken-from-answer",
        "telephone-event is taken out of the AI's answer",
        ("DTMF-RFC4733",),
        ("dtmf-not-negotiated",),
        wire=(
            Sip("from-ai", "200 INVITE", "change", r" (101|96|97|120)(?=[ \r])", ""),
            Sip("from-ai", "200 INVITE", "change", r"a=(rtpmap|fmtp):(101|96|97|120) [^\r]*\r\n", ""),
        ),
    ),
    Fault(
        "agent-codecs-taken",
        "G.711 is taken out of the offer to the agent",
        (_BLIND, _WARM, _REFUSED),
        ("agent-no-common-codec",),
        platform="agent-no-g711",
    ),
    Fault(
        "change-refused",
        "a re-INVITE is refused with 488",
        ("HOLD", "REINVITE-CODEC"),
        ("change-refused",),
        platform="reinvite-488",
    ),
    Fault("change-dropped", "a re-INVITE is not answered", ("HOLD",), ("change-refused",), platform="reinvite-dropped"),
    Fault(
        "answer-empty",
        "the SDP is taken out of the AI's 200",
        _INBOUND,
        ("answer-unusable",),
        wire=(Sip("from-ai", "200 INVITE", "change", r"(?s)(?<=\r\n\r\n).*", ""),),
    ),
    Fault(
        "answer-other-codec",
        "the AI's 200 names a codec that nobody offered",
        _INBOUND,
        ("answer-unusable",),
        wire=_other_codec("from-ai", "200 INVITE"),
        held_out=True,
    ),
    Fault(
        "offer-held",
        "the offer to the AI is inactive",
        _INBOUND,
        ("media-on-hold",),
        wire=(Sip("to-ai", "INVITE", "change", r"a=sendrecv", "a=inactive"),),
    ),
    Fault(
        "answer-held",
        "the AI's 200 is inactive",
        _INBOUND,
        ("media-on-hold",),
        wire=(Sip("from-ai", "200 INVITE", "change", r"a=sendrecv", "a=inactive"),),
    ),
    Fault(
        "address-private",
        "a private address in the SDP to the AI",
        (*_INBOUND, "HANGUP-CALLER"),
        ("sdp-private-address",),
        platform="sdp-private",
        known=True,
    ),
    Fault(
        "port-wrong-to-ai",
        "the SDP to the AI names a port nobody listens at",
        _INBOUND,
        ("rtp-blocked-to-caller",),
        platform="sdp-port",
        known=True,
    ),
    Fault(
        "port-wrong-to-caller",
        "the SDP to the caller names a port nobody listens at",
        _INBOUND,
        ("rtp-blocked-to-ai",),
        platform="sdp-port-caller",
        known=True,
    ),
    Fault(
        "more-media",
        "a video stream is added to the AI's answer",
        _INBOUND,
        ("answer-unusable",),
        wire=(Sip("from-ai", "200 INVITE", "change", r"\Z", "m=video 4002 RTP/AVP 31\r\n"),),
    ),
    Fault(
        "hold-without-direction",
        "a hold is answered as if nobody had asked for it",
        ("HOLD",),
        ("change-refused",),
        unseen="the media is held all the same: each side sends nothing, and hears nothing, as it should",
        wire=(Sip("from-ai", "200 INVITE", "change", r"a=(recvonly|inactive)\r\n", ""),),
    ),
)

MEDIA = (
    Fault(
        "rtp-to-caller",
        "no RTP gets to the caller",
        (*_INBOUND, "HANGUP-CALLER"),
        ("rtp-blocked-to-caller",),
        wire=(Media("from-ai", "drop"),),
        known=True,
    ),
    Fault(
        "rtp-to-ai",
        "no RTP gets to the AI",
        (*_INBOUND, "DTMF-RFC4733"),
        ("rtp-blocked-to-ai",),
        wire=(Media("to-ai", "drop"),),
        known=True,
    ),
    Fault(
        "rtp-both",
        "no RTP gets through",
        (*_INBOUND, _BLIND),
        ("rtp-blocked-both",),
        wire=(Media("to-ai", "drop"), Media("from-ai", "drop")),
        known=True,
    ),
    Fault(
        "rtp-one-packet-to-caller",
        "one RTP packet gets to the caller, and no more",
        _INBOUND,
        ("rtp-blocked-to-caller",),
        wire=(Media("from-ai", "first", 1),),
    ),
    Fault(
        "rtp-one-packet-to-ai",
        "one RTP packet gets to the AI, and no more",
        _INBOUND,
        ("rtp-blocked-to-ai",),
        wire=(Media("to-ai", "first", 1),),
    ),
    Fault(
        "rtp-few-packets-both",
        "ten RTP packets get through each way, and no more",
        _INBOUND,
        ("rtp-blocked-both",),
        wire=(Media("to-ai", "first", 10), Media("from-ai", "first", 10)),
        held_out=True,
    ),
    Fault(
        "rtp-stops",
        "RTP stops after two seconds, both ways",
        ("CONCURRENT",),
        ("rtp-blocked-after-10s",),
        wire=(Media("to-ai", "stop", 2.0), Media("from-ai", "stop", 2.0)),
    ),
    Fault(
        "rtp-lost",
        "a quarter of the RTP is lost",
        _INBOUND,
        ("heavy-loss",),
        wire=(Media("to-ai", "loss", 0.25), Media("from-ai", "loss", 0.25)),
        known=True,
    ),
    Fault(
        "rtp-lost-in-bursts",
        "RTP is lost in bursts",
        _INBOUND,
        ("heavy-loss",),
        wire=(Media("to-ai", "bursts", 0.3), Media("from-ai", "bursts", 0.3)),
    ),
    Fault(
        "rtp-disordered",
        "RTP arrives in disorder",
        _INBOUND,
        ("rtp-disordered",),
        wire=(Media("to-ai", "disorder", 0.5), Media("from-ai", "disorder", 0.5)),
    ),
    Fault(
        "rtp-late",
        "RTP is held for 700 ms",
        _INBOUND,
        ("high-delay",),
        wire=(Media("to-ai", "delay", 0.7), Media("from-ai", "delay", 0.7)),
        known=True,
    ),
    Fault(
        "silence-to-caller",
        "RTP to the caller holds silence",
        _INBOUND,
        ("audio-silenced",),
        wire=(Media("from-ai", "silence"),),
    ),
    Fault(
        "silence-to-ai",
        "RTP to the AI holds silence",
        _INBOUND,
        ("audio-silenced",),
        wire=(Media("to-ai", "silence"),),
        held_out=True,
    ),
    Fault(
        "noise",
        "RTP holds noise, both ways",
        _INBOUND,
        ("payload-mismatch",),
        wire=(Media("to-ai", "noise"), Media("from-ai", "noise")),
        known=True,
    ),
    Fault(
        "type-swapped",
        "RTP goes under the other G.711 law's payload type",
        _INBOUND,
        ("g711-one-side",),
        wire=(Media("to-ai", "type"), Media("from-ai", "type")),
    ),
    Fault(
        "quiet",
        "voices arrive 30 dB too quiet",
        _INBOUND,
        ("level-wrong",),
        wire=(Media("to-ai", "quiet", 30), Media("from-ai", "quiet", 30)),
    ),
    Fault("echo", "the caller hears the caller", _INBOUND, ("echo",), wire=(Media("to-ai", "echo"),)),
    Fault(
        "crossed",
        "the caller hears another call",
        _INBOUND,
        ("audio-crossed",),
        wire=(Media("from-ai", "mark", 201),),
        known=True,
    ),
    Fault(
        "gaps",
        "RTP pauses and goes on as if nothing had been left out",
        _INBOUND,
        ("heavy-loss",),
        wire=(Media("to-ai", "gaps", 0.3), Media("from-ai", "gaps", 0.3)),
        unseen="nothing is missing in the RTP that arrives, and a mark is heard on both sides of a gap",
    ),
    Fault(
        "agent-unheard-transfer",
        "no RTP gets from the agent to the caller after a transfer",
        (_BLIND,),
        ("transfer-no-audio",),
        platform="agent-sdp-port",
        known=True,
    ),
    Fault(
        "agent-unheard-fallback",
        "no RTP gets from the agent to the caller after a fallback",
        (_REFUSED, _DOWN),
        ("fallback-no-audio",),
        platform="agent-sdp-port",
    ),
    Fault(
        "agent-silent-relay",
        "the media relay mutes the caller towards the agent",
        (_REFUSED,),
        ("fallback-no-audio",),
        platform="agent-muted",
        held_out=True,
    ),
)

DIGITS = (
    Fault(
        "events-dropped",
        "RTP of telephone-event is dropped",
        ("DTMF-RFC4733",),
        ("digits-lost",),
        wire=(Media("to-ai", "no-events"), Media("from-ai", "no-events")),
    ),
    Fault(
        "events-twice",
        "every digit arrives twice",
        ("DTMF-RFC4733",),
        ("digits-lost",),
        wire=(Media("to-ai", "events-twice"), Media("from-ai", "events-twice")),
        held_out=True,
    ),
    Fault("info-dropped", "INFO is not passed on", ("DTMF-INFO",), ("digits-lost",), platform="no-info"),
    Fault(
        "info-changed",
        "INFO has another digit",
        ("DTMF-INFO",),
        ("digits-lost",),
        wire=(
            Sip("to-ai", "INFO", "change", r"(?i)(signal *= *)1", r"\g<1>7"),
            Sip("from-ai", "INFO", "change", r"(?i)(signal *= *)1", r"\g<1>7"),
        ),
        held_out=True,
    ),
)

HEADERS = (
    Fault("x-headers-taken", "X-headers are taken away", ("XEI",), ("header-not-passed-on",), platform="no-x-headers"),
    Fault(
        "x-header-one-taken",
        "one X-header is taken away",
        ("XEI",),
        ("header-not-passed-on",),
        wire=(Sip("to-ai", "INVITE", "change", r"(?im)^X-EI:[^\r]*\r\n", ""),),
    ),
    Fault(
        "x-header-changed",
        "an X-header's value is cut short",
        ("XEI",),
        ("header-changed",),
        wire=(Sip("to-ai", "INVITE", "change", r"(?im)^(X-EI: *[^;\r]{4})[^\r]*", r"\1"),),
    ),
    Fault(
        "x-header-twice",
        "an X-header is there twice",
        ("XEI",),
        ("header-changed",),
        wire=(Sip("to-ai", "INVITE", "change", r"(?im)^(X-EI:[^\r]*\r\n)", r"\1\1"),),
        held_out=True,
    ),
    Fault(
        "reliability-taken",
        "100rel is taken out of the INVITE",
        ("PRACK",),
        ("reliability-not-passed-on",),
        wire=(Sip("to-ai", "INVITE", "change", r"(?im)^(Require|Supported):[^\r]*\r\n", ""),),
    ),
    Fault(
        "early-media-taken",
        "the SDP is taken out of the AI's 183",
        ("EARLYMEDIA",),
        ("early-media-not-passed-on",),
        wire=(Sip("from-ai", "183 INVITE", "drop"),),
    ),
)

CREDENTIALS = (
    Fault(
        "ai-call-challenged",
        "the AI's own call is challenged, and it has no password",
        (_WARM,),
        ("transfer-call-challenged",),
        platform="ai-challenged",
        axes={"authentication": ("ip",)},
    ),
    Fault(
        "ai-call-forbidden",
        "the AI's own call is refused with 403",
        (_WARM,),
        ("synthflow-ip-not-allowed",),
        platform="ai-403",
        known=True,
    ),
    Fault(
        "ai-call-unavailable",
        "the AI's own call is refused with 503",
        (_WARM,),
        ("trunk-inactive",),
        platform="ai-503",
        known=True,
    ),
    Fault(
        "ai-call-busy", "the AI's own call is refused with 486", (_WARM,), ("transfer-call-refused",), platform="ai-486"
    ),
    Fault(
        "refer-refused", "REFER is refused with 405", (_BLIND,), ("refer-rejected",), platform="refer-405", known=True
    ),
    Fault("refer-dropped", "REFER is not answered", (_BLIND,), ("transfer-unanswered",), platform="refer-dropped"),
    Fault(
        "register-password",
        "the registrar has another password",
        _REGISTER,
        ("password-wrong",),
        platform="register-password",
        axes={"authentication": ("digest",)},
        known=True,
    ),
    Fault(
        "register-address",
        "the registrar does not allow the address",
        _REGISTER,
        ("synthflow-ip-not-allowed",),
        platform="register-403",
        axes={"authentication": ("digest",)},
        known=True,
    ),
    Fault(
        "register-unavailable",
        "the registrar answers 503",
        _REGISTER,
        ("trunk-inactive",),
        platform="register-503",
        axes={"authentication": ("digest",)},
        known=True,
    ),
    Fault(
        "register-dropped",
        "the registrar does not answer",
        _REGISTER,
        ("registration-unanswered",),
        platform="register-dropped",
        axes={"authentication": ("digest",)},
    ),
)

ENDINGS = (
    Fault(
        "bye-of-caller-kept",
        "the caller's BYE is answered, and not passed on",
        ("HANGUP-CALLER",),
        ("hangup-not-passed-on",),
        platform="bye-kept-caller",
    ),
    Fault(
        "bye-of-ai-kept",
        "the AI's BYE is answered, and not passed on",
        ("HANGUP-AI",),
        ("ai-hangup-not-passed-on",),
        platform="bye-kept-ai",
    ),
    Fault(
        "bye-of-agent-kept",
        "the agent's BYE is answered, and not passed on",
        ("HANGUP-AGENT",),
        ("agent-hangup-not-passed-on",),
        platform="bye-kept-agent",
    ),
    Fault(
        "bye-refused",
        "the caller's BYE is refused with 481",
        ("HANGUP-CALLER",),
        ("hangup-not-taken",),
        platform="bye-481",
        held_out=True,
    ),
    Fault(
        "bye-dropped",
        "the caller's BYE is not answered",
        ("HANGUP-CALLER",),
        ("hangup-not-taken",),
        platform="bye-dropped",
    ),
    Fault(
        "cancel-kept",
        "the caller's CANCEL is not passed on",
        ("ABANDON",),
        ("hangup-not-passed-on",),
        wire=(Sip("to-ai", "CANCEL", "drop"),),
    ),
    Fault(
        "ack-dropped",
        "the caller's ACK does not get to the AI",
        _INBOUND,
        ("ack-not-taken",),
        wire=(Sip("to-ai", "ACK", "drop"),),
    ),
    Fault(
        "answer-kept",
        "the AI's 200 is not passed on",
        _INBOUND,
        ("answer-not-passed-on",),
        wire=(Sip("from-ai", "200 INVITE", "drop"),),
    ),
    Fault(
        "notify-kept",
        "no NOTIFY gets to the AI",
        (_BLIND,),
        ("transfer-not-reported",),
        wire=(Sip("to-ai", "NOTIFY", "drop"),),
    ),
)

LIMITS = (
    Fault(
        "limit-low",
        "the platform takes one call fewer than agreed",
        ("TD-CAPACITY",),
        ("limit-too-low",),
        platform="limit-low",
    ),
    Fault(
        "limit-high",
        "the platform takes as many calls as come",
        ("TD-CAPACITY",),
        ("limit-not-enforced",),
        platform="limit-none",
    ),
    Fault(
        "ring-time-long",
        "the fallback comes two seconds late",
        (_TIMEOUT,),
        ("ring-timeout-wrong",),
        platform="ring-long",
        known=True,
    ),
    Fault(
        "ring-time-short",
        "the fallback comes a second and a half early",
        (_TIMEOUT,),
        ("ring-timeout-wrong",),
        platform="ring-short",
    ),
    Fault(
        "refusal-held",
        "the AI's refusal is not passed on",
        (_REFUSED,),
        ("fallback-late",),
        wire=(Sip("from-ai", "503 INVITE", "hold", seconds=4.0),),
        held_out=True,
    ),
)

FAULTS: tuple[Fault, ...] = (*IDENTITY, *NUMBERS, *CODECS, *MEDIA, *DIGITS, *HEADERS, *CREDENTIALS, *ENDINGS, *LIMITS)
