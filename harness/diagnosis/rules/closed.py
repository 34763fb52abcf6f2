"""Why no RTP gets through to one end or both: closed ports, or an address where nobody can send to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.diagnosis.audio import ARRIVES, NO_RTP
from harness.diagnosis.cells import AGENTS, cells
from harness.diagnosis.conditions import not_shown, unless, when
from harness.diagnosis.rule import Rule
from harness.diagnosis.rules.addresses import ADDRESSES
from harness.diagnosis.rules.media import (
    LASTING,
    SAME_CODEC,
    SENT,
    TO_AI_IN_PLACE,
    TO_CALLER_IN_PLACE,
    UNHEARD,
    UNHEARD_BY_CALLER,
)

_REACHABLE = unless("sdp.to_ai", "private")
#: What somebody else makes of nothing: a mixer's silence, music on hold, the noise of an open channel.
_NOT_ITS_VOICE = ("noise", "another sound", "no mark")

# Where nobody can tell what the AI hears, nothing shows that any RTP gets through.
_BOTH = Rule(
    id="audio.no-rtp",
    cause="rtp-blocked-both",
    symptoms=("audio",),
    cells=cells("media to it", "caller", "AI") + cells("media from it", "caller", "AI"),
    conditions=(
        *(when("audio.to_ai", *NO_RTP), when("audio.to_caller", "nothing", "silence")),
        *(SAME_CODEC, _REACHABLE, SENT, *LASTING),
    ),
    consequences=UNHEARD,
    because="nothing arrives at either end, though both negotiated the same codec",
)
_TO_AI = Rule(
    id="audio.no-rtp-to-ai",
    cause="rtp-blocked-to-ai",
    symptoms=("audio",),
    cells=cells("media to it", "AI") + cells("media from it", "caller", "customer"),
    conditions=(
        when("audio.to_ai", *NO_RTP),
        when("audio.to_caller", "heard"),  # through a transcoder, where there are two codecs
        *TO_CALLER_IN_PLACE,
        *LASTING,
    ),
    consequences=UNHEARD,
    because="the caller hears the AI, and nothing of the caller's arrives at the AI",
)
_TO_CALLER = Rule(
    id="audio.no-rtp-to-caller",
    cause="rtp-blocked-to-caller",
    symptoms=("audio",),
    cells=cells("media to it", "caller", "customer") + cells("media from it", "AI"),
    conditions=(
        *(when("audio.to_caller", *NO_RTP), when("audio.to_ai", "heard")),
        *(*TO_AI_IN_PLACE, not_shown("sdp.caller", "private"), SENT, *LASTING),
    ),
    consequences=UNHEARD_BY_CALLER,
    because="the AI hears the caller, nothing of the AI's arrives at the caller, and the SDP sent its RTP to the right place",
)


def closed() -> Iterator[Rule]:
    """By what arrives at either end."""
    yield _BOTH
    yield _TO_AI
    yield from _own_address()
    yield _TO_CALLER
    yield from _by_transcript()
    # A packet that came shows that the way to the caller was open, and speaks for neither of both.
    yield replace(
        _BOTH,
        id="audio.no-rtp.after-a-few",
        cells=(),
        conditions=(
            *(when("audio.to_ai", *NO_RTP), when("audio.to_caller", "a few packets")),
            *(SAME_CODEC, _REACHABLE, SENT, *LASTING),
        ),
        because="nothing arrives at the AI, and at the caller hardly more, though both negotiated the same codec",
    )
    yield from ADDRESSES
    yield from _instead_of_nothing()
    yield from _or_silenced()


def _own_address() -> Iterator[Rule]:
    """A platform that answers to where the caller's RTP comes from (symmetric RTP) has no need of the address."""
    yield Rule(
        id="audio.own-address",
        cause="own-address-private",
        symptoms=("audio",),
        cells=cells("media to it", "caller", "customer"),
        essential=(when("sdp.caller", "private"), when("audio.to_caller", *NO_RTP)),
        conditions=(not_shown("audio.to_ai", *NO_RTP), SENT, *LASTING),
        consequences=(*UNHEARD_BY_CALLER, "audio.agent"),
        because="nothing arrives at the caller, whose own SDP names a private address, and was sent to a public one",
        confidence="likely",
    )
    yield Rule(
        id="audio.own-address.agent",
        cause="own-address-private",
        symptoms=("audio.agent",),
        cells=cells("media to it", *AGENTS),
        essential=(when("sdp.listener", "private"), when("audio.agent", "one way")),
        conditions=(not_shown("agent.cut", True),),
        consequences=("other",),
        because="one of caller and agent hears nothing: the one whose own SDP names a private address, and was sent to a public one",
        confidence="likely",
    )


