"""What a refusal says of its reason beyond its status: no route, no channel, congestion (Q.850 in Reason, RFC 3326)."""

from __future__ import annotations

from harness.diagnosis.conditions import not_shown, unless, when
from harness.diagnosis.refusals import CHANNELS, CONCURRENCY, CONGESTION, ROUTE
from harness.diagnosis.rule import Rule
from harness.diagnosis.rules.firewalls import NOTHING
from harness.diagnosis.rules.refused import ALL_LATER, REFUSED_BY_AI

_FULL = (CHANNELS, CONGESTION, CONCURRENCY)
_CALLER = when("caller.end", "refused")
_NOBODY_INSTEAD = unless("instead", "the fallback group", "another group", "an agent")
_LOST = when("transfer.landed", "nowhere")

BY_AI: tuple[Rule, ...] = (
    Rule(
        id="reach.refused.no-route",
        cause="ai-refuses",
        symptoms=("reach", "final"),
        essential=(REFUSED_BY_AI, when("ai.refusal", ROUTE)),
        conditions=(not_shown("ai.did", "another assistant's", "nobody's", "the line's, in another form"),),
        consequences=ALL_LATER,
        because="the AI's side says that it has no route for the call, which a number attached to no assistant may look like, too",
        confidence="likely",
    ),
    Rule(
        id="reach.channels",
        cause="concurrency-exhausted",
        symptoms=("reach", "final"),
        essential=(REFUSED_BY_AI, when("ai.refusal", CHANNELS)),
        conditions=(),
        consequences=ALL_LATER,
        # Asterisk tells a call that it could not place anywhere by the same cause.
        because="the AI's side says that it has no channel left for the call; some systems say so of a call that they cannot route",
        confidence="likely",
    ),
)

BY_PLATFORM: tuple[Rule, ...] = (
    Rule(
        id="reach.no-route",
        cause="platform-no-route",
        symptoms=("reach", "final"),
        essential=(_CALLER, when("final.refusal", ROUTE)),
        conditions=(NOTHING, _NOBODY_INSTEAD),
        consequences=(*ALL_LATER, "fallback"),
        because="the caller was refused for want of a route, which is not an unknown number, and nothing reached the AI",
        confidence="likely",
    ),
    Rule(
        id="reach.platform-full",
        cause="platform-full",
        symptoms=("reach", "final"),
        essential=(_CALLER, when("final.refusal", *_FULL)),
        conditions=(NOTHING, _NOBODY_INSTEAD),
        consequences=(*ALL_LATER, "fallback"),
        because="the caller was refused for want of a channel or capacity, and nothing reached the AI",
        confidence="likely",
    ),
    Rule(
        id="transfer.no-route",
        cause="platform-no-route",
        symptoms=("transfer",),
        essential=(_LOST, when("transfer.refusal", ROUTE)),
        conditions=(unless("transfer.target", "nobody's number", "another group's number"),),
        consequences=("caller_id.agent", "audio.agent", "release", "other"),
        because="the AI named the group's number, and the platform refused for want of a route",
        confidence="likely",
    ),
    Rule(
        id="transfer.platform-full",
        cause="platform-full",
        symptoms=("transfer",),
        essential=(_LOST, when("transfer.refusal", *_FULL)),
        conditions=(unless("transfer.target", "nobody's number", "another group's number"),),
        consequences=("caller_id.agent", "audio.agent", "release", "other"),
        because="the AI named the group's number, and the platform refused for want of a channel or capacity",
        confidence="likely",
    ),
)
