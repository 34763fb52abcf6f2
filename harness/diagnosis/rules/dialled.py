"""Why a number of people, dialled without an AI, turns its caller away: by what the status says (RFC 3261 section 21)."""

from __future__ import annotations

from harness.diagnosis.conditions import Condition, not_shown, unless, when
from harness.diagnosis.messages import CHALLENGES
from harness.diagnosis.own import WITHHELD
from harness.diagnosis.refusals import (
    IN_A_CIRCLE,
    NO_SUCH_NUMBER,
    NOBODY_THERE,
    OF_A_SERVER,
    OF_THE_CALLER,
    OF_THE_MEDIA,
    REDIRECTED,
    TERMINATED,
    THE_ADDRESS,
    THE_CALLERS_NUMBER,
    THE_TRUNK,
)
from harness.diagnosis.rule import Confidence, Rule
from harness.diagnosis.rules.transfer import AFTER, CARRIED, GROUP_IS_THERE, LOST, NOT_REFUSED_THERE

_DECLINED, _TIMED_OUT = 603, 408
_FAILED = (*OF_A_SERVER, 503)
#: Somebody had the call and gave it up, or declined it: people whom nobody here sees, or the platform.
_OF_PEOPLE = (_TIMED_OUT, TERMINATED, _DECLINED)
_OTHERWISE = (*CHALLENGES, *NO_SUCH_NUMBER, *NOBODY_THERE, *IN_A_CIRCLE, *REDIRECTED, *OF_THE_CALLER, *OF_THE_MEDIA)


def _rule(
    name: str, cause: str, said: Condition, because: str, *conditions: Condition, sure: Confidence = "likely"
) -> Rule:
    return Rule(
        id=f"transfer.dialled.{name}",
        cause=cause,
        symptoms=("transfer",),
        essential=(LOST, when("transfer.way", "dialled"), said),
        conditions=(CARRIED, *conditions),
        consequences=AFTER,
        because=because,
        confidence=sure,
    )


DIALLED: tuple[Rule, ...] = (
    _rule(
        "redirected",
        "caller-redirected",
        when("transfer.answer", *REDIRECTED),
        "the caller was told to ask elsewhere (3xx)",
        sure="certain",
    ),
    _rule(
        "credentials",
        "caller-credentials-refused",
        when("transfer.answer", *CHALLENGES),
        "the caller's INVITE was challenged, and its credentials were not accepted",
        not_shown("password.withheld", *WITHHELD),
    ),
    _rule(
        "identity",
        "caller-identity-refused",
        when("transfer.answer", *OF_THE_CALLER),
        "the caller was refused with a status that is about who calls",
    ),
    _rule(
        "of-the-caller",
        "platform-refuses-caller",
        when("transfer.refusal", THE_TRUNK, THE_ADDRESS, THE_CALLERS_NUMBER),
        "the caller was refused, with words about who calls, or over what trunk",
    ),
    _rule(
        "media",
        "caller-media-refused",
        when("transfer.answer", *OF_THE_MEDIA),
        "the caller was refused for the media of the call, and no agent's phone had rung or refused it",
        NOT_REFUSED_THERE,
    ),
    _rule(
        "failed",
        "platform-fails",
        when("transfer.answer", *_FAILED),
        "the caller was refused with the error of a server",
    ),
    _rule(
        "refused",
        "platform-refuses-caller",
        unless("transfer.answer", *_OTHERWISE, *_FAILED, *_OF_PEOPLE),
        "the caller was refused with a status of the request, and no agent's phone had rung",
    ),
    _rule(
        "given-up",
        "nobody-available",
        when("transfer.answer", *_OF_PEOPLE),
        "the caller was refused as by people who decline, or as when nobody takes a call, and no agent's phone had rung",
        GROUP_IS_THERE,
        when("platform.did", "it found nobody to ring"),
    ),
    _rule(
        "elsewhere",
        "group-wrong",
        when("transfer.answer", *_OF_PEOPLE),
        "the caller was refused as by people who decline, or as when nobody takes a call, and no agent of the group's had rung",
        when("again.group", "the right group"),
    ),
    _rule(
        "declined",
        "platform-refuses-caller",
        when("transfer.answer", _DECLINED),
        "the caller was declined (603), and no agent's phone had rung",
        when("platform.did", "it turned the caller away"),
    ),
)
