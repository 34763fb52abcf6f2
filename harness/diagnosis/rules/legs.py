"""What can be wrong with any leg, described once and recognised on each: identity, codec, headers, release, limits.

Where a leg's own kind of fault has a name of its own in the guides (the AI's leg, mostly), its rule stands with the others
of that part; what is here holds for whoever is at the other end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.diagnosis.answering import UNSEEN
from harness.diagnosis.caller_id import PLATFORMS_OWN
from harness.diagnosis.cells import AGENTS, Cell, Place, cells
from harness.diagnosis.conditions import Condition, not_shown, unless, when
from harness.diagnosis.handover import NOT_SEEN, THE_PLATFORMS
from harness.diagnosis.legs import EXTENSION, MALFORMED
from harness.diagnosis.own import NO_ROOM
from harness.diagnosis.rule import Confidence, Rule, Symptom
from harness.diagnosis.rules.identity import NOT_OURS
from harness.diagnosis.rules.own_refusals import AFTER_LANDING, AFTER_THE_CUSTOMER, OWN_REFUSALS
from harness.diagnosis.rules.transfer import GROUP_IS_THERE, NOT_ANOTHERS

#: What the AI may be shown of the caller that is wrong by itself.
WRONG_AT_THE_AI = ("anonymous", "no number", "in another form", "a number of the deployment's own", "another number")
_RANG = ("the right group", "another group")
#: Not where the file says that the agent's telephone shows a number of the platform's own.
_CALLERS_AGREED = not_shown("caller_id.agreed", PLATFORMS_OWN)


def _identity() -> Iterator[Rule]:
    lost = Rule(
        id="caller_id.lost-on-fallback",
        cause="caller-id-lost-on-fallback",
        symptoms=("caller_id.agent",),
        cells=cells("identity", "fallback"),
        essential=(when("fallback.landed", *_RANG), unless("caller_id.agent", "right")),
        conditions=(not_shown("caller_id.ai", *WRONG_AT_THE_AI), NOT_OURS, _CALLERS_AGREED),
        because="the agent's phone got another number than the caller's, and nothing shows that it was wrong before the fallback",
    )
    yield lost
    yield Rule(
        id="caller_id.at-a-telephone",
        cause="telephone-shown-otherwise",
        symptoms=("caller_id.agent",),
        cells=cells("identity", "fallback", "REFER", "AI's call"),
        essential=(when("caller_id.agreed", PLATFORMS_OWN), unless("caller_id.agent", "right")),
        conditions=(),
        because="the agent's telephone is to show a number of the platform's own, and shows none that the file has",
        confidence="likely",
    )
    yield from _shown_in_a_transfer(lost)
    yield Rule(
        id="caller_id.lost-to-people",
        cause="caller-id-lost-to-people",
        symptoms=("caller_id.agent",),
        essential=(
            when("transfer.way", "dialled"),
            when("transfer.landed", *_RANG),
            unless("caller_id.agent", "right"),
        ),
        conditions=(NOT_OURS, _CALLERS_AGREED),
        because="the caller dialled a number of people, without an AI, and the agent's phone got another number than the caller's",
    )
    yield Rule(
        id="caller_id.customer",
        cause="campaign-caller-id",
        symptoms=("caller_id.customer",),
        cells=cells("identity", "customer"),
        essential=(unless("caller_id.customer", "right"),),
        conditions=(),
        because="the INVITE to the customer shows another number than the line's",
    )


def _shown_in_a_transfer(lost: Rule) -> Iterator[Rule]:
    """Of a warm transfer the AI itself decides whose number is shown, and the platform passes it on."""
    wrong = (when("transfer.landed", *_RANG), unless("caller_id.agent", "right"))
    before = (*lost.conditions, NOT_ANOTHERS, not_shown("transfer.way", "dialled"))
    unseen: tuple[Condition, ...] = (*wrong, when("transfer.caller_id", NOT_SEEN))
    by_platform = replace(
        lost,
        id="caller_id.lost-on-transfer",
        cause="caller-id-lost-on-transfer",
        cells=cells("identity", "REFER", "AI's call"),
        essential=wrong,
        conditions=(when("transfer.caller_id", "right", THE_PLATFORMS), *before),
        because="the agent's phone got another number than the caller's, and nothing shows that it was wrong before the transfer",
    )
    by_ai = replace(
        by_platform,
        id="caller_id.not-set",
        cause="transfer-caller-id-not-set",
        cells=cells("identity", "AI's call"),
        essential=(*wrong, when("transfer.caller_id", *WRONG_AT_THE_AI)),
        conditions=before,
        because="the AI's own call to the agent shows another number already than the one agreed on",
    )
    own = "a number of the deployment's own"
    yield by_platform
    yield by_ai
    yield replace(
        by_ai,
        id="caller_id.not-set.own-number",
        essential=(*unseen, when("caller_id.agent", own)),
        because="nobody saw the INVITE with which the AI called the agent, who was shown a number of the deployment's own, as by "
        "Synthflow's default: that of its agent",
        confidence="likely",
    )
    yield replace(
        by_platform,
        id="caller_id.lost-on-transfer.unseen",
        essential=unseen,
        conditions=before,
        because="the agent's phone got another number than the one agreed on, and nobody saw the INVITE with which the AI called",
        confidence="likely",
    )
    yield replace(
        by_ai,
        id="caller_id.not-set.unseen",
        essential=(*unseen, unless("caller_id.agent", own)),
        because="nobody saw the INVITE with which the AI called the agent: it may show another number than the one agreed on",
        confidence="possible",
    )


def _headers() -> Iterator[Rule]:
    for role, where, places in (("ai", "the AI", ("AI",)), ("agent", "the agent", ("REFER", "AI's call"))):
        yield Rule(
            id=f"header.missing.{role}",
            cause="header-not-passed-on",
            symptoms=("header.other",),
            cells=cells("header", *places),
            essential=(when(f"header.{role}", "missing"),),
            conditions=(when("header.sent", True),) if role == "agent" else (),
            because=f"the INVITE that {where} got lacks a header that was sent",
        )
        yield Rule(
            id=f"header.changed.{role}",
            cause="header-changed",
            symptoms=("header.other",),
            cells=cells("header", *places),
            essential=(when(f"header.{role}", "another value", "there more than once"),),
            conditions=(when("header.sent", True),) if role == "agent" else (),
            because=f"the INVITE that {where} got has a header with another value than was sent, or twice",
        )
    yield Rule(
        id="header.unsent.agent",
        cause="transfer-header-not-set",
        symptoms=("header.other",),
        cells=cells("header", "REFER", "AI's call"),
        essential=(when("header.agent", "missing"),),
        conditions=(when("header.sent", False), NOT_ANOTHERS),
        because="the AI's transfer does not ask for the header that the agent's INVITE lacks",
    )
    yield Rule(
        id="header.other-sent.agent",
        cause="transfer-topic-wrong",
        symptoms=("header.other",),
        cells=cells("header", "REFER", "AI's call"),
        essential=(when("header.agent", "another value"),),
        conditions=(when("header.sent", "another value"), NOT_ANOTHERS),
        because="the AI's transfer itself asks for another value of the header than the one agreed on",
    )


def _release() -> Iterator[Rule]:
    for role, who, places in (("ai", "the AI", ("caller", "customer")), ("agent", "the agent", AGENTS)):
        yield Rule(
            id=f"release.{role}.kept",
            cause=f"{role}-hangup-not-passed-on",
            symptoms=("release",),
            cells=cells("release", *places),
            essential=(when(f"hangup.{role}", "accepted"), when("release.caller", "still up", "late")),
            conditions=(
                not_shown("dialog.unknown", True),
                # an AI that has handed the caller over hangs up, and the caller stays
                *([not_shown("transfer.landed", *_RANG)] if role == "ai" else []),
            ),
            consequences=("other",),
            because=f"the BYE of {who} was answered, and the caller's leg did not end in time",
        )
        for outcome, said in (("refused", "was answered with a refusal"), ("none", "got no answer")):
            yield Rule(
                id=f"release.{role}.{outcome}",
                cause=f"{role}-hangup-not-taken",
                symptoms=("release", "final"),
                cells=cells("release", *places),
                essential=(when(f"hangup.{role}", outcome),),
                # A proxy hands it on, and a phone of ours that refuses it has told why.
                conditions=(not_shown("dialog.unknown", True),) if outcome == "refused" else (),
                consequences=("other",),
                because=f"the BYE of {who} {said}",
            )

    yield Rule(
        id="release.dialog",
        cause="dialog-mismatch",
        symptoms=("release", "final", "other"),
        cells=cells("release", "caller", "AI", *AGENTS),
        essential=(when("dialog.unknown", True),),
        conditions=(),
        because="a phone of ours answered 481 to a request of the platform's, though nobody had ended a call that it may have meant",
        confidence="likely",
    )


def _limit() -> Iterator[Rule]:
    yield Rule(
        id="limit.low",
        cause="limit-too-low",
        symptoms=("reach", "fallback", "final", "other"),
        cells=cells("limit", "caller", "fallback"),
        essential=(when("limit", "fewer than agreed"),),
        conditions=(not_shown("ai.code", 429),),
        consequences=("audio", "audio.agent", "caller_id.agent", "transfer", "fallback.time"),
        because="of the calls made at once fewer reached the AI than the trunk is agreed to carry, and the others did not",
        confidence="likely",  # the callers' own carrier may hold the others back
    )
    yield Rule(
        id="limit.high",
        cause="limit-not-enforced",
        symptoms=("reach", "fallback", "final", "other"),
        cells=cells("limit", "AI"),
        essential=(when("limit.tried", True),),
        conditions=(when("limit", "more than agreed"),),
        consequences=("audio", "audio.agent", "caller_id.agent", "transfer", "fallback.time"),
        because="more calls reached the AI at once than the trunk is agreed to carry",
    )


_NOT_ANOTHER_GROUPS = (
    not_shown("transfer.target", "nobody's number", "another group's number"),
    not_shown("again.group", "another group"),  # that our agents rang for a second call excludes nobody else
)
_BEHIND_A_QUEUE: tuple[tuple[str, Confidence], ...] = (
    ("nobody-available", "likely"),
    ("another-device-answered", "possible"),
)


def _answered_elsewhere() -> Iterator[Rule]:
    kinds: tuple[tuple[Symptom, str, tuple[Place, ...]], ...] = (
        ("transfer", "transfer.landed", ("REFER", "AI's call")),
        ("fallback", "fallback.landed", ("fallback",)),
    )
    for symptom, fact, places in kinds:
        elsewhere = Rule(
            id=f"{symptom}.elsewhere",
            cause="another-device-answered",
            symptoms=(symptom, "audio", "audio.agent"),
            cells=cells("number", *places),
            essential=(when(fact, "nowhere"),),
            conditions=(when("answered.elsewhere", True), not_shown("group.waits", True), *_NOT_ANOTHER_GROUPS),
            consequences=AFTER_LANDING,
            because="the call to the group was answered, and no phone of ours rang",
            confidence="likely",
        )
        yield elsewhere
        yield replace(
            elsewhere,
            id=f"{symptom}.elsewhere.or-nobody",
            cause="nobody-available",
            cells=(),
            conditions=(*elsewhere.conditions, GROUP_IS_THERE),
            because="the platform may have answered the group's call by itself, as a queue does that the file does not tell of",
            confidence="possible",
        )
        for cause, confidence in _BEHIND_A_QUEUE:
            yield replace(
                elsewhere,
                id=f"{symptom}.queue.{cause}",
                cause=cause,
                essential=(when(fact, "nowhere"), when("group.waits", True)),
                conditions=(when("answered.elsewhere", True), *_NOT_ANOTHER_GROUPS),
                because="the call to the group was answered, as its queue or machine does, and no phone of ours rang",
                confidence=confidence,
            )


#: What whatever is lost between the caller and the AI shows as.
_LOST: tuple[Symptom, ...] = ("reach", "codec", "audio", "other")


def _early_media() -> Iterator[Rule]:
    """The AI sent a 18x with SDP, and the caller got none: it was kept, or came when the platform had answered already."""
    lost = when("lost.early", True)
    # A record tells that the AI answered, but not when: the platform may have answered before the AI's 18x came.
    unordered = when("answered.first", UNSEEN)
    kept = Rule(
        id="lost.early",
        cause="early-media-not-passed-on",
        symptoms=_LOST,
        cells=cells("codec", "caller"),
        essential=(lost,),
        conditions=(not_shown("answered.first", UNSEEN),),
        consequences=("audio", "other"),
        because="the AI sent a 18x with SDP, and the caller got none",
    )
    yield kept
    yield replace(kept, id="lost.early.unordered", essential=(lost, unordered), conditions=(), confidence="likely")
    yield replace(
        kept,
        id="lost.early.audio",
        essential=(when("lost.early", False), when("audio.to_caller", "heard")),
        because="the AI sent a 18x with SDP, and the caller got one too, but nothing of the AI's audio until the answer",
        confidence="likely",
    )
    yield Rule(
        id="lost.early.answered-first",
        cause="platform-answers-first",
        symptoms=_LOST,
        cells=cells("timing", "caller"),
        essential=(lost, unordered),
        conditions=(),
        consequences=("audio", "other"),
        confidence="likely",
        because="nothing tells whether the AI's 18x came before the platform answered the caller, or after that",
    )


_REFUSED = Rule(
    id="lost.refused",
    cause="extension-refused",
    symptoms=_LOST,
    essential=(when("final.code", 420),),
    conditions=(not_shown("ai.code", 420),),
    consequences=("audio", "other"),
    because="the caller's INVITE requires an extension, and was answered 420",
    confidence="likely",
)


def _lost_on_the_way() -> Iterator[Rule]:
    kinds: tuple[tuple[str, str, tuple[Cell, ...], str], ...] = (
        (
            "reliability",
            "reliability-not-passed-on",
            cells("header", "AI"),
            "the caller's INVITE has 100rel and the AI's has not, or the AI's 18x are reliable and not all of the caller's are",
        ),
        (
            "encryption",
            "encryption-not-passed-on",
            cells("codec", "AI"),
            "the caller's offer has keys, and the one that the AI got has not",
        ),
    )
    for what, cause, where, because in kinds:
        yield Rule(
            id=f"lost.{what}",
            cause=cause,
            symptoms=_LOST,
            cells=where,
            essential=(when(f"lost.{what}", True),),
            conditions=(),
            consequences=("audio", "other"),
            because=because,
        )
    yield _REFUSED
    yield from _early_media()
    yield Rule(
        id="digits.not-negotiated",
        cause="dtmf-not-negotiated",
        symptoms=("digits",),
        cells=cells("digits", "caller", "AI"),
        essential=(
            when(
                "digits.negotiated",
                "the platform took it out of the offer to the AI",
                "the AI did not take it",
                "the platform took it out of the answer to the caller",
            ),
        ),
        conditions=(unless("digits", "right", "arrived"),),
        consequences=("other",),
        because="offer and answer did not both keep telephone-event, so that digits cannot be sent as RTP events",
    )


def _customer() -> Iterator[Rule]:
    yield Rule(
        id="campaign.not-dialled",
        cause="campaign-not-dialled",
        symptoms=("reach", "other"),
        cells=cells("number", "customer"),
        essential=(when("customer.rang", False),),
        conditions=(
            not_shown("refusal.caller", "its media", "another call", EXTENSION, MALFORMED),
            not_shown("customer.room", NO_ROOM),
        ),
        consequences=AFTER_THE_CUSTOMER,
        because="the campaign was started, and the customer's phone did not ring",
        confidence="likely",  # a carrier on the way to the phone may have kept the call
    )


LEGS: tuple[Rule, ...] = (
    *_identity(),
    *OWN_REFUSALS,
    *_headers(),
    *_release(),
    *_limit(),
    *_answered_elsewhere(),
    *_lost_on_the_way(),
    *_customer(),
)
