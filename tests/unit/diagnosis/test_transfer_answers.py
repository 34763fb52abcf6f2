"""Facts on what a transfer was answered with: what 487 means, and a subscription that tells no outcome."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.stories import GROUP, transfer, warm


def cancelled(example: Example, number: int = 2, direction: str = "sent") -> Example:
    return example._sip(direction, "CANCEL sip:x SIP/2.0", "CANCEL", call_id="onward", number=str(number))


@pytest.mark.parametrize(
    ("codes", "answer"),
    [([], "a provisional response alone"), ([100], "a provisional response alone"), ([407], "challenged")],
)
def test_487_answers_the_ai_s_own_cancel(codes: list[int], answer: str) -> None:
    """RFC 3261 section 9.1: by then the platform had taken the call, and decided nothing."""

    def invited() -> Example:
        example = warm(Example()).ai_invites(GROUP)
        for code in codes:
            example.platform_says(code, method="INVITE")
        return example

    given_up = cancelled(invited()).platform_says(487, method="INVITE")
    assert facts_of(given_up).value("transfer.answer") == answer
    for another in (
        cancelled(invited(), number=1).platform_says(487, method="INVITE"),
        cancelled(invited(), direction="received").platform_says(487, method="INVITE"),
        cancelled(invited().platform_says(487, method="INVITE")),
    ):
        assert facts_of(another).value("transfer.answer") == 487


@pytest.mark.parametrize(
    ("state", "body", "outcome"),
    [
        ("active;expires=60", "SIP/2.0 100 Trying", "nothing"),
        ("terminated;reason=timeout", "SIP/2.0 100 Trying", "nothing, and the subscription is over"),
        ("Terminated ; Reason=noresource", "", "nothing, and the subscription is over"),
        ("terminated", "", "nothing, and the subscription is over"),
        ("terminated;reason=rejected", "", "nothing: the subscription was refused"),
        ("terminated; reason = giveup;retry-after=60", "SIP/2.0 100 Trying", "nothing: the subscription was refused"),
        ("terminated;reason=rejected", "SIP/2.0 603 Declined", 603),
        ("terminated;reason=noresource", "SIP/2.0 200 OK", 200),
    ],
)
def test_a_subscription_may_end_without_an_outcome(state: str, body: str, outcome: object) -> None:
    """RFC 6665 section 4.1.3 has the reasons."""
    example = transfer(Example()).ai_refers(GROUP).platform_says(202)
    fact = facts_of(example._sip("received", "NOTIFY sip:ai SIP/2.0", "NOTIFY", body, Subscription_State=state))[
        "transfer.outcome"
    ]
    assert fact.value == outcome
    assert (f"Subscription-State: {state}" in fact.evidence) is (
        outcome in ("nothing, and the subscription is over", "nothing: the subscription was refused")
    )


@pytest.mark.parametrize(
    ("says", "sent", "outcome"),
    [
        ("false", None, "nothing, as agreed"),
        ("False;x", None, "nothing, as agreed"),
        ("true", None, "nothing"),
        ("false", "SIP/2.0 486 x", 486),
    ],
)
def test_a_platform_that_makes_no_subscription_owes_no_notify(says: str, sent: str | None, outcome: object) -> None:
    """RFC 4488 section 4."""
    example = (
        transfer(Example())
        .ai_refers(GROUP)
        ._sip("received", "SIP/2.0 202 Accepted", "REFER", number="2", Refer_Sub=says)
    )
    if sent:
        example._sip("received", "NOTIFY sip:ai SIP/2.0", "NOTIFY", sent)
    assert facts_of(example).value("transfer.outcome") == outcome
