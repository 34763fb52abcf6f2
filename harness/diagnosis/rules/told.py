"""What a refusal says of its reason beyond its status: no route, no channel, congestion (Q.850 in Reason, RFC 3326)."""

from __future__ import annotations

from harness.diagnosis.caller_end import DROPPED
from harness.diagnosis.cells import cells
from harness.diagnosis.conditions import not_shown, when
from harness.diagnosis.refusals import CHANNELS, CONCURRENCY, CONGESTION, NUMBER, ROUTE
from harness.diagnosis.rule import Rule
from harness.diagnosis.rules.firewalls import NOBODY_INSTEAD, NOTHING
from harness.diagnosis.rules.reach import NOT_THE_LINES
from harness.diagnosis.rules.refused import ALL_LATER, NOT_FOR_MEDIA, REFUSED_BY_AI
from harness.diagnosis.rules.transfer import AFTER, GROUP_IS_THERE, LOST, RIGHT_TARGET

_FULL = (CHANNELS, CONGESTION, CONCURRENCY)
_CALLER = when("caller.end", "refused", "answered", DROPPED)
_RIGHT_DID = not_shown("ai.did", *NOT_THE_LINES)

BY_AI: tuple[Rule, ...] = (
    Rule(
        id="reach.not-attached.said",
        cause="assistant-not-attached",
        symptoms=("reach", "final"),
        essential=(REFUSED_BY_AI, when("ai.refusal", "the assistant", NUMBER)),
        conditions=(_RIGHT_DID, NOT_FOR_MEDIA),
        consequences=ALL_LATER,
        because="the call got there with the right number, and Synthflow says that nobody has it there",
    ),
    Rule(
        id="reach.concurrency.said",
        cause="concurrency-exhausted",
        symptoms=("reach", "final"),
        cells=cells("limit", "AI"),
        essential=(REFUSED_BY_AI, when("ai.refusal", CONCURRENCY)),
        conditions=(NOT_FOR_MEDIA,),
        consequences=ALL_LATER,
        because="the AI's side says that it takes no more calls at once",
    ),
    Rule(
        id="reach.refused.no-route",
        cause="ai-refuses",
        symptoms=("reach", "final"),
        essential=(REFUSED_BY_AI, when("ai.refusal", ROUTE)),
        conditions=(_RIGHT_DID,),
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
        conditions=(NOTHING, NOBODY_INSTEAD),
        consequences=(*ALL_LATER, "fallback"),
        because="the caller was refused or hung up on for want of a route, not for an unknown number, and nothing reached the AI",
        confidence="likely",
    ),
    Rule(
        id="reach.platform-full",
        cause="platform-full",
        symptoms=("reach", "final"),
        essential=(_CALLER, when("final.refusal", *_FULL)),
        conditions=(NOTHING, NOBODY_INSTEAD),
        consequences=(*ALL_LATER, "fallback"),
        because="the caller was refused or hung up on for want of a channel or capacity, and nothing reached the AI",
        confidence="likely",
    ),
    Rule(
        id="reach.unknown-number.said",
        cause="number-unknown-at-platform",
        symptoms=("reach", "final"),
        essential=(_CALLER, when("final.refusal", NUMBER)),
        conditions=(NOTHING, NOBODY_INSTEAD, not_shown("dialled.form", "another form")),
        consequences=(*ALL_LATER, "fallback"),
        because="the caller was told that the number is nobody's, and neither the AI nor anybody else was tried",
    ),
    Rule(
        id="transfer.unknown-number.said",
        cause="number-unknown-at-platform",
        symptoms=("transfer",),
        essential=(LOST, when("transfer.refusal", NUMBER)),
        conditions=(RIGHT_TARGET, GROUP_IS_THERE),
        consequences=AFTER,
        because="the AI named the group's number, and the platform says that it is nobody's",
    ),
    Rule(
        id="transfer.no-route",
        cause="platform-no-route",
        symptoms=("transfer",),
        essential=(LOST, when("transfer.refusal", ROUTE)),
        conditions=(RIGHT_TARGET,),
        consequences=AFTER,
        because="the AI named the group's number, and the platform refused for want of a route",
        confidence="likely",
    ),
    Rule(
        id="transfer.platform-full",
        cause="platform-full",
        symptoms=("transfer",),
        essential=(LOST, when("transfer.refusal", *_FULL)),
        conditions=(RIGHT_TARGET,),
        consequences=AFTER,
        because="the AI named the group's number, and the platform refused for want of a channel or capacity",
        confidence="likely",
    ),
)
