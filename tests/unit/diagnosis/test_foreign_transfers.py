"""What switches of others answer to a transfer, in their own words, and what is told of it."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.building import Example, named
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.stories import GROUP, lost, transfer, warm
from tests.unit.diagnosis.strangers import DESK, DESK_NUMBER, Stranger, answered, hands_over, notified


@pytest.mark.parametrize(
    ("after", "ids"),
    [(0.02, ["transfer-unanswered"]), (3.0, ["another-device-answered", "nobody-available", "transfer-unanswered"])],
)
def test_nobody_has_answered_a_caller_whose_call_is_ended_at_once(after: float, ids: list[str]) -> None:
    """FreeSWITCH says 200 of each REFER at once (RFC 3515 section 2.4.4), and hangs up where its dial plan leads nowhere."""
    example = transfer(Example(ai="stand-in")).ai_refers(GROUP).platform_says(202).notified(200, "OK").after(after)
    example.caller_gets("BYE sip:caller SIP/2.0")
    assert [cause.id for cause in lost(example).diagnose().causes] == ids


@pytest.mark.parametrize(
    ("status", "cause", "confidence"),
    [
        ("603 Declined (policy)", "refer-rejected", "certain"),  # Asterisk's chan_sip, allowtransfer=no
        ("405 Method Not Allowed", "refer-rejected", "certain"),
        ("501 Method not supported here", "refer-rejected", "certain"),
        ("400 Bad Request (missing Refer-To)", "refer-rejected", "likely"),
        ("420 Bad Extension", "refer-rejected", "likely"),
        ("429 Provide Referrer Identity", "refer-rejected", "likely"),  # RFC 3892 section 5
        ("491 Request Pending", "refer-rejected", "likely"),
        ("487 Request Terminated", "refer-rejected", "likely"),  # nobody had ended the call
        ("408 Request Timeout", "transfer-unanswered", "likely"),
        ("481 Call leg/transaction does not exist", "refer-rejected", "likely"),
        ("500 Server error", "refer-rejected", "likely"),
        ("502 Bad Gateway", "refer-rejected", "likely"),
        ("504 Server Time-out", "refer-rejected", "likely"),
        ("503 Service Unavailable", "trunk-inactive", "likely"),
        ("302 Moved Temporarily", "refer-rejected", "likely"),
        ("482 Merged Request", "refer-rejected", "likely"),
        ("483 Too Many Hops", "refer-rejected", "likely"),
        ("404 Not Found", "number-unknown-at-platform", "likely"),
        ("410 Gone", "number-unknown-at-platform", "likely"),
        ("484 Address Incomplete", "number-unknown-at-platform", "likely"),
        ("485 Ambiguous", "number-unknown-at-platform", "likely"),
        ("604 Does not exist anywhere", "number-unknown-at-platform", "likely"),
        ("480 Temporarily not available", "nobody-available", "likely"),
        ("486 Busy Here", "nobody-available", "likely"),
        ("600 Busy Everywhere", "nobody-available", "likely"),
        ("480 No agents available", "nobody-available", "certain"),
    ],
)
def test_the_answer_to_a_refer(status: str, cause: str, confidence: str) -> None:
    example = answered(status)
    assert named(example) == [(cause, confidence)]
    assert f"SIP/2.0 {status}" in facts_of(example)["transfer.answer"].evidence


@pytest.mark.parametrize(
    ("status", "cause", "confidence"),
    [
        ("486 Busy Here", "nobody-available", "likely"),
        ("600 Busy Everywhere", "nobody-available", "likely"),
        ("484 Address Incomplete", "number-unknown-at-platform", "likely"),
        ("604 Does Not Exist Anywhere", "number-unknown-at-platform", "likely"),
        ("408 Request Timeout", "transfer-unanswered", "likely"),
        ("487 ORIGINATOR_CANCEL", "transfer-unanswered", "likely"),
        ("603 Decline", "transfer-call-refused", "likely"),
        ("488 Incompatible destination", "transfer-call-refused", "certain"),
        ("500 Server Internal Error", "transfer-call-refused", "likely"),
        ("301 Moved Permanently", "transfer-call-refused", "certain"),
        ("482 (Loop Detected)", "transfer-call-refused", "likely"),
    ],
)
def test_the_answer_to_the_ai_s_own_call(status: str, cause: str, confidence: str) -> None:
    assert named(answered(status, "INVITE")) == [(cause, confidence)]


@pytest.mark.parametrize(
    ("fragment", "cause", "confidence"),
    [
        ("SIP/2.0 480 Temporarily Unavailable", "nobody-available", "likely"),
        ("SIP/2.0 480 Nobody is logged in", "nobody-available", "certain"),
        ("SIP/2.0 404 Not found", "number-unknown-at-platform", "likely"),
        ("SIP/2.0 410 Gone", "number-unknown-at-platform", "likely"),
        ("SIP/2.0 484 Address Incomplete", "number-unknown-at-platform", "likely"),
        ("SIP/2.0 604 Does not exist anywhere", "number-unknown-at-platform", "likely"),
        ("SIP/2.0 483 Too Many Hops", "refer-accepted-then-failed", "certain"),
        ("SIP/2.0 486 Busy Here", "refer-accepted-then-failed", "certain"),
        ("SIP/2.0 503 Service Unavailable", "refer-accepted-then-failed", "certain"),
        ("SIP/2.0 500 x\r\nReason: Q.850;cause=1", "number-unknown-at-platform", "certain"),
        ("SIP/2.0 503 x\r\nReason: Q.850;cause=34", "transfer-call-refused", "likely"),
        ('SIP/2.0 503 x\r\nReason: Q.850;cause=3;text="NO_ROUTE_DESTINATION"', "transfer-call-refused", "likely"),
    ],
)
def test_the_outcome_in_a_notify(fragment: str, cause: str, confidence: str) -> None:
    example = notified("SIP/2.0 100 Trying\r\n", f"{fragment}\r\n", states=("active", "terminated;reason=noresource"))
    assert named(example) == [(cause, confidence)]
    assert fragment.partition("\r\n")[0] in facts_of(example)["transfer.outcome"].evidence


@pytest.mark.parametrize(
    ("state", "cause", "confidence"),
    [
        ("terminated;reason=noresource", "refer-never-notified", "likely"),
        ("terminated;reason=timeout", "refer-never-notified", "likely"),
        ("terminated;reason=rejected", "refer-rejected", "likely"),
        ("terminated;reason=giveup;retry-after=60", "refer-rejected", "likely"),
    ],
)
@pytest.mark.parametrize("fragment", ["", "SIP/2.0 100 Trying\r\n", "SIP/2.0 180 Ringing\r\n"])
def test_a_subscription_that_ends_without_an_outcome(fragment: str, state: str, cause: str, confidence: str) -> None:
    (first,) = notified("SIP/2.0 100 Trying\r\n", fragment, states=("active;expires=60", state)).diagnose().causes
    assert (first.id, first.confidence) == (cause, confidence)
    assert any(f"Subscription-State: {state}" in line for line in first.evidence)


def test_a_call_that_ended_before_its_refer_was_answered() -> None:
    """RFC 3261 section 15.1.2: 487 to what was pending; that the REFER was refused it does not say."""
    head = {"call_id": "6f1c@sw7.example", "to": "<sip:x@sw7.example>;tag=as58f4201b"}
    example = hands_over()._sip("received", "BYE sip:ai@192.0.2.60 SIP/2.0", "BYE", number="4", **head)
    example._sip("received", "SIP/2.0 487 Request Terminated", "REFER", call_id="6f1c@sw7.example", number="20771")
    example.landed("billing")
    assert named(example) == [("transfer-unanswered", "likely")]
    assert "no answer at all" not in example.diagnose().causes[0].because


def test_a_call_that_the_ai_itself_gave_up_had_arrived() -> None:
    """RFC 3261 section 9.1: its 487 is the platform's, which had the call and let it wait."""
    example = hands_over("INVITE")
    head = {"call_id": "onward-98@192.0.2.60", "number": "20771"}
    example._sip("sent", "CANCEL sip:x@sw7.example SIP/2.0", "CANCEL", **head)
    example._sip("received", "SIP/2.0 487 Request Terminated", "INVITE", **head).landed("billing")
    assert named(example) == [("transfer-unanswered", "certain")]


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (480, "nobody-available"),
        (404, "number-unknown-at-platform"),
        (410, "number-unknown-at-platform"),
        (604, "number-unknown-at-platform"),
    ],
)
def test_what_the_ai_s_record_alone_has_of_the_target(code: int, cause: str) -> None:
    """Neither an inactive trunk nor a challenge answers so."""
    action = {"name": "transfer_call", "type": "cold", "to": DESK_NUMBER, "status": "failed", "status_code": code}
    example = Stranger(row="TD-TRANSFER-BLIND").dials().answered().taken().to_ai().to_caller()
    assert named(lost(example.record(executed_actions={"0": action}))) == [(cause, "likely")]


