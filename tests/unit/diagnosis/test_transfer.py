"""Facts on transfers, handovers and fallbacks: what the AI tried, what the platform said, where the
call landed, what is left.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.case.verdict import Verdict
from tests.unit.diagnosis.case import Example, call, dialled, facts_of, named, talk, value
from tests.unit.diagnosis.stories import (
    GROUP,
    OTHER_GROUP,
    QUEUE,
    lost,
    people,
    referred,
    transfer,
)
from tests.unit.diagnosis.stories import warm as warm_transfer
from tests.unit.diagnosis.transfer_examples import by_topic, queues, told


def blind(**changes: Any) -> Example:
    return talk(row="TD-TRANSFER-BLIND", **changes)


def warm(**changes: Any) -> Example:
    return talk(row="TD-TRANSFER-WARM", line="inbound-warm", **changes)


# -- where it landed


def test_one_of_the_right_people_may_answer_for_the_wrong_group() -> None:
    example = (
        dialled(row="TD-FALLBACK-REFUSED", line="fallback-refused")
        .rings("reception")
        .rings("billing")
    )
    example.answered().landed("reception", "reception", "billing")
    example.finding("landing.others", "billing", rang=1, watched=True)
    assert [cause for cause, _ in named(example)] == ["fallback-wrong-group"]


@pytest.mark.parametrize(
    "example",
    [
        dialled(row="GROUP-RINGING", line="people-in-turns")
        .rings("reception")
        .landed("support", "reception"),
        dialled(row="VOICEMAIL", line="nobody-there")
        .rings("billing")
        .finding("answered", "caller.1"),
        people().rings("billing").landed("reception", "billing"),
    ],
    ids=lambda example: str(example.row),
)
def test_a_number_of_people_that_leads_to_others_is_not_the_ai_s_fault(example: Example) -> None:
    assert named(example) == [("group-wrong", "likely")]


def test_a_fallback_may_lead_to_a_group_that_other_numbers_are_transferred_to() -> None:
    example = (
        dialled(row="TD-FALLBACK-TIMEOUT", ai="stand-in", line="fallback-timeout")
        .ai_gets()
        .after(4)
    )
    facts = facts_of(example.gives_up().landed("billing"))
    assert (facts.value("fallback.landed"), facts.value("transfer.landed")) == ("nowhere", None)


def test_a_finding_that_broke_is_no_evidence_of_where_the_call_landed() -> None:
    example = blind().landed("billing")
    example.findings[-1] = replace(example.findings[-1], verdict=Verdict.BROKEN)
    assert value(example, "transfer.landed") is None


# -- what the AI tried


def test_without_a_target_the_group_waited_for_is_meant() -> None:
    example = (
        dialled(row="TD-TRANSFER-BLIND", line="skill-language").ai_gets().ai_refers(OTHER_GROUP)
    )
    assert value(example, "transfer.target") == "the group's number"
    assert (
        value(example.copy().landed("support", "support"), "transfer.target")
        == "the group's number"
    )
    assert (
        value(example.landed("customer").landed("billing"), "transfer.target")
        == "another group's number"
    )


@pytest.mark.parametrize(
    ("termination", "asked", "remote", "host"),
    [
        ("sbc.acme.example:5060", "SBC.acme.example", "", "the trunk's"),
        ("sbc.acme.example:5060", "sbc.acme.example:5061", "", "another host"),
        ("sbc.acme.example:5060", "elsewhere.example", "", "another host"),
        ("sbc.acme.example:5060", "198.51.100.26", "", None),
        ("198.51.100.26:5060", "198.51.100.26", "198.51.100.26:5060", "the trunk's"),
        ("198.51.100.26:5060", "198.51.100.26", "", None),
        ("198.51.100.26:5060", "198.51.100.26", "198.51.100.26:5061", "another host"),
        ("198.51.100.26", "198.51.100.26", "198.51.100.26:5062", "another host"),
        ("[2001:db8::26]:5060", "x.example", "[2001:db8::26]:5060", "the trunk's"),
    ],
)
def test_a_host_by_its_name_or_address(
    monkeypatch: pytest.MonkeyPatch, termination: str, asked: str, remote: str, host: str | None
) -> None:
    """By what the INVITE asks for: the address of a name at that time is not known."""
    example = warm().ai_invites(f"{GROUP}@{asked}", remote=remote or "203.0.113.9:5060")
    if not remote and termination.startswith("198"):
        example._messages[-1]["remote"] = ""
    trunks = [
        trunk.model_copy(update={"termination": termination}) for trunk in example.deployment.trunks
    ]
    monkeypatch.setattr(
        Example, "deployment", example.deployment.model_copy(update={"trunks": trunks})
    )
    assert value(example, "transfer.host") == host


@pytest.mark.parametrize(
    ("codes", "answer"),
    [
        ([], "none"),
        ([199], "a provisional response alone"),
        ([100, 407], "challenged"),
        ([401], "challenged"),
        ([100, 407, 183], "a provisional response alone"),
        ([180, 487], 487),
        ([299], "accepted"),
        ([300], 300),
        ([407, 200], "accepted"),
        ([401, 403], 403),
        ([402], 402),
        ([503, 200], "accepted"),
    ],
)
def test_the_platform_s_answer(codes: list[int], answer: object) -> None:
    refer, invite = blind().ai_refers(GROUP), warm().ai_invites(GROUP)
    for code in codes:
        refer.platform_says(code)
        invite.platform_says(code, method="INVITE")
    assert value(refer, "transfer.answer") == value(invite, "transfer.answer") == answer


def _refers_again(example: Example) -> Example:
    refer = {
        "Refer_To": f"<sip:{GROUP}@platform.example>",
        "to": "<sip:x@y.example>;tag=p",
        "number": "3",
    }
    return example._sip("sent", "REFER sip:platform SIP/2.0", **refer)


def test_an_answer_is_to_the_attempt_of_its_number() -> None:
    """RFC 3261 section 17.1.3: an AI that asks twice may get the first answer after the second
    request.
    """
    twice = _refers_again(blind().ai_refers(GROUP))
    assert value(twice.copy().platform_says(603, number=2), "transfer.answer") == "none"
    assert (
        value(twice.platform_says(202, number=3).platform_says(603), "transfer.answer")
        == "accepted"
    )
    refreshed = (
        warm()
        .ai_invites(GROUP)
        .platform_says(200, method="INVITE")
        .platform_says(491, method="INVITE", number=3)
    )
    assert value(refreshed, "transfer.answer") == "accepted"


# -- its outcome


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (["SIP/2.0 199 x"], "nothing"),
        (["SIP/2.0 200"], 200),
        (["SIP/2.0 180 Ringing", "SIP/2.0 486 Busy"], 486),
        (["SIP/2.0 699 x"], 699),
        (["SIP/2.0 700 x"], "nothing"),
        (["200 OK"], "nothing"),
        ([""], "nothing"),
        (["SIP/2.0 503 No", "SIP/2.0 x"], 503),
    ],
)
def test_the_last_sipfrag_counts(said: list[str], outcome: object) -> None:
    example = blind().ai_refers(GROUP).platform_says(202)
    for body in said:
        example._sip("received", "NOTIFY sip:ai SIP/2.0", "NOTIFY", body)
    assert value(example, "transfer.outcome") == outcome


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ([("refer;id=2", 486)], "nothing"),
        ([("refer;id=3", 200), ("refer;id=2", 486)], 200),
        ([("refer", 486), ("refer", 200)], 200),
    ],
)
def test_the_outcome_of_the_second_refer(said: list[tuple[str, int]], outcome: object) -> None:
    """RFC 3515 section 2.4.6."""
    example = _refers_again(referred()).platform_says(202, number=3)
    for event, code in said:
        example._sip(
            "received",
            "NOTIFY sip:ai SIP/2.0",
            body=f"SIP/2.0 {code} x\r\n",
            number="9",
            Event=event,
        )
    assert value(example, "transfer.outcome") == outcome


@pytest.mark.parametrize(
    ("ai", "outcome", "cause"),
    [
        ("stand-in", "nothing, and the platform ended the AI's call", "transfer-unanswered"),
        (
            "synthflow",
            "nothing",
            "refer-never-notified",
        ),  # the harness hangs up, too, and a record has no times
    ],
)
def test_a_platform_may_hang_up_on_the_ai_once_it_has_accepted(
    ai: str, outcome: str, cause: str
) -> None:
    """RFC 5589 section 6.1."""
    example = transfer(Example(ai=ai)).ai_refers(GROUP).platform_says(202)
    example._sip("received", "BYE sip:ai SIP/2.0", to="<sip:ai@192.0.2.60>;tag=b", number="3")
    assert value(lost(example), "transfer.outcome") == outcome
    assert named(example) == [(cause, "likely")]


def test_a_call_that_was_answered_before_anybody_rang() -> None:
    """Contact centres answer a group's number themselves, with a queue's music."""
    example = lost(
        warm_transfer(Example(ai="stand-in")).ai_invites(GROUP).platform_says(200, "OK", "INVITE")
    )
    assert named(example) == [
        ("another-device-answered", "likely"),
        ("nobody-available", "possible"),
    ]
    rings = example.calls_again("group", GROUP, rang=["billing"])
    assert named(rings) == [("another-device-answered", "likely")], "somebody of the group is there"


def test_a_stand_in_s_report_of_its_refer_counts_until_the_case_is_over() -> None:
    stood = call(row="TD-TRANSFER-BLIND", ai="stand-in").finding("prack", "caller.1")
    assert value(stood.copy().refer_ended(603), "transfer.outcome") == 603
    assert value(stood.copy().after(0.1).refer_ended(603), "transfer.outcome") is None
    assert value(stood.refer_ended(180, final=False), "transfer.outcome") is None


# -- which handover


def test_no_topic_is_none_of_them_where_each_has_one() -> None:
    example = (
        by_topic("inbound-support")
        .ai_refers(QUEUE)
        .platform_says(202)
        .rings("queue")
        .landed("support", "queue")
    )
    assert named(example) == [("transfer-topic-wrong", "certain")]


def test_a_record_of_the_number_alone_does_not_tell_topics_apart() -> None:
    example = told(queues(), to=QUEUE).rings("billing").landed("support", "billing")
    assert {confidence for _, confidence in named(example)} == {"possible"}
    assert {cause for cause, _ in named(example)} == {"transfer-topic-wrong", "group-wrong"}


# -- what is left, and when


@pytest.mark.parametrize(
    ("seconds", "expected", "passed", "time"),
    [
        (3.0, 2.0, True, "as configured"),
        (9.0, 2.0, False, "longer"),
        (2.0, 2.0, False, "shorter"),
        (None, 2.0, False, None),
        (2.0, None, False, None),
    ],
)
def test_when_a_fallback_came(
    seconds: float | None, expected: float | None, passed: bool, time: str | None
) -> None:
    example = blind().finding("timing", "the call", passed, seconds=seconds, expected_s=expected)
    assert value(example, "fallback.time") == time
