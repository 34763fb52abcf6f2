"""Facts on transfers and fallbacks: what the AI tried, what the platform said, where it landed, what is left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.calls.events import TransferProgress
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.stories import GROUP, OTHER_GROUP


def blind(**changes: Any) -> Example:
    return Example(row="TD-TRANSFER-BLIND", **changes).dials().ai_gets().answered().taken()


def warm(**changes: Any) -> Example:
    return Example(row="TD-TRANSFER-WARM", line="inbound-warm", **changes).dials().ai_gets().answered().taken()


# -- where it landed


def test_one_of_the_right_people_may_answer_for_the_wrong_group() -> None:
    example = Example(row="TD-FALLBACK-REFUSED", line="fallback-refused").dials().rings("reception").rings("billing")
    example.answered().landed("reception", "reception", "billing")
    diagnosis = example.finding("landing.others", "billing", rang=1, watched=True).diagnose()
    assert [cause.id for cause in diagnosis.causes] == ["fallback-wrong-group"]


@pytest.mark.parametrize(
    "example",
    [
        Example(row="GROUP-RINGING", line="people-in-turns").dials().rings("reception").landed("support", "reception"),
        Example(row="VOICEMAIL", line="nobody-there").dials().rings("billing").finding("answered", "caller.1"),
        Example(row="PEOPLE", line="people").dials().rings("billing").landed("reception", "billing"),
    ],
    ids=lambda example: str(example.row),
)
def test_a_number_of_people_that_leads_to_others_is_no_fault_of_the_ai(example: Example) -> None:
    found = example.diagnose()
    assert [(cause.id, cause.confidence) for cause in found.causes] == [("group-wrong", "likely")]
    assert found.causes[0].owner == "transfer target"


# -- what the AI tried


def test_where_the_line_s_assistant_has_no_target_the_group_waited_for_is_meant() -> None:
    example = Example(row="TD-TRANSFER-BLIND", line="skill-language").dials().ai_gets().ai_refers(OTHER_GROUP)
    assert facts_of(example.copy()).value("transfer.target") == "the group's number"
    assert facts_of(example.copy().landed("support", "support")).value("transfer.target") == "the group's number"
    assert facts_of(example.copy().landed("billing")).value("transfer.target") == "another group's number"
    passed_over = example.copy().landed("customer").landed("billing")
    assert facts_of(passed_over).value("transfer.target") == "another group's number"
    assert facts_of(example, has_deployment=False).value("transfer.target") is None


def test_the_host_an_onward_call_goes_to() -> None:
    assert facts_of(warm().ai_invites(GROUP)).value("transfer.host") == "the trunk's"
    assert facts_of(warm().ai_invites(GROUP, remote="203.0.113.9:5060")).value("transfer.host") == "another host"
    assert facts_of(warm().ai_invites(GROUP), has_deployment=False).value("transfer.host") is None
    unknown = warm().ai_invites(GROUP)
    unknown._messages[-1]["remote"] = ""
    assert facts_of(unknown).value("transfer.host") is None


@pytest.mark.parametrize(
    ("termination", "asked", "remote", "host"),
    [
        ("sbc.acme.example:5060", "sbc.acme.example", "", "the trunk's"),
        ("sbc.acme.example:5060", "SBC.acme.example:5060", "", "the trunk's"),
        ("SBC.acme.example:5060", "sbc.acme.example", "", "the trunk's"),
        ("sbc.acme.example:5060", "sbc.acme.example:5061", "", "another host"),
        ("sbc.acme.example:5060", "elsewhere.example", "", "another host"),
        ("sbc.acme.example:5060", "198.51.100.26", "", None),
        ("198.51.100.26:5060", "198.51.100.26", "198.51.100.26:5060", "the trunk's"),
        ("198.51.100.26:5060", "198.51.100.26", "", None),
        ("198.51.100.26:5060", "198.51.100.26", "198.51.100.26:5061", "another host"),
        ("[2001:db8::26]:5060", "x.example", "[2001:db8::26]:5060", "the trunk's"),
        ("198.51.100.26", "198.51.100.26", "198.51.100.26:5060", "the trunk's"),
        ("198.51.100.26", "198.51.100.26", "198.51.100.26:5062", "another host"),
        ("sbc.acme.example", "sbc.acme.example:5060", "", "the trunk's"),
    ],
)
def test_a_host_by_its_name(
    monkeypatch: pytest.MonkeyPatch, termination: str, asked: str, remote: str, host: str | None
) -> None:
    """By what the INVITE asks for: where a name leads, nobody looks up afterwards."""
    example = warm().ai_invites(f"{GROUP}@{asked}", remote=remote or "203.0.113.9:5060")
    if not remote and termination.startswith("198"):
        example._messages[-1]["remote"] = ""
    trunks = [trunk.model_copy(update={"termination": termination}) for trunk in example.deployment.trunks]
    monkeypatch.setattr(Example, "deployment", example.deployment.model_copy(update={"trunks": trunks}))
    assert facts_of(example).value("transfer.host") == host


@pytest.mark.parametrize(
    ("codes", "answer"),
    [
        ([], "none"),
        ([100], "a provisional response alone"),
        ([199], "a provisional response alone"),
        ([100, 407], "challenged"),
        ([100, 407, 183], "a provisional response alone"),
        ([180, 487], 487),
        ([180, 486], 486),
        ([200], "accepted"),
        ([299], "accepted"),
        ([300], 300),
        ([603], 603),
        ([401], "challenged"),
        ([407], "challenged"),
        ([407, 200], "accepted"),
        ([401, 403], 403),
        ([400], 400),
        ([402], 402),
        ([406], 406),
        ([408], 408),
        ([486], 486),
        ([488], 488),
        ([487], 487),
        ([503, 200], "accepted"),
    ],
)
def test_the_platform_s_answer(codes: list[int], answer: object) -> None:
    refer, invite = blind().ai_refers(GROUP), warm().ai_invites(GROUP)
    for code in codes:
        refer.platform_says(code)
        invite.platform_says(code, method="INVITE")
    assert facts_of(refer).value("transfer.answer") == answer
    assert facts_of(invite).value("transfer.answer") == answer


def test_an_answer_is_to_the_attempt_of_its_number() -> None:
    """RFC 3261 section 17.1.3: an AI that asks twice may get the first answer after the second request."""
    twice = blind().ai_refers(GROUP)
    again = twice.copy()._sip(
        "sent",
        "REFER sip:platform SIP/2.0",
        "REFER",
        to="<sip:x@y.example>;tag=p",
        Refer_To=f"<sip:{GROUP}@platform.example>",
        number="3",
    )
    assert facts_of(again.copy().platform_says(603, number=2)).value("transfer.answer") == "none"
    assert facts_of(again.copy().platform_says(202, number=3).platform_says(603)).value("transfer.answer") == "accepted"
    refreshed = warm().ai_invites(GROUP).platform_says(200, method="INVITE")
    refused = refreshed.platform_says(491, method="INVITE", number=3)  # a re-INVITE of the same call
    assert facts_of(refused).value("transfer.answer") == "accepted"


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (["SIP/2.0 100 Trying"], "nothing"),
        (["SIP/2.0 199 x"], "nothing"),
        (["SIP/2.0 200 OK"], 200),
        (["SIP/2.0 200"], 200),
        (["SIP/2.0 180 Ringing", "SIP/2.0 486 Busy"], 486),
        (["SIP/2.0 699 x"], 699),
        (["SIP/2.0 700 x"], "nothing"),
        (["SIP/2.0"], "nothing"),
        (["200 OK"], "nothing"),
        ([""], "nothing"),
        (["SIP/2.0 503 No", "SIP/2.0 x"], 503),
    ],
)
def test_the_last_sipfrag_counts(said: list[str], outcome: object) -> None:
    example = blind().ai_refers(GROUP).platform_says(202)
    for body in said:
        example._sip("received", "NOTIFY sip:ai SIP/2.0", "NOTIFY", body)
    assert facts_of(example).value("transfer.outcome") == outcome


# -- seen from the caller, and from the record


def test_a_refer_handed_on_is_seen_at_the_caller_alone() -> None:
    refer = "REFER sip:caller SIP/2.0\r\nRefer-To: <sip:+18155550101@platform.example>"
    facts = facts_of(Example(row="TD-TRANSFER-BLIND").dials().caller_gets(refer))
    assert [facts.value(f"transfer.{name}") for name in ("asked", "way", "passed_on")] == [True, "REFER", True]
    own = Example(row="TD-TRANSFER-BLIND").dials()
    own._at_caller("sent", refer)
    assert "transfer.passed_on" not in facts_of(own)
    assert "transfer.passed_on" not in facts_of(Example().dials().at_phone("billing", "REFER"))
    assert "transfer.passed_on" not in facts_of(Example().dials().caller_gets("NOTIFY sip:caller SIP/2.0"))
    assert "transfer.passed_on" not in facts_of(Example().dials().caller_gets("REFER sip:caller SIP/2.0\r\nbroken"))


def test_what_a_stand_in_s_phone_says_of_its_refer_counts_until_the_case_is_over() -> None:
    stood = Example(now=0.0, row="TD-TRANSFER-BLIND", ai="stand-in").dials().finding("prack", "caller.1")
    assert facts_of(stood.copy().refer_ended(603)).value("transfer.outcome") == 603
    under_way = stood.copy().refer_ended(180)
    trying = under_way.events[-1]
    assert isinstance(trying, TransferProgress)
    under_way.events[-1] = replace(trying, final=False)
    assert facts_of(under_way).value("transfer.outcome") is None
    assert facts_of(stood.copy().after(0.1).refer_ended(603)).value("transfer.outcome") is None


@pytest.mark.parametrize(
    ("action", "asked", "way"),
    [
        ({"name": "transfer_call", "type": "cold"}, True, "REFER"),
        ({"name": "transfer_call", "type": "warm"}, True, "INVITE"),
        ({"name": "transfer_call"}, True, None),
        ({"name": "transfer_reason", "action_type": "EXTRACT_INFO"}, None, None),
        ({"name": "hang_up"}, None, None),
        ({}, None, None),
        ("transfer_call", None, None),
    ],
)
def test_an_action_of_the_record(action: object, asked: bool | None, way: str | None) -> None:
    for actions in ([action], {"a": action}):
        facts = facts_of(Example(row="TD-TRANSFER-BLIND").dials().record(executed_actions=actions))
        assert facts.value("transfer.asked") is asked
        assert facts.value("transfer.way") == way
        assert facts.value("transfer.answer") is None


# -- what is left, and when


@pytest.mark.parametrize(
    ("seconds", "passed", "left"), [(None, False, "still up"), (1.7, False, "late"), (0.1, True, "ended")]
)
def test_what_is_left_of_a_leg(seconds: float | None, passed: bool, left: str) -> None:
    ai = facts_of(blind().finding("released", "assistant main", passed, seconds=seconds))
    assert (ai.value("release.ai"), ai.value("release.caller")) == (left, None)
    caller = facts_of(blind().finding("released", "caller.1", passed, seconds=seconds))
    assert (caller.value("release.ai"), caller.value("release.caller")) == (None, left)


@pytest.mark.parametrize(
    ("seconds", "expected", "passed", "time"),
    [
        (3.0, 2.0, True, "as configured"),
        (9.0, 2.0, False, "longer"),
        (1.0, 2.0, False, "shorter"),
        (2.0, 2.0, False, "shorter"),
        (None, 2.0, False, None),
        (2.0, None, False, None),
    ],
)
def test_when_a_fallback_came(seconds: float | None, expected: float | None, passed: bool, time: str | None) -> None:
    facts = facts_of(blind().finding("timing", "the call", passed, seconds=seconds, expected_s=expected))
    assert facts.value("fallback.time") == time
