"""Why an answered call was ended before anybody here had hung up: by whom, and what for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.diagnosis.answering import PLATFORM, UNSEEN
from harness.diagnosis.audio import NO_VOICE
from harness.diagnosis.cells import cells
from harness.diagnosis.conditions import not_shown, when
from harness.diagnosis.refusals import CHANNELS, CONCURRENCY, CONGESTION, THE_CODEC, THE_ENCRYPTION
from harness.diagnosis.rule import Rule
from harness.diagnosis.rules.media import UNHEARD

#: Reasons of a BYE that say more than that the call was ended.
_SAYS_WHY = (THE_CODEC, THE_ENCRYPTION, CHANNELS, CONGESTION, CONCURRENCY)


def _for_a_reason() -> Iterator[Rule]:
    """The call was answered, and ended at once by who found out then that it cannot be carried: its BYE says so (RFC 3326)."""
    unheard = not_shown("audio.to_caller", "heard")
    of_the_codec = Rule(
        id="audio.cut.codec",
        cause="g711-one-side",
        symptoms=("audio", "codec", "other"),
        essential=(when("call.reason", THE_CODEC),),
        conditions=(when("ai.saw", "answered"), unheard),
        consequences=UNHEARD,
        because="the call was ended right after its answer, and the BYE says for its codecs",
        confidence="likely",
    )
    yield of_the_codec
    yield replace(
        of_the_codec,
        id="audio.cut.codec.untaken",
        cause="no-g711",
        conditions=(when("ai.offer", "no G.711", "no audio"), not_shown("ai.saw", "answered"), unheard),
        because="the platform answered and ended the call, its BYE says for its codecs, and the offer to the AI has no G.711",
    )
    yield replace(
        of_the_codec,
        id="audio.cut.encryption",
        cause="srtp-mismatch",
        essential=(when("call.reason", THE_ENCRYPTION),),
        conditions=(unheard,),
        because="the call was ended right after its answer, and the BYE says for the encryption of its media",
    )
    yield replace(
        of_the_codec,
        id="audio.cut.full",
        cause="platform-full",
        symptoms=("audio", "other"),
        essential=(when("call.reason", CHANNELS, CONGESTION, CONCURRENCY),),
        conditions=(when("call.cut_by", "the platform"),),
        because="the platform ended the call, and its BYE says for want of a channel or capacity",
    )


def _by_ai() -> Iterator[Rule]:
    """The AI sent BYE before anybody asked it to: by itself, or since its answer, or its session refresh, was not taken."""
    cut = when("call.cut", True)
    sure = Rule(
        id="audio.cut.by-ai",
        cause="ai-hangs-up",
        symptoms=("audio", "other"),
        cells=cells("release", "AI"),
        essential=(cut, when("ai.ack", "arrived")),
        conditions=(
            when("call.cut_by", "the AI"),
            not_shown("ai.refresh", "refused", "none"),
            not_shown("call.reason", THE_CODEC, THE_ENCRYPTION),
        ),
        consequences=UNHEARD,
        because="the AI sent BYE before anybody asked it to, and the call was over before the case was",
    )
    yield sure
    yield replace(
        sure,
        id="audio.cut.by-ai.unseen",
        essential=(cut,),
        conditions=(*sure.conditions, not_shown("ai.ack", "arrived", "none")),
        because="the AI sent BYE before anybody asked it to; whether its answer was acknowledged is not seen",
        confidence="likely",
    )
    yield replace(
        sure,
        id="audio.cut.no-refresh",
        cause="refresh-not-taken",
        essential=(cut, when("ai.refresh", "refused", "none")),
        conditions=(when("call.cut_by", "the AI"),),
        because="the AI's session refresh was not accepted, and the AI ended the call, as it has to then (RFC 4028 section 10)",
    )
    yield replace(
        sure,
        id="audio.cut.no-ack",
        cause="ack-not-passed-on",
        essential=(cut, when("ai.ack", "none")),
        because="the AI's 200 never got an ACK, and the AI ended the call, as it has to then",
    )


CUT: tuple[Rule, ...] = (
    *_by_ai(),
    Rule(
        id="audio.cut.by-platform",
        cause="call-dropped",
        symptoms=("audio", "other"),
        cells=cells("release", "caller", "customer"),
        essential=(when("call.cut", True),),
        conditions=(
            when("call.cut_by", "the platform"),
            not_shown("transfer.failed", True),
            not_shown("call.reason", *_SAYS_WHY),
        ),
        consequences=UNHEARD,
        because="the platform sent BYE, the AI had not, and the call was over before the case was",
    ),
    *_for_a_reason(),
    Rule(
        id="audio.cut.untaken",
        cause="platform-answers-first",
        symptoms=("audio", "other"),
        # Where nobody sees the AI, a call that the platform answers and ends need not have got there.
        essential=(when("call.cut", True), when("caller.end", "answered"), when("audio.to_caller", *NO_VOICE)),
        conditions=(
            when("answered.first", PLATFORM, UNSEEN),
            not_shown("ai.saw", "answered", "another assistant answered"),
            not_shown("ai.spoke", True),
        ),
        consequences=UNHEARD,
        because="the call was answered and ended, nothing of the AI was heard, and nobody saw that it had taken the call",
        confidence="likely",
    ),
)
