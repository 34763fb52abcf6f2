"""Why caller and AI do not hear each other, or hear badly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.diagnosis.audio import AT_FIRST_NOTHING, CHANGED, NO_RTP, NO_VOICE
from harness.diagnosis.cells import cells
from harness.diagnosis.conditions import not_shown, unless, when
from harness.diagnosis.dialogue import NOT_TAKEN
from harness.diagnosis.rule import Rule
from harness.diagnosis.rules.closed import closed
from harness.diagnosis.rules.cut import CUT
from harness.diagnosis.rules.media import (
    SAME_CODEC,
    SENT,
    UNHEARD,
    UNHEARD_BY_CALLER,
    UP,
    instead_with_agent,
    never_with_agent,
    one_way,
    own_side,
    silenced_later,
    stopped,
    stopped_with_agent,
    two_codecs,
    undeciphered,
)

#: Nothing shows that events could not be sent at all.
_NEGOTIATED = not_shown(
    "digits.negotiated",
    "the platform took it out of the offer to the AI",
    "the AI did not take it",
    "the platform took it out of the answer to the caller",
)

_QUALITY: tuple[Rule, ...] = (
    Rule(
        id="audio.loss",
        cause="heavy-loss",
        symptoms=("audio", "quality"),
        essential=(when("loss", "heavy"),),
        conditions=(),
        consequences=UNHEARD,
        because="the receivers count more lost packets than concealment hides",
    ),
    Rule(
        id="audio.unsent",
        cause="rtp-not-sent",
        symptoms=("audio", "quality"),
        essential=(when("loss", "none, but packets that were never sent"),),
        conditions=(),
        consequences=UNHEARD,
        because="RTP arrives that fills less than the time it flows in, and no sequence number is missing",
    ),
    Rule(
        id="audio.delay",
        cause="high-delay",
        symptoms=("audio", "quality"),
        cells=cells("timing", "caller", "AI"),
        essential=(when("delay", "high"),),
        conditions=(not_shown("loss", "heavy"),),
        consequences=("manners",),
        because="what one end says arrives at the other too late",
    ),
    Rule(
        id="audio.order",
        cause="rtp-disordered",
        symptoms=("audio", "quality"),
        essential=(when("order", "broken"),),
        conditions=(),
        consequences=UNHEARD,
        because="many of the RTP packets arrive after later ones, so that they cannot be played",
    ),
)


def _changes() -> Iterator[Rule]:
    """The caller's re-INVITE was not taken: by the platform, or by the AI's side to which it was handed on.

    Of one that the AI's side leaves unanswered a proxy tells the caller 408 (RFC 3261 section 16.8).
    """
    for name, answer, said in (
        ("refused", "refused", "was answered with a refusal"),
        ("unanswered", "none", "got no final answer"),
    ):
        by_platform = Rule(
            id=f"change.{name}",
            cause="change-refused",
            symptoms=("other",),
            essential=(when("change.answer", answer),),
            conditions=(not_shown("call.cut", True), not_shown("change.at_ai", *NOT_TAKEN)),
            because=f"the caller's re-INVITE {said}",
        )
        yield by_platform
        yield replace(
            by_platform,
            id=f"change.{name}.by-ai",
            cause="ai-refuses-change",
            conditions=(not_shown("call.cut", True), when("change.at_ai", *NOT_TAKEN)),
            because=f"the caller's re-INVITE {said}, and the AI's side took none that came to it",
            confidence="likely",  # what it was offered need not be what the caller offered
        )


def _with_the_agent(rule: Rule) -> Rule:
    """The same of caller and agent, which is no reason for what caller and AI hear."""
    return replace(
        rule,
        id=f"{rule.id}.agent",
        symptoms=tuple("audio.agent" if each == "audio" else each for each in rule.symptoms),
        cells=(),
        essential=tuple(replace(each, fact=f"{each.fact}.agent") for each in rule.essential),
        conditions=tuple(replace(each, fact=f"{each.fact}.agent") for each in rule.conditions),
        consequences=("audio.agent", "other"),
    )


AUDIO: tuple[Rule, ...] = (
    Rule(
        id="audio.crossed",
        cause="audio-crossed",
        symptoms=("audio", "audio.agent"),
        cells=cells("media to it", "caller", "customer"),
        essential=(when("audio.to_caller", "crossed"),),
        conditions=(not_shown("answered.elsewhere", True),),
        consequences=UNHEARD,
        because="the caller hears a voice that has no part in this call",
    ),
    Rule(
        id="audio.crossed.at-ai",
        cause="audio-crossed",
        symptoms=("audio",),
        cells=cells("media to it", "AI"),
        essential=(when("audio.to_ai", "crossed"),),
        conditions=(
            not_shown("answered.elsewhere", True),
            not_shown("audio.to_caller", "crossed"),
        ),
        consequences=UNHEARD,
        because="the AI hears a voice that has no part in this call",
    ),
    Rule(
        id="audio.crossed.at-agent",
        cause="audio-crossed",
        symptoms=("audio", "audio.agent"),
        cells=cells("media to it", "REFER", "AI's call", "fallback"),
        essential=(when("audio.agent", "crossed"),),
        conditions=(
            not_shown("answered.elsewhere", True),
            not_shown("audio.to_caller", "crossed"),
            not_shown("audio.to_ai", "crossed"),
        ),
        consequences=UNHEARD,
        because="the agent hears a voice that has no part in this call",
    ),
    *silenced_later(),
    *stopped(),
    *stopped_with_agent(),
    *instead_with_agent(),
    Rule(
        id="audio.stopped.at-reinvite",
        cause="media-lost-on-reinvite",
        symptoms=("audio",),
        essential=(when("audio.stopped", True), when("audio.stopped_at", CHANGED)),
        conditions=(not_shown("audio.to_caller", "crossed", "noise", "echo"), *UP),
        consequences=UNHEARD,
        because="both heard each other until the call was changed by a re-INVITE or UPDATE, and not since",
    ),
    Rule(
        id="audio.late.to-caller",
        cause="rtp-late",
        symptoms=("audio",),
        cells=cells("media to it", "caller") + cells("timing", "caller"),
        essential=(when("audio.to_caller", AT_FIRST_NOTHING),),
        conditions=(),
        consequences=UNHEARD_BY_CALLER,
        because="nothing arrived at the caller while it was waited for, and later in the same call it heard the AI",
    ),
    Rule(
        id="audio.late.to-ai",
        cause="rtp-late",
        symptoms=("audio",),
        cells=cells("media to it", "AI") + cells("timing", "AI"),
        essential=(when("audio.to_ai", AT_FIRST_NOTHING),),
        conditions=(),
        consequences=UNHEARD,
        because="nothing arrived at the AI while it was waited for, and later in the same call it heard the caller",
    ),
    *closed(),
    *two_codecs(),
    *one_way(),
    *undeciphered(),
    Rule(
        id="audio.noise",
        cause="payload-mismatch",
        symptoms=("audio",),
        conditions=(
            when("audio.to_ai", "noise", "no mark", "another sound"),
            when("audio.to_caller", "noise"),
            SAME_CODEC,
            unless("loss", "heavy"),
            not_shown("order", "broken"),
            unless("audio.stopped", True),
        ),
        consequences=UNHEARD,
        because="packets arrive at both ends, and nothing in them is what anybody sent",
    ),
    Rule(
        id="audio.noise.like-sound",
        cause="payload-mismatch",
        symptoms=("audio",),
        conditions=(
            when("audio.to_ai", "noise", "no mark", "another sound"),
            when("audio.to_caller", "another sound"),
            SAME_CODEC,
            unless("loss", "heavy"),
            not_shown("order", "broken"),
            unless("audio.stopped", True),
        ),
        consequences=UNHEARD,
        because="both ends hear some sound, and neither hears what the other sends",
        confidence="likely",
    ),
    *_QUALITY,
    *map(_with_the_agent, _QUALITY),
    Rule(
        id="audio.level",
        cause="level-wrong",
        symptoms=("quality",),
        essential=(when("level", "wrong"),),
        conditions=(),
        because="a voice arrives much quieter, or louder, than it was sent",
    ),
    Rule(
        id="audio.echo",
        cause="echo",
        symptoms=("audio", "audio.agent", "other"),
        essential=(when("echo", True),),
        conditions=(not_shown("audio.to_caller", "crossed"),),
        because="a leg hears the mark that it sends itself",
    ),
    *own_side(),
    *CUT,
    Rule(
        id="audio.on-hold",
        cause="media-on-hold",
        symptoms=("audio", "codec"),
        essential=(when("sdp.hold", "the AI", "the platform"),),
        conditions=(not_shown("call.cut", True),),
        consequences=UNHEARD,
        because="the SDP that set the call up says that nothing is sent one way or both",
    ),
    Rule(
        id="audio.on-hold.at-caller",
        cause="media-on-hold",
        symptoms=("audio", "codec"),
        essential=(when("caller.held", True),),
        conditions=(not_shown("call.cut", True), not_shown("sdp.hold", "the AI", "the platform")),
        consequences=UNHEARD,
        because="the 200 that the caller got says that nothing is sent one way or both",
    ),
    Rule(
        id="audio.unsaid",
        cause="ai-silent",
        symptoms=("audio",),
        cells=cells("media from it", "AI"),
        conditions=(
            when("ai.spoke", False),
            when("audio.to_caller", *NO_RTP, "silent RTP"),
            unless("audio.stopped", True),
            not_shown("sdp.to_ai", "private"),  # nobody can send there
            *UP,
        ),
        consequences=UNHEARD,
        because="the caller hears nothing of the AI, and the AI itself sent nothing",
    ),
    Rule(
        id="audio.silenced.to-caller",
        cause="audio-silenced",
        symptoms=("audio",),
        cells=cells("media to it", "caller", "customer"),
        essential=(when("audio.to_caller", "silent RTP"),),
        conditions=(SAME_CODEC, not_shown("audio.to_ai", *NO_RTP), unless("audio.stopped", True), SENT, *UP),
        consequences=UNHEARD_BY_CALLER,
        because="RTP arrives at the caller, and all of it is silence",
    ),
    Rule(
        id="audio.silenced.to-ai",
        cause="audio-silenced",
        symptoms=("audio",),
        cells=cells("media to it", "AI"),
        essential=(when("audio.to_ai", "silent RTP"),),
        conditions=(SAME_CODEC, not_shown("audio.to_caller", *NO_RTP), unless("audio.stopped", True), *UP),
        consequences=UNHEARD,
        because="RTP arrives at the AI, and all of it is silence, though the caller sends sound",
    ),
    *never_with_agent(
        Rule(
            id="audio.fallback",
            cause="fallback-no-audio",
            symptoms=("audio.agent",),
            cells=cells("media to it", "fallback") + cells("media from it", "fallback"),
            essential=(
                when("fallback.landed", "the right group", "another group"),
                when("audio.agent", "none either way", "one way"),
            ),
            conditions=(
                not_shown("transfer.landed", "the right group", "another group"),
                not_shown("agent.stopped", True),
                not_shown("agent.cut", True),
                not_shown("sdp.listener", "private"),
            ),
            consequences=("other",),
            because="the agent the call fell back to answered, and no sound arrives there, or none comes back",
        )
    ),
    Rule(
        id="audio.answer",
        cause="answer-unusable",
        symptoms=("reach", "codec", "audio"),
        cells=cells("codec", "caller"),
        essential=(
            when(
                "caller.answer",
                "no SDP",
                "an SDP that cannot be read",
                "no audio",
                "a codec that was not offered",
                "another number of media lines",
            ),
        ),
        conditions=(),
        consequences=UNHEARD,
        because="the 200 that the caller got does not answer its offer with media that was offered",
    ),
    *_changes(),
    Rule(
        id="digits.lost",
        cause="digits-lost",
        symptoms=("quality", "digits", "transfer"),
        cells=cells("digits", "caller", "AI"),
        essential=(when("digits", "none", "wrong", "by another method"),),
        conditions=(
            _NEGOTIATED,
            not_shown("loss", "heavy"),
            not_shown("audio.to_ai", *NO_VOICE, "crossed"),
            not_shown("audio.to_caller", *NO_VOICE, "crossed"),
        ),
        consequences=("other",),
        because="both hear each other, and the digits do not arrive as sent",
    ),
)
