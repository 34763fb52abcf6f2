"""Why an answered call was ended before anybody here had hung up: by whom, and what for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.diagnosis.answering import PLATFORM, UNSEEN
from harness.diagnosis.audio import NO_VOICE
from harness.diagnosis.caller_end import DROPPED
from harness.diagnosis.cells import cells
from harness.diagnosis.conditions import not_shown, when
from harness.diagnosis.refusals import (
    CHANNELS,
    CONCURRENCY,
    CONGESTION,
    NO_RTP_CAME,
    THE_CODEC,
    THE_ENCRYPTION,
    WHY_ENDED,
)
from harness.diagnosis.rule import Rule
from harness.diagnosis.rules.media import UNHEARD
from harness.diagnosis.session import BY_RECORD
from harness.diagnosis.session import PLATFORM as THE_PLATFORM


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
        conditions=(when("call.cut_by", THE_PLATFORM, BY_RECORD),),
        because="the platform ended the call, and its BYE says for want of a channel or capacity",
    )
    yield from _for_want_of_rtp(of_the_codec)


def _for_want_of_rtp(cut: Rule) -> Iterator[Rule]:
    """That the call was ended is the consequence; who ended it had got no RTP."""
    none_came, at_first = when("call.reason", NO_RTP_CAME), not_shown("audio.stopped", True)
    yield replace(
        cut,
        id="audio.cut.no-rtp.later",
        cause="rtp-blocked-after-10s",
        symptoms=("audio", "other"),
        essential=(none_came, when("audio.stopped", True)),
        conditions=(),
        because="both heard each other at first, and the call was ended for want of RTP, as its BYE says",
    )
    ends = (("ai", ("the AI",), "rtp-blocked-to-ai"), ("platform", (THE_PLATFORM, BY_RECORD), "rtp-blocked-both"))
    for end, by, cause in ends:
        yield replace(
            cut,
            id=f"audio.cut.no-rtp.{end}",
            cause=cause,
            symptoms=("audio", "other"),
            essential=(none_came,),
            conditions=(at_first, when("call.cut_by", *by)),
            because=f"{by[0]} ended the call, and its BYE says for want of RTP",
        )


_CUT = when("call.cut", True)
_BY_AI = Rule(
    id="audio.cut.by-ai",
    cause="ai-hangs-up",
    symptoms=("audio", "other"),
    cells=cells("release", "AI"),
    essential=(_CUT, when("ai.ack", "arrived")),
    conditions=(
        when("call.cut_by", "the AI"),
        not_shown("ai.refresh", "refused", "none"),
        not_shown("call.reason", THE_CODEC, THE_ENCRYPTION, NO_RTP_CAME),
    ),
    consequences=UNHEARD,
    because="the AI sent BYE before anybody asked it to, and the call was over before the case was",
)
_BY_AI_UNSEEN = replace(
    _BY_AI,
    id="audio.cut.by-ai.unseen",
    essential=(_CUT,),
    conditions=(*_BY_AI.conditions, not_shown("ai.ack", "arrived", "none")),
    because="the AI sent BYE before anybody asked it to; whether its answer was acknowledged is not seen",
    confidence="likely",
)
_BY_PLATFORM = Rule(
    id="audio.cut.by-platform",
    cause="call-dropped",
    symptoms=("audio", "other"),
    cells=cells("release", "caller", "customer"),
    essential=(_CUT,),
    conditions=(
        when("call.cut_by", THE_PLATFORM),
        not_shown("transfer.failed", True),
        not_shown("call.reason", *WHY_ENDED),
    ),
    consequences=UNHEARD,
    because="the platform sent BYE, the AI had not, and the call was over before the case was",
)
_BY_PLATFORM_RECORDED = replace(
    _BY_PLATFORM,
    id="audio.cut.by-platform.recorded",
    conditions=(when("call.cut_by", BY_RECORD), *_BY_PLATFORM.conditions[1:]),
    because="the caller got a BYE before the case was over, and the AI's record says that it was not the AI who hung up",
    confidence="likely",
)

#: The platform had answered by itself, as agreed, and nobody saw whether the AI had the call when it was ended.
CUT_UNSEEN: tuple[Rule, ...] = tuple(
    replace(
        rule,
        id=rule.id.replace("audio", "reach"),
        symptoms=("reach",),
        essential=(*rule.essential, when("caller.end", DROPPED)),
        conditions=(
            *rule.conditions,
            not_shown("ai.saw", "nothing", "refused", "rang"),
            not_shown("audio.to_caller", "heard"),
        ),
    )
    for rule in (_BY_AI_UNSEEN, _BY_PLATFORM)
)

CUT: tuple[Rule, ...] = (
    _BY_AI,
    _BY_AI_UNSEEN,
    replace(
        _BY_AI,
        id="audio.cut.no-refresh",
        cause="refresh-not-taken",
        essential=(_CUT, when("ai.refresh", "refused", "none")),
        conditions=(when("call.cut_by", "the AI"),),
        because="the AI's session refresh was not accepted, and the AI ended the call, as it has to then (RFC 4028 section 10)",
    ),
    replace(
        _BY_AI,
        id="audio.cut.no-ack",
        cause="ack-not-passed-on",
        essential=(_CUT, when("ai.ack", "none")),
        because="the AI's 200 never got an ACK, and the AI ended the call, as it has to then",
    ),
    _BY_PLATFORM,
    _BY_PLATFORM_RECORDED,
    *_for_a_reason(),
    Rule(
        id="audio.cut.untaken",
        cause="platform-answers-first",
        symptoms=("audio", "other"),
        # Where nobody sees the AI, a call that the platform answers and ends need not have got there.
        essential=(_CUT, when("caller.end", "answered"), when("audio.to_caller", *NO_VOICE)),
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
