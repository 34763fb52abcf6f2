"""Facts on transfers and fallbacks: what the AI tried, what the platform said, where it landed, what is left."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.calls.events import TransferProgress
from harness.diagnosis.transfer import is_fallback, is_group
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of, scene_of
from tests.unit.diagnosis.stories import GROUP, NOBODY, OTHER_GROUP


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


def _turned_away(code: int = 480) -> Example:
    example = Example(row="PEOPLE", line="people").dials().after(0.1)
    return example.state("disconnected", code, "Temporarily Unavailable").landed("reception")


def test_a_refused_number_of_people_whose_group_can_be_rung_leads_elsewhere() -> None:
    """What an AI might have done wrong is no candidate: it has no part in the call."""
    again = _turned_away().calls_again("group", str(Example().deployment.groups["reception"].did), rang=["reception"])
    assert [(cause.id, cause.confidence) for cause in again.diagnose().causes] == [("group-wrong", "likely")]
    alone = _turned_away().diagnose()
    assert [(cause.id, cause.confidence) for cause in alone.causes] == [("nobody-available", "likely")]
    assert _turned_away(503).diagnose().causes[0].id == "platform-refuses-caller", (
        "the trunk from the AI has no part in it"
    )


def test_people_rung_in_the_place_of_an_ai_that_refused_are_told_by_its_refusal() -> None:
    example = Example(row="ABANDON", line="no-answer").dials().ai_gets().ai_answers(404, "Not Found").rings("reception")
    found = example.finding("landing.others", "reception", rang=1).diagnose()
    assert found.causes[0].id == "assistant-not-attached"


@pytest.mark.parametrize(
    ("rang", "where"), [(["billing"], "the right group"), (["sales"], "another group"), ([], "nowhere")]
)
def test_where_a_transfer_landed(rang: list[str], where: str) -> None:
    facts = facts_of(blind().landed("billing", *rang))
    assert facts.value("transfer.landed") == where
    assert facts.value("fallback.landed") is None
    fallen = facts_of(
        Example(row="TD-FALLBACK-REFUSED").landed("reception", *(["reception"] if "billing" in rang else rang))
    )
    assert fallen.value("fallback.landed") == where
    assert fallen.value("transfer.landed") is None


def test_a_customer_s_phone_is_no_group_and_the_next_finding_is_looked_at() -> None:
    facts = facts_of(blind().landed("customer", "customer").landed("billing", "billing"))
    assert facts.value("transfer.landed") == "the right group"
    assert is_group(scene_of(Example(), has_deployment=False), "customer")


def test_a_group_that_transfers_go_to_is_no_fallback() -> None:
    scene = scene_of(Example())
    assert is_fallback(scene, "reception")
    assert not is_fallback(scene, "billing")
    assert not is_fallback(scene, "support")
    assert not is_fallback(scene_of(blind(), has_deployment=False), "reception")
    assert is_fallback(scene_of(Example(), has_deployment=False), "billing")


@pytest.mark.parametrize(
    ("row", "passed", "rang", "landed"),
    [
        ("TD-TRANSFER-BLIND", False, 1, "another group"),
        ("TD-TRANSFER-BLIND", False, 0, None),
        ("TD-TRANSFER-BLIND", True, 1, None),
        ("TD-INBOUND", False, 1, None),
    ],
)
def test_others_that_rang_in_a_transfer(row: str, passed: bool, rang: int, landed: str | None) -> None:
    facts = facts_of(Example(row=row).finding("landing.others", "the call", passed, rang=rang))
    assert facts.value("transfer.landed") == landed


def test_a_transfer_that_should_fail_lands_nowhere() -> None:
    facts = facts_of(blind().finding("transfer.fails", "stand-in.1", True, code=486))
    assert facts.value("transfer.landed") == "nowhere"
    assert facts.value("transfer.outcome") == 486
    assert facts_of(blind()).value("transfer.landed") is None


@pytest.mark.parametrize(("passed", "mode"), [(True, "as declared"), (False, "not as declared")])
def test_how_the_platform_takes_a_refer(passed: bool, mode: str) -> None:
    assert (
        facts_of(blind().finding("transfer.refer", "caller.1", passed, declared="refer", seen="refer")).value(
            "transfer.mode"
        )
        == mode
    )


# -- what the AI tried


def test_an_ai_that_tried_nothing() -> None:
    assert facts_of(blind()).value("transfer.asked") is False
    assert facts_of(Example(row="TD-TRANSFER-BLIND").dials()).value("transfer.asked") is None


@pytest.mark.parametrize(
    ("to", "target"),
    [(GROUP, "the group's number"), (OTHER_GROUP, "another group's number"), (NOBODY, "nobody's number")],
)
def test_the_number_it_was_transferred_to(to: str, target: str) -> None:
    assert facts_of(blind().ai_refers(to)).value("transfer.target") == target
    assert facts_of(warm().ai_invites(to)).value("transfer.target") == target
    recorded = blind().record(executed_actions=[{"name": "transfer_call", "type": "cold", "to": to}])
    assert facts_of(recorded).value("transfer.target") == target


@pytest.mark.parametrize(
    ("tried", "target"),
    [((OTHER_GROUP, GROUP), "the group's number"), ((GROUP, OTHER_GROUP), "another group's number")],
)
def test_of_an_ai_that_tries_twice_the_last_is_told(tried: tuple[str, str], target: str) -> None:
    first, last = tried
    refers = blind().ai_refers(first).platform_says(603, "Decline").ai_refers(last)
    assert facts_of(refers).value("transfer.target") == target
    assert facts_of(warm().ai_invites(first).ai_invites(last)).value("transfer.target") == target


def test_where_the_line_s_assistant_has_no_target_the_group_waited_for_is_meant() -> None:
    example = Example(row="TD-TRANSFER-BLIND", line="skill-language").dials().ai_gets().ai_refers(OTHER_GROUP)
    assert facts_of(example.copy()).value("transfer.target") == "the group's number"
    assert facts_of(example.copy().landed("support", "support")).value("transfer.target") == "the group's number"
    assert facts_of(example.copy().landed("billing")).value("transfer.target") == "another group's number"
    passed_over = example.copy().landed("customer").landed("billing")
    assert facts_of(passed_over).value("transfer.target") == "another group's number"
    assert facts_of(example, has_deployment=False).value("transfer.target") is None


def test_a_refer_without_a_number_names_no_target() -> None:
    example = blind()._sip("sent", "REFER sip:platform SIP/2.0", "REFER", Refer_To="<sip:platform.example>")
    assert facts_of(example).value("transfer.target") is None


def test_an_invite_in_a_dialog_is_no_onward_call() -> None:
    example = warm()._sip("sent", "INVITE sip:x SIP/2.0", "INVITE", to="<sip:x@y.example>;tag=p")
    assert facts_of(example).value("transfer.asked") is False


def test_the_last_try_counts() -> None:
    facts = facts_of(warm().ai_invites(NOBODY).ai_invites(GROUP))
    assert facts.value("transfer.target") == "the group's number"
    refers = facts_of(blind().ai_refers(NOBODY).ai_refers(GROUP))
    assert refers.value("transfer.target") == "the group's number"
    assert refers.value("transfer.host") == "the trunk's"


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
    ("headers", "shown"),
    [({}, False), ({"Authorization": "Digest x"}, True), ({"Proxy_Authorization": "Digest x"}, True)],
)
def test_credentials_of_an_onward_call(headers: dict[str, str], shown: bool) -> None:
    example = warm()._sip("sent", "INVITE sip:x SIP/2.0", "INVITE", call_id="onward", **headers)
    assert facts_of(example).value("transfer.credentials") is shown


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


def test_the_last_answer_is_the_evidence() -> None:
    def evidence(*codes: int) -> tuple[str, ...]:
        refer = blind().ai_refers(GROUP)
        for code in codes:
            refer.platform_says(code)
        return facts_of(refer)["transfer.answer"].evidence

    last = ("message 4 of GET /v2/calls/c1",)  # after the INVITE, the REFER and the first answer
    assert evidence(503, 200) == last
    assert evidence(407, 603) == (*last, "SIP/2.0 603")


def test_the_answer_to_another_request_is_none_to_this_one() -> None:
    example = blind().ai_refers(GROUP)._sip("received", "SIP/2.0 202 Accepted", "REFER", call_id="another")
    assert facts_of(example).value("transfer.answer") == "none"
    own = blind().ai_refers(GROUP)._sip("sent", "SIP/2.0 202 Accepted", "REFER")
    assert facts_of(own).value("transfer.answer") == "none"


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


def test_a_notify_of_another_call_or_another_message_says_nothing() -> None:
    example = blind().ai_refers(GROUP)._sip("received", "NOTIFY sip:ai SIP/2.0", "NOTIFY", "SIP/2.0 486 x", call_id="z")
    example._sip("received", "INFO sip:ai SIP/2.0", "INFO", "SIP/2.0 486 x")
    example._sip("sent", "NOTIFY sip:ai SIP/2.0", "NOTIFY", "SIP/2.0 486 x")
    assert facts_of(example).value("transfer.outcome") == "nothing"
    assert "transfer.outcome" not in facts_of(warm().ai_invites(GROUP))


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


def test_a_transfer_of_the_record_that_no_message_shows_was_never_sent() -> None:
    action = {"name": "transfer_call", "type": "cold"}
    assert facts_of(blind().record(executed_actions=[action])).value("transfer.answer") == "never sent"
    sent = blind().ai_refers(GROUP).platform_says(202).record(executed_actions=[action])
    assert facts_of(sent).value("transfer.answer") == "accepted"
    assert facts_of(blind().record(executed_actions="transfer")).value("transfer.asked") is False


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


@pytest.mark.parametrize(
    ("what", "passed", "time"), [("the call", False, "too late"), ("the call", True, None), ("the ring", False, None)]
)
def test_a_call_that_came_too_late(what: str, passed: bool, time: str | None) -> None:
    assert facts_of(blind().finding("timing.within", "reception", passed, what=what)).value("fallback.time") == time


@pytest.mark.parametrize(
    ("to", "target"),
    [
        (GROUP, "the group's number"),
        (GROUP[1:], "the group's number"),
        (GROUP[2:], "the group's number"),
        (f"011{GROUP[1:]}", "the group's number"),
        (OTHER_GROUP[1:], "another group's number"),
        (NOBODY, "nobody's number"),
        (f"x{GROUP}", "nobody's number"),
        (GROUP[:-1], "nobody's number"),
    ],
)
def test_a_target_is_the_group_s_number_however_it_is_written(to: str, target: str) -> None:
    assert facts_of(blind().ai_refers(to)).value("transfer.target") == target
    assert facts_of(warm().ai_invites(to)).value("transfer.target") == target
