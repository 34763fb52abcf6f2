"""Why a fallback does not bring the caller to the right people, or not in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.diagnosis.ai_side import AI_LOST
from harness.diagnosis.caller_end import DROPPED
from harness.diagnosis.cells import cells
from harness.diagnosis.conditions import not_shown, unless, when
from harness.diagnosis.refusals import NO_SUCH_NUMBER, TERMINATED, THE_AGENTS
from harness.diagnosis.rule import Rule
from harness.diagnosis.rules.transfer import GROUP_IS_THERE, NOT_REFUSED_THERE

_NOBODY_TOOK_OVER = (
    when("instead", "nobody"),
    when("ai.lost", *AI_LOST),
    not_shown("fallback.landed", "another group", "the right group"),
    NOT_REFUSED_THERE,
    not_shown("final.refusal", THE_AGENTS),
    not_shown("fallback.configured", False),
)

#: What is said where somebody was tried who is not there, or was given up (RFC 3261 sections 21.4.9, 21.4.18, 21.4.24, 21.6.1);
#: 487 and 603 are what some B2BUAs say then.
_NOBODY_THERE = (408, 480, 486, TERMINATED, 600, 603)


_SEEN = not_shown("fallback.unseen", True)
_NONE = Rule(
    id="fallback.none",
    cause="fallback-missing",
    symptoms=("fallback",),
    essential=(when("caller.end", "refused", DROPPED),),
    conditions=(*_NOBODY_TOOK_OVER, not_shown("final.code", *_NOBODY_THERE, *NO_SUCH_NUMBER), _SEEN),
    consequences=("final", "fallback.time", "other"),
    because="the AI could not be had, nobody else rang, and the caller was turned away",
)
_REFUSED = when("caller.end", "refused")


def _no_fallback() -> Iterator[Rule]:
    """The AI could not be had and nobody else rang, by what the caller was told."""
    yield _NONE
    yield replace(
        _NONE,
        id="fallback.none.passed-on",
        essential=(
            _REFUSED,
            when("final.code", *_NOBODY_THERE, *NO_SUCH_NUMBER),
            when("final.passed_on", True),
        ),
        conditions=(*_NOBODY_TOOK_OVER, _SEEN),
        because="the AI refused, nobody else rang, and its refusal was passed on to the caller",
    )
    yield from _or_in_vain()
    yield from _or_unseen()
    yield replace(
        _NONE,
        id="fallback.none.waiting",
        essential=(when("caller.end", "still ringing"),),
        conditions=(*_NOBODY_TOOK_OVER, not_shown("ai.given_up", "never")),
        because="the AI could not be had, and until the case gave up nobody else rang, with the caller left waiting",
        confidence="likely",
    )


def _or_in_vain() -> Iterator[Rule]:
    """What a fallback that nobody takes looks like as well: the caller was told something that the AI had not said."""
    told = (_REFUSED, when("final.code", *_NOBODY_THERE))
    either = (*_NOBODY_TOOK_OVER, not_shown("final.passed_on", True))
    yield replace(
        _NONE,
        id="fallback.none.or-nobody",
        essential=told,
        conditions=either,
        because="the AI could not be had, nobody else rang, and the caller was told that nobody is there",
        confidence="likely",
    )
    yield replace(
        _NONE,
        id="fallback.none.or-number",
        essential=(_REFUSED, when("final.code", *NO_SUCH_NUMBER)),
        conditions=either,
        because="the AI could not be had, nobody else rang, and the caller was told of a number that is nobody's, as one may be "
        "to which a fallback leads",
        confidence="likely",
    )
    yield replace(
        _NONE,
        id="fallback.nobody.or-none",
        cause="nobody-available",
        cells=cells("number", "fallback"),
        essential=told,
        conditions=(*either, GROUP_IS_THERE),
        because="the platform may have tried the group, and none of its agents can be rung: that, too, is what it told the caller",
        confidence="possible",
    )


def _or_unseen() -> Iterator[Rule]:
    """Who is to take over has other phones than ours, be it a browser: whether they rang nobody here has seen."""
    essential = (*_NONE.essential, when("fallback.unseen", True))
    yield replace(
        _NONE,
        id="fallback.none.unseen",
        essential=essential,
        conditions=_NOBODY_TOOK_OVER,
        because="the AI could not be had, and the caller was turned away; those who are to take over have no phones of ours",
        confidence="likely",
    )
    yield replace(
        _NONE,
        id="fallback.nobody.unseen",
        cause="nobody-available",
        essential=essential,
        conditions=(*_NOBODY_TOOK_OVER, GROUP_IS_THERE),
        because="the platform may have rung those who are to take over, who have no phones of ours, and none of them took the call",
        confidence="possible",
    )


FALLBACK: tuple[Rule, ...] = (
    *_no_fallback(),
    Rule(
        id="fallback.nobody",
        cause="nobody-available",
        symptoms=("fallback",),
        cells=cells("number", "fallback"),
        essential=(when("caller.end", "refused"), when("final.refusal", THE_AGENTS)),
        conditions=(when("instead", "nobody"), not_shown("ai.refusal", THE_AGENTS), GROUP_IS_THERE),
        consequences=("final", "fallback.time", "other"),
        because="the AI could not be had, and the platform said that nobody of the group can be rung",
    ),
    Rule(
        id="fallback.group",
        cause="fallback-wrong-group",
        symptoms=("fallback",),
        cells=cells("number", "fallback"),
        essential=(when("fallback.landed", "another group"),),
        conditions=(),
        consequences=("fallback.time", "caller_id.agent", "audio.agent", "other"),
        because="when the AI could not be had, another group rang than the one configured",
        confidence="likely",  # whose overflow it may be
    ),
    Rule(
        id="fallback.group.instead",
        cause="fallback-wrong-group",
        symptoms=("fallback",),
        cells=cells("number", "fallback"),
        essential=(when("instead", "another group"),),
        # People whom an AI that answered had transferred to ring as well, and are no fallback.
        conditions=(
            not_shown("fallback.landed", "the right group", "another group"),
            when("ai.saw", "refused", "rang"),
        ),
        consequences=("fallback.time", "caller_id.agent", "audio.agent", "other"),
        because="the AI was tried in vain, and another group rang than the one configured as fallback",
        confidence="likely",  # whose overflow it may be
    ),
    Rule(
        id="fallback.none.ringing-on",
        cause="ring-timeout-wrong",
        symptoms=("fallback",),
        cells=cells("timing", "fallback"),
        essential=(when("caller.end", "still ringing"), when("ai.given_up", "never")),
        conditions=_NOBODY_TOOK_OVER,
        consequences=("final", "fallback.time", "other"),
        because="the ring timeout was over, and the AI rang on until the case gave up",
        confidence="likely",  # whether there is a fallback behind it nobody has seen
    ),
    Rule(
        id="fallback.rang.late",
        cause="ring-timeout-wrong",
        symptoms=("fallback",),
        cells=cells("timing", "fallback"),
        essential=(when("fallback.landed", "nowhere"), when("instead", "the fallback group")),
        conditions=(when("instead.when", "after waiting"), when("ai.lost", "it only rang"), NOT_REFUSED_THERE),
        consequences=("final", "fallback.time", "other"),
        because="the AI only rang, and the fallback group rang when the case had given up waiting for it",
        confidence="likely",
    ),
    Rule(
        id="fallback.time.down",
        cause="ring-timeout-wrong",
        symptoms=("fallback.time",),
        cells=cells("timing", "fallback"),
        essential=(when("fallback.time", "too late"),),
        conditions=(not_shown("fallback.landed", "nowhere"), unless("ai.lost", "it refused")),
        because="the AI could not be had, and the fallback came later than the configured ring timeout",
    ),
    Rule(
        id="fallback.late",
        cause="fallback-late",
        symptoms=("fallback.time",),
        cells=cells("timing", "fallback"),
        essential=(when("fallback.time", "too late", "longer"), when("ai.lost", "it refused")),
        conditions=(not_shown("fallback.landed", "nowhere"),),
        because="the AI refused the call, and the fallback came later than if nobody had answered",
    ),
    Rule(
        id="fallback.time.refused",
        cause="ai-refuses",
        symptoms=("fallback.time",),
        cells=cells("timing", "AI"),
        essential=(when("fallback.time", "shorter"),),
        conditions=(when("ai.lost", "it refused"),),
        because="the AI was to ring until the platform gives up, and refused the call: no ring timeout was waited for",
    ),
    Rule(
        id="fallback.time",
        cause="ring-timeout-wrong",
        symptoms=("fallback.time",),
        cells=cells("timing", "fallback"),
        essential=(when("fallback.time", "longer"),),
        conditions=(not_shown("fallback.landed", "nowhere"), not_shown("ai.lost", "it refused")),
        because="the AI was given up, but not when the configured ring timeout was over",
    ),
    Rule(
        id="fallback.time.shorter",
        cause="ring-timeout-wrong",
        symptoms=("fallback.time",),
        cells=cells("timing", "fallback"),
        essential=(when("fallback.time", "shorter"),),
        conditions=(not_shown("fallback.landed", "nowhere"), unless("ai.lost", "it refused")),
        because="the AI was given up before the configured ring timeout was over, and had not refused",
    ),
)
