"""Why a transfer by REFER reaches nobody, by the status that the AI's own record gives for it, where nothing else is seen.

Whether the REFER itself was answered with that status, or a NOTIFY told it later, the record does not say. Where the status
is said of the request alone, or of whom it leads to alone, that decides it; else both are possible.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.diagnosis.cells import cells
from harness.diagnosis.conditions import Condition, not_shown, unless, when
from harness.diagnosis.messages import CHALLENGES
from harness.diagnosis.refusals import (
    BUSY,
    IN_A_CIRCLE,
    NO_SUCH_NUMBER,
    OF_A_SERVER,
    OF_THE_CALLER,
    OF_THE_MEDIA,
    OF_THE_REQUEST,
    REDIRECTED,
    TERMINATED,
)
from harness.diagnosis.rule import Confidence, Rule
from harness.diagnosis.rules.transfer import AFTER, GROUP_IS_THERE, LOST, NOT_REFUSED_THERE, RIGHT_TARGET
from harness.diagnosis.transfer import ENDED_FIRST

_NO_SUCH_CALL = 481
_OF_A_REFER = tuple(code for code in OF_THE_REQUEST if code not in (*CHALLENGES, _NO_SUCH_CALL))
#: Said by who was called (RFC 3261 sections 21.4.24, 21.6.1 and 21.6.2), or of its media, of which a REFER has none.
_OF_THE_CALLED = (*BUSY, 603, *OF_THE_MEDIA, *OF_THE_CALLER)
_OF_THE_NUMBER = (480, *NO_SUCH_NUMBER, *IN_A_CIRCLE)
_OPEN = ("started", 408)


def _rule(
    name: str, cause: str, codes: tuple[object, ...], because: str, *conditions: Condition, sure: Confidence = "likely"
) -> Rule:
    return Rule(
        id=f"transfer.{name}.recorded",
        cause=cause,
        symptoms=("transfer",),
        cells=cells("timing", "REFER") if codes == _OPEN else (),
        essential=(LOST, when("transfer.recorded", *codes)),
        conditions=(*conditions, RIGHT_TARGET),
        consequences=AFTER,
        because=f"the AI's record has its REFER {because}",
        confidence=sure,
    )


def _answered() -> Iterator[Rule]:
    """What a REFER may have been answered with as well as its NOTIFY may have told."""
    for name, cause, codes, answers, said in (
        ("inactive", "trunk-inactive", (503,), (503,), "503, as a trunk does that is not in service"),
        ("server", "transfer-server-fails", OF_A_SERVER, OF_A_SERVER, "the error of a server"),
        ("redirected", "transfer-redirected", REDIRECTED, REDIRECTED, "3xx"),
        ("unanswered", "transfer-unanswered", (TERMINATED,), (ENDED_FIRST,), "487, as when the call ends first"),
    ):
        because = f"failed, and the platform may have answered it with {said}"
        yield _rule(name, cause, codes, because, when("transfer.answer", *answers))


RECORDED: tuple[Rule, ...] = (
    _rule("rejected", "refer-rejected", _OF_A_REFER, "failed, with a status that refuses the request itself"),
    _rule(
        "no-such-call",
        "transfer-outside-the-call",
        (_NO_SUCH_CALL,),
        "failed with 481: the platform knows no call of that Call-ID and tags (RFC 3261 section 12.2.2)",
    ),
    _rule(
        "challenged",
        "transfer-call-challenged",
        CHALLENGES,
        "failed with a challenge",
        when("transfer.credentials", False),
    ),
    _rule(
        "credentials",
        "transfer-credentials-refused",
        CHALLENGES,
        "failed with a challenge",
        when("transfer.credentials", True),
    ),
    *_answered(),
    _rule(
        "nobody",
        "nobody-available",
        (480,),
        "failed, with a status as where whom the number leads to cannot be rung at the moment",
        GROUP_IS_THERE,
    ),
    _rule(
        "unknown-number",
        "number-unknown-at-platform",
        NO_SUCH_NUMBER,
        "failed, with a status as where the platform does not know the number",
        GROUP_IS_THERE,
    ),
    _rule(
        "circle",
        "routed-in-a-circle",
        IN_A_CIRCLE,
        "failed, with a status as where the transfer came back to where it had been, or went over too many hops",
    ),
    _rule(
        "failed",
        "refer-accepted-then-failed",
        _OF_THE_CALLED,
        "failed, with a status of somebody who was called, and no agent's phone rang",
        NOT_REFUSED_THERE,
    ),
    Rule(
        id="transfer.failed.recorded.or-answered",
        cause="refer-accepted-then-failed",
        symptoms=("transfer",),
        essential=(
            LOST,
            unless("transfer.recorded", *_OPEN, *OF_THE_REQUEST, *_OF_THE_NUMBER, *_OF_THE_CALLED, "done"),
        ),
        conditions=(when("transfer.answer", "accepted"), RIGHT_TARGET, NOT_REFUSED_THERE),
        consequences=AFTER,
        because="the AI's record has its REFER failed, and the platform may have accepted it before",
        confidence="likely",
    ),
    _rule(
        "silent",
        "refer-never-notified",
        _OPEN,
        "begun, and no word of what became of it",
        # Or the REFER itself was never answered, which the record does not say.
        when("transfer.answer", "accepted"),
        not_shown("transfer.passed_on", True),
        sure="certain",
    ),
)
