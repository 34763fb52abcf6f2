"""Why caller and AI do not hear each other, or hear badly."""

from __future__ import annotations

from harness.diagnosis.conditions import not_shown, unless, when
from harness.diagnosis.rule import Rule, Symptom

#: What the AI cannot hear it cannot act on, and what nobody hears cannot be checked any further.
_UNHEARD: tuple[Symptom, ...] = ("transfer", "digits", "release", "audio.agent", "other", "quality")

#: An AI that hears can still be asked, and act.
_UNHEARD_BY_CALLER: tuple[Symptom, ...] = ("other", "quality")

_SAME_CODEC = unless("codec.sides", "different")

#: The call was up, and meant to carry sound.
_UP = (not_shown("call.cut", True), not_shown("sdp.hold", "the AI", "the platform"))
#: What was not sent cannot arrive, wherever it is looked for.
_SENT = not_shown("ai.spoke", False)

AUDIO: tuple[Rule, ...] = (
    Rule(
        id="audio.crossed",
        cause="audio-crossed",
        symptoms=("audio", "audio.agent"),
        essential=(when("audio.to_caller", "crossed"),),
        conditions=(),
        consequences=_UNHEARD,
        because="the caller hears the mark of a call that is not this one",
    ),
    Rule(
        id="audio.crossed.at-ai",
        cause="audio-crossed",
        symptoms=("audio",),
        essential=(when("audio.to_ai", "crossed"),),
        conditions=(not_shown("audio.to_caller", "crossed"),),
        consequences=_UNHEARD,
        because="the AI hears the mark of a call that is not this one",
    ),
    Rule(
        id="audio.stopped",
        cause="rtp-blocked-after-10s",
        symptoms=("audio",),
        conditions=(
            when("audio.stopped", True),
            not_shown("audio.stopped_at", "a re-INVITE"),
            not_shown("audio.to_caller", "crossed", "noise", "echo"),
            *_UP,
        ),
        consequences=_UNHEARD,
        because="both heard each other at first, and later one of them or both heard nothing any more",
    ),
    Rule(
        id="audio.stopped.at-reinvite",
        cause="media-lost-on-reinvite",
        symptoms=("audio",),
        essential=(when("audio.stopped", True), when("audio.stopped_at", "a re-INVITE")),
        conditions=(not_shown("audio.to_caller", "crossed", "noise", "echo"), *_UP),
        consequences=_UNHEARD,
        because="both heard each other until the call was changed by a re-INVITE, and not since",
    ),
    Rule(
        id="audio.no-rtp-to-ai",
        cause="rtp-blocked-to-ai",
        symptoms=("audio",),
        conditions=(
            when("audio.to_ai", "nothing", "silence"),
            when("audio.to_caller", "heard"),
            _SAME_CODEC,
            unless("audio.stopped", True),
            *_UP,
        ),
        consequences=_UNHEARD,
        because="the caller hears the AI, and nothing of the caller's arrives at the AI",
    ),
    Rule(
        id="audio.no-rtp-to-caller",
        cause="rtp-blocked-to-caller",
        symptoms=("audio",),
        conditions=(
            when("audio.to_caller", "nothing", "silence"),
            when("audio.to_ai", "heard"),
            _SAME_CODEC,
            unless("sdp.to_ai", "private"),
            unless("audio.stopped", True),
            _SENT,
            *_UP,
        ),
        consequences=_UNHEARD_BY_CALLER,
        because="the AI hears the caller, nothing of the AI's arrives at the caller, and the SDP sent its RTP to the right place",
    ),
    Rule(
        id="audio.private-address",
        cause="sdp-private-address",
        symptoms=("audio",),
        conditions=(
            when("sdp.to_ai", "private"),
            when("audio.to_caller", "nothing", "silence"),
            unless("audio.stopped", True),
            *_UP,
        ),
        consequences=_UNHEARD_BY_CALLER,
        because="the SDP in the INVITE to the AI names a private address, so what the AI sends cannot arrive",
    ),
    Rule(
        id="audio.no-rtp",
        cause="rtp-blocked-both",
        symptoms=("audio",),
        conditions=(
            when("audio.to_ai", "nothing", "silence"),
            when("audio.to_caller", "nothing", "silence"),
            _SAME_CODEC,
            unless("sdp.to_ai", "private"),
            unless("audio.stopped", True),
            _SENT,
            *_UP,
        ),
        consequences=_UNHEARD,
        because="nothing arrives at either end, though both negotiated the same codec",
    ),
    Rule(
        id="audio.two-codecs",
        cause="g711-one-side",
        symptoms=("audio", "codec"),
        conditions=(
            when("codec.sides", "different"),
            when("audio.to_ai", "nothing", "silence", "silent RTP", "noise", "no mark"),
            when("audio.to_caller", "nothing", "silence", "silent RTP", "noise"),
            unless("audio.stopped", True),
            *_UP,
        ),
        consequences=_UNHEARD,
        because="the platform agreed on one G.711 law with the caller and on the other with the AI, and neither hears anything",
    ),
    Rule(
        id="audio.noise",
        cause="payload-mismatch",
        symptoms=("audio",),
        conditions=(
            when("audio.to_ai", "noise", "no mark", "another sound"),
            when("audio.to_caller", "noise"),
            _SAME_CODEC,
            unless("loss", "heavy"),
            unless("audio.stopped", True),
        ),
        consequences=_UNHEARD,
        because="packets arrive at both ends, and nothing in them is what anybody sent",
    ),
    Rule(
        id="audio.noise.like-sound",
        cause="payload-mismatch",
        symptoms=("audio",),
        conditions=(
            when("audio.to_ai", "noise", "no mark", "another sound"),
            when("audio.to_caller", "another sound"),
            _SAME_CODEC,
            unless("loss", "heavy"),
            unless("audio.stopped", True),
        ),
        consequences=_UNHEARD,
        because="both ends hear some sound, and neither hears what the other sends",
        confidence="likely",
    ),
    Rule(
        id="audio.loss",
        cause="heavy-loss",
        symptoms=("audio", "quality"),
        conditions=(when("loss", "heavy"),),
        consequences=_UNHEARD,
        because="the receivers count more lost packets than concealment hides",
    ),
    Rule(
        id="audio.delay",
        cause="high-delay",
        symptoms=("audio", "quality"),
        conditions=(when("delay", "high"), not_shown("loss", "heavy")),
        because="what one end says arrives at the other too late",
    ),
    Rule(
        id="audio.echo",
        cause="echo",
        symptoms=("audio", "other"),
        essential=(when("echo", True),),
        conditions=(not_shown("audio.to_caller", "crossed"),),
        because="a leg hears the mark that it sends itself",
    ),
    Rule(
        id="audio.cut.by-ai",
        cause="ai-hangs-up",
        symptoms=("audio", "other"),
        essential=(when("call.cut", True),),
        conditions=(when("call.cut_by", "the AI"),),
        consequences=_UNHEARD,
        because="the AI sent BYE before anybody asked it to, and the call was over before the case was",
    ),
    Rule(
        id="audio.cut.by-platform",
        cause="call-dropped",
        symptoms=("audio", "other"),
        essential=(when("call.cut", True),),
        conditions=(when("call.cut_by", "the platform"),),
        consequences=_UNHEARD,
        because="the platform sent BYE to both sides, and the call was over before the case was",
    ),
    Rule(
        id="audio.on-hold",
        cause="media-on-hold",
        symptoms=("audio", "codec"),
        essential=(when("sdp.hold", "the AI", "the platform"),),
        conditions=(not_shown("call.cut", True),),
        consequences=_UNHEARD,
        because="the SDP that set the call up says that nothing is sent one way or both",
    ),
    Rule(
        id="audio.unsaid",
        cause="ai-silent",
        symptoms=("audio",),
        conditions=(
            when("ai.spoke", False),
            when("audio.to_caller", "nothing", "silence", "silent RTP"),
            unless("audio.stopped", True),
            *_UP,
        ),
        consequences=_UNHEARD,
        because="the caller hears nothing of the AI, and its own record has nothing that it said",
    ),
    Rule(
        id="audio.silenced.to-caller",
        cause="audio-silenced",
        symptoms=("audio",),
        essential=(when("audio.to_caller", "silent RTP"),),
        conditions=(_SAME_CODEC, unless("audio.stopped", True), _SENT, *_UP),
        consequences=_UNHEARD_BY_CALLER,
        because="RTP arrives at the caller, and all of it is silence, though the AI spoke",
    ),
    Rule(
        id="audio.silenced.to-ai",
        cause="audio-silenced",
        symptoms=("audio",),
        essential=(when("audio.to_ai", "silent RTP"),),
        conditions=(_SAME_CODEC, unless("audio.stopped", True), *_UP),
        consequences=_UNHEARD,
        because="RTP arrives at the AI, and all of it is silence, though the caller sends sound",
    ),
    Rule(
        id="audio.fallback",
        cause="fallback-no-audio",
        symptoms=("audio.agent",),
        essential=(
            when("fallback.landed", "the right group", "another group"),
            when("audio.agent", "none either way", "one way"),
        ),
        conditions=(not_shown("transfer.landed", "the right group", "another group"),),
        consequences=("other",),
        because="the agent the call fell back to answered, and no sound arrives there, or none comes back",
    ),
    Rule(
        id="audio.answer",
        cause="answer-unusable",
        symptoms=("reach", "codec", "audio"),
        essential=(
            when("caller.answer", "no SDP", "an SDP that cannot be read", "no audio", "a codec that was not offered"),
        ),
        conditions=(),
        consequences=_UNHEARD,
        because="the 200 that the caller got does not answer its offer with media that was offered",
    ),
    Rule(
        id="change.refused",
        cause="change-refused",
        symptoms=("other",),
        essential=(when("change.answer", "refused"),),
        conditions=(not_shown("call.cut", True),),
        because="the caller's re-INVITE was answered with a refusal",
    ),
    Rule(
        id="change.unanswered",
        cause="change-refused",
        symptoms=("other",),
        essential=(when("change.answer", "none"),),
        conditions=(not_shown("call.cut", True),),
        because="the caller's re-INVITE got no final answer",
    ),
    Rule(
        id="digits.lost",
        cause="digits-lost",
        symptoms=("digits", "transfer"),
        essential=(when("digits", "none", "wrong"),),
        conditions=(
            not_shown("audio.to_ai", "nothing", "silence", "silent RTP", "noise", "crossed"),
            not_shown("audio.to_caller", "nothing", "silence", "silent RTP", "noise", "crossed"),
        ),
        consequences=("other",),
        because="both hear each other, and the digits do not arrive as sent",
    ),
)