def _by_transcript() -> Iterator[Rule]:
    """What the AI hears is known by its words alone."""
    yield replace(
        _BOTH,
        id="audio.no-rtp.no-words",
        cells=(),
        essential=(when("words.to_ai", "none"), when("audio.to_caller", "nothing", "silence")),
        conditions=(SAME_CODEC, _REACHABLE, SENT, *LASTING),
        because="nothing arrives at the caller, and the AI's transcript has its own words, and none of the caller's",
        confidence="likely",
    )
    yield replace(
        _TO_AI,
        id="audio.no-rtp-to-ai.no-words",
        cells=(),
        essential=(when("words.to_ai", "none"), when("audio.to_caller", "heard")),
        conditions=LASTING,
        because="the caller hears the AI, whose transcript has its own words, and none of the caller's",
        confidence="likely",
    )


def _instead_of_nothing() -> Iterator[Rule]:
    """At one end nothing arrives, and at the other what the platform makes of nothing."""
    same = not_shown("codec.sides", "different")
    for rule, unheard, other, place in (
        (_TO_AI, "audio.to_ai", "audio.to_caller", "AI"),
        (_TO_CALLER, "audio.to_caller", "audio.to_ai", "caller"),
    ):
        nothing = when(unheard, *NO_RTP)
        needed = (same, *((*TO_AI_IN_PLACE, SENT) if place == "caller" else TO_CALLER_IN_PLACE), *LASTING)
        yield replace(
            _BOTH,
            id=f"audio.no-rtp.silence-instead.{rule.id.removeprefix('audio.no-rtp-')}",
            cells=(),
            essential=(nothing, when(other, "silent RTP")),
            conditions=needed,
            because=f"nothing arrives at the {place}, and at the other end silence, which who mixes or transcodes makes of nothing",
            confidence="likely",
        )
        yield replace(
            rule,
            id=f"{rule.id}.sound-instead",
            cells=(),
            essential=(nothing, when(other, *_NOT_ITS_VOICE)),
            conditions=needed,
            because=f"nothing arrives at the {place}, and what arrives at the other end is not its voice",
            confidence="likely",
        )


def _or_silenced() -> Iterator[Rule]:
    """A voice that does not get to a mixer or transcoder comes out of it as silence, unless its RTCP says that it got there."""
    for rule, leg, other, sender in (
        (_TO_CALLER, "audio.to_caller", "audio.to_ai", "ai"),
        (_TO_AI, "audio.to_ai", "audio.to_caller", "caller"),
    ):
        yield replace(
            rule,
            id=f"{rule.id}.or-silenced",
            cells=(),
            essential=(when(leg, "silent RTP"),),
            conditions=(
                *(not_shown(f"sent.{sender}", ARRIVES), not_shown(other, *NO_RTP, *_NOT_ITS_VOICE)),
                *((SENT,) if sender == "ai" else ()),
                *LASTING,
            ),
            because="RTP arrives that holds silence, which a platform that mixes or transcodes sends where no RTP comes to it",
            confidence="possible",
        )
