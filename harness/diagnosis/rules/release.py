"""Which leg is not released: after a transfer, when one end hung up, or when the AI was given up."""

from __future__ import annotations

from dataclasses import replace

from harness.diagnosis.cells import cells
from harness.diagnosis.conditions import not_shown, when
from harness.diagnosis.dialogue import NOT_TAKEN
from harness.diagnosis.own import NO_ANSWER, NO_SUCH_NAME
from harness.diagnosis.rule import Rule
from harness.diagnosis.rules.refused import ALL_LATER
from harness.diagnosis.transfer import UNTOLD

_SUCCEEDED = when("transfer.landed", "the right group")
_TOLD_NOTHING = when("transfer.outcome", *UNTOLD)

_UNREPORTED = Rule(
    id="release.unreported",
    cause="transfer-not-reported",
    symptoms=("release",),
    cells=cells("release", "AI"),
    essential=(when("release.ai", "still up"), _SUCCEEDED, _TOLD_NOTHING),
    conditions=(),
    consequences=("other",),
    because="the transfer succeeded, no final NOTIFY told the AI so, and its leg was not ended",
)
_STAYS = when("release.ai", "still up", "late")
_RINGS_ON = Rule(
    id="release.given-up.fallback",
    cause="ai-not-let-go",
    symptoms=("release",),
    cells=cells("release", "AI"),
    essential=(_STAYS, when("fallback.landed", "the right group")),
    conditions=(),
    because="the fallback had the caller, and the call to the AI was not ended",
)
_UNANSWERED = Rule(
    id="release.hangup.unanswered",
    cause="hangup-not-taken",
    symptoms=("release", "final"),
    cells=cells("release", "caller"),
    essential=(when("hangup.answer", "none"),),
    conditions=(not_shown("hangup.at_ai", *NOT_TAKEN),),
    because="the caller hung up, and its BYE got no answer",
)

RELEASE: tuple[Rule, ...] = (
    Rule(
        id="release.left-behind",
        cause="ai-leg-left-behind",
        symptoms=("release",),
        cells=cells("release", "AI"),
        essential=(when("release.ai", "still up"), _SUCCEEDED),
        conditions=(not_shown("transfer.outcome", *UNTOLD),),
        because="the transfer succeeded, and the AI's leg was not ended",
    ),
    _UNREPORTED,
    replace(
        _UNREPORTED,
        id="release.unreported.late",
        essential=(when("release.ai", "late"), _SUCCEEDED, _TOLD_NOTHING),
        because="the transfer succeeded, no final NOTIFY told the AI so, and it hung up late",
        confidence="likely",
    ),
    Rule(
        id="release.ack",
        cause="ack-not-taken",
        symptoms=("release", "final", "other"),
        essential=(when("ack.arrived", False),),
        conditions=(not_shown("name.dialog", NO_SUCH_NAME, NO_ANSWER),),  # it could not be sent
        because="the 200 came to the caller again and again after its ACK",
    ),
    Rule(
        id="reach.prack",
        cause="prack-not-taken",
        symptoms=("reach", "final", "other"),
        essential=(when("prack.lost", True),),
        conditions=(),
        consequences=ALL_LATER,
        because="a reliable 18x came to the caller again after its PRACK, and no 200 without one (RFC 3262 section 3)",
    ),
    _UNANSWERED,
    replace(
        _UNANSWERED,
        id="release.hangup.refused",
        essential=(when("hangup.answer", "refused"),),
        because="the caller hung up, and its BYE was answered with a refusal",
    ),
    replace(
        _UNANSWERED,
        id="release.hangup.by-ai",
        cause="ai-refuses-hangup",
        essential=(when("hangup.answer", "refused", "none"),),
        # A phone of ours in the AI's place refuses a BYE only where its Call-ID or tags are another call's.
        conditions=(when("hangup.at_ai", *NOT_TAKEN), not_shown("dialog.unknown", True)),
        because="the caller's BYE was not taken, and neither was one that the AI's side got: the platform may have handed it on",
        confidence="likely",
    ),
    Rule(
        id="release.hangup.kept",
        cause="hangup-not-passed-on",
        symptoms=("release",),
        cells=cells("release", "AI"),
        essential=(when("hangup.answer", "accepted"), when("release.ai", "still up", "late")),
        conditions=(
            not_shown("transfer.outcome", *UNTOLD),  # an AI that is told nothing hangs up when it likes
            not_shown("dialog.unknown", True),
        ),
        because="the caller's BYE was answered, and the AI's leg did not end in time",
    ),
    Rule(
        id="release.cancel.kept",
        cause="hangup-not-passed-on",
        symptoms=("release", "final"),
        cells=cells("release", "AI"),
        essential=(when("cancel.answer", "accepted"), when("release.ai", "still up", "late")),
        conditions=(),
        consequences=("final",),
        because="the caller's CANCEL was answered, and the AI's leg did not end in time",
    ),
    _RINGS_ON,
    replace(
        _RINGS_ON,
        id="release.given-up.refused",
        essential=(_STAYS, when("caller.end", "refused")),
        conditions=(not_shown("cancel.answer", "accepted"),),
        consequences=("final",),
        because="the caller's call was refused, and the call to the AI was not ended",
    ),
)