@pytest.mark.parametrize("status", ["486 Busy Here", "480 Temporarily Unavailable", "600 x", "404 Not Found", "604 x"])
@pytest.mark.parametrize(("way", "cause"), [("REFER", "refer-rejected"), ("INVITE", "transfer-call-refused")])
def test_a_desk_that_a_second_call_rings_was_refused_to_the_ai_alone(way: str, status: str, cause: str) -> None:
    """Its number is right, and somebody is there."""
    alone = answered(status, way)
    assert named(alone)[0][0] in ("nobody-available", "number-unknown-at-platform")
    assert named(answered(status, way).calls_again("group", DESK_NUMBER, rang=[DESK])) == [(cause, "likely")]


def test_a_password_that_nobody_took_is_no_empty_group() -> None:
    (first, *_) = answered("403 Not logged in", "INVITE").diagnose().causes
    assert first.id == "synthflow-ip-not-allowed"


@pytest.mark.parametrize("did", ["13125550160", "another"])
def test_people_whom_an_ai_transferred_to_are_no_fallback(did: str) -> None:
    """The stand-in takes a call for any number, and transfers as it is asked."""
    example = Example(row="TD-TRANSFER-BLIND", ai="stand-in")
    others = [a.did for name, a in example.deployment.assistants.items() if name != example.assistant]
    own = example.deployment.assistants[example.assistant].did
    example.dials().ai_gets(did=others[0] if did == "another" else own.removeprefix("+")).ai_answers(
        200, "OK"
    ).answered()
    example.after(1).ai_refers(GROUP).rings("billing").landed("billing", "billing")
    found = example.not_taken("nobody known").diagnose()
    assert {cause.id for cause in found.causes} == {"route-wrong-did" if did == "another" else "request-uri-form"}


def test_a_call_that_a_platform_answers_before_it_rings_anybody_was_not_taken_by_another_device_for_certain() -> None:
    """Contact centres answer a group's number themselves, with a queue's music; a file may not tell of it."""
    example = warm(Example(ai="stand-in")).ai_invites(GROUP).platform_says(200, "OK", "INVITE")
    assert named(lost(example)) == [("another-device-answered", "likely"), ("nobody-available", "possible")]
    rings = lost(example).calls_again("group", GROUP, rang=["billing"])
    assert named(rings) == [("another-device-answered", "likely")], "somebody of the group is there"


def test_another_group_may_have_the_fallback_s_overflow() -> None:
    example = Example(row="TD-FALLBACK-REFUSED", line="fallback-refused").dials().ai_gets().ai_answers(503)
    causes = named(example.after(0.1).rings("support").not_taken("the phone support"))
    assert ("fallback-wrong-group", "likely") in causes
