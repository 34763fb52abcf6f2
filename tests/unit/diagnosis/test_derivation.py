"""Facts from evidence, where it is easy to see the wrong thing."""

from __future__ import annotations

import pytest
from hypothesis import example as drawn
from hypothesis import given
from hypothesis import strategies as st

from harness.diagnosis.caller_end import UNHEARD
from harness.diagnosis.refusals import about
from harness.diagnosis.scene import number_in, same_number
from harness.diagnosis.vantage import Vantage
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.example_case import AI, CALLER
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.stories import talk


def test_a_call_that_the_harness_gave_up_was_not_refused() -> None:
    facts = facts_of(Example().dials().after(0.1).rings("reception").after(4).gives_up())
    assert facts.value("caller.end") == "still ringing"
    assert facts.value("final.code") is None
    assert facts.value("instead") == "the fallback group"
    assert facts.value("instead.when") == "at once"


def test_a_refusal_of_the_platform_is_one() -> None:
    facts = facts_of(Example().dials().after(2.5).state("disconnected", 480, "Temporarily Unavailable"))
    assert facts.value("caller.end") == "refused"
    assert facts.value("final.code") == 480
    assert facts.value("instead") == "nobody"
    assert facts.value("instead.when") == "after waiting"


def test_a_platform_that_answers_nothing_did_not_refuse_either() -> None:
    alone = Example().dials(taken=False).after(32).state("disconnected", 408, "Request Timeout")
    assert facts_of(alone).value("caller.end") == UNHEARD
    assert facts_of(alone).value("final.code") is None
    soon = Example().dials(taken=False).after(0.1).gives_up()
    assert facts_of(soon).value("caller.end") != UNHEARD
    rang = Example().dials(taken=False).after(2).rings("reception").after(2).gives_up()
    assert facts_of(rang).value("caller.end") == "still ringing"


def test_of_a_challenged_invite_the_last_one_counts() -> None:
    example = Example(authentication="digest").dials().ai_gets().ai_answers(407, "Proxy Authentication Required")
    example.ai_gets(authorization='Digest username="synthflow-udp", response="x"').ai_answers(403, "Forbidden")
    facts = facts_of(example.not_taken())
    assert facts.value("ai.challenge") == "credentials refused"
    assert facts.value("ai.code") == 403


@pytest.mark.parametrize(
    ("address", "remote", "value"),
    [
        ("10.1.2.3", "198.51.100.20:5060", "private"),
        ("172.31.0.1", "198.51.100.20:5060", "private"),
        ("100.64.9.9", "198.51.100.20:5060", "private"),
        ("10.1.2.3", "10.9.9.9:5060", "reachable"),
        ("198.51.100.70", "198.51.100.20:5060", "reachable"),
        ("media.example", "198.51.100.20:5060", None),
    ],
)
def test_a_private_address_is_wrong_unless_all_is_private(address: str, remote: str, value: str | None) -> None:
    facts = facts_of(Example().dials().ai_gets(address=address, remote=remote))
    assert facts.value("sdp.to_ai") == value


def test_the_trunk_is_told_by_the_address_it_comes_from() -> None:
    assert facts_of(Example().dials().ai_gets()).value("ai.trunk") == "the right one"
    assert facts_of(Example().dials().ai_gets(trunk="tcp-ip")).value("ai.trunk") == "another"
    assert facts_of(Example().dials().ai_gets(remote="203.0.113.1:5060")).value("ai.trunk") is None


def test_an_operating_systems_words_are_no_answer_of_the_registrar() -> None:
    def answer(code: int, reason: str) -> object:
        example = Example(row="TD-REGISTER-OK").finding("registration", "Synthflow's number", code=code, reason=reason)
        return facts_of(example).value("registration.answer")

    assert answer(503, "[Errno 111] Connection refused") == "connection refused"
    assert answer(503, "End of file (PJ_EEOF)") == "connection refused"  # reset between the connection and the request
    assert answer(503, "Trunk inactive") == 503
    assert answer(503, "") == "503 or none"
    assert answer(408, "Request Timeout") == "none"
    assert answer(403, "Forbidden") == 403


def test_a_phone_whose_connection_was_refused_says_so() -> None:
    example = Example(row="TD-REGISTER-OK", ai="stand-in", transport="tcp")
    example.finding("registration", "the stand-in's number", code=503, reason="Service Unavailable")
    example.transport_failed("sip-number", "Connection refused")
    assert facts_of(example).value("registration.answer") == "connection refused"


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("Forbidden: unknown user", "the user name"),
        ("Wrong password", "the password"),
        ("Address not allowed", "the source address"),
        ("Concurrency limit reached", "concurrency"),
        ("No assistant is attached to this number", "the assistant"),
        ("Unknown user name or bad password", "the user name or the password"),
        ("Invalid username or password", "the user name or the password"),
        ("Oracle SBC: rejected", None),
        ("Not in ACL", "the source address"),
        ("ACL: denied", "the source address"),
        ("Forbidden (Bad auth)", "the user name or the password"),  # Asterisk's chan_sip
        ("Invalid credentials", "the user name or the password"),
        ("Authentication failed", "the user name or the password"),
        ("Authentication Failure", "the user name or the password"),
        ("No match for address", None),
        ("Username/auth name mismatch", "the user name"),
        ("User channel limit exceeded D1", "concurrency"),  # Telnyx
        ("licensed session capacity reached", "concurrency"),  # Oracle
        ("Maximum Calls In Progress", "concurrency"),  # FreeSWITCH
        ("Call limit reached", "concurrency"),
        ("System Busy", "congestion"),  # FreeSWITCH
        ("No Routes Found", "the route"),  # Oracle
        ("NO_ROUTE_DESTINATION", "the route"),
        ("No channels available", "the channels"),
        ("IP address not whitelisted", "the source address"),
        ("Not in the allowlist", "the source address"),
        ("Dialed number not in whitelist", None),
        ("Caller Origination Number is Invalid D35", "the caller's number"),
        ("caller ID not authorised", "the caller's number"),
        ("IP forbidden", "the source address"),
        ("Unauthorized IP address", "the source address"),
        ("Device does not match ACL", "the source address"),
        ("The shipping address is missing", None),
        ("Busy Here", None),
        ("Forbidden", None),
        (None, None),
    ],
)
def test_what_a_refusal_says_it_is_about(words: str | None, what: str | None) -> None:
    assert about(words) == what


def test_audio_that_was_heard_and_later_is_not_has_stopped() -> None:
    example = Example(row="SESSIONTIMER").dials().answered().taken().hears_mark("caller.1", 240).after(40)
    example.to_ai("unmarked", 500).to_caller("no-rtp")
    assert facts_of(example).value("audio.stopped") is True
    never = Example(row="SESSIONTIMER").dials().answered().taken().after(40).to_ai("no-rtp").to_caller("no-rtp")
    assert facts_of(never).value("audio.stopped") is False


def test_audio_that_stopped_is_seen_from_the_callers_side_too() -> None:
    example = Example(row="SESSIONTIMER", ai="stand-in").dials().answered().hears_mark("caller.1", 11).after(40)
    example.to_ai("no-rtp").to_caller("no-rtp")
    assert facts_of(example, "caller").value("audio.stopped") is True
    assert [cause.id for cause in example.diagnose("caller").causes] == ["rtp-blocked-after-10s"]


def test_a_mark_of_another_call_in_the_ear_is_no_sign_of_the_ai() -> None:
    example = Example().dials().answered().taken().hears_mark("caller.1", 99).after(40).to_caller("no-rtp")
    assert facts_of(example).value("audio.stopped") is False


def test_noise_is_only_noise_when_the_ai_can_be_known_by_its_voice() -> None:
    example = Example().dials().answered().taken().to_caller("other", 200)
    assert facts_of(example).value("audio.to_caller") == "noise"
    assert facts_of(example, "caller").value("audio.to_caller") is None


def test_loss_by_the_counters_of_a_leg() -> None:
    assert facts_of(Example().dials().counted(received=80, lost=20)).value("loss") == "heavy"
    assert facts_of(Example().dials().counted(received=10, lost=5)).value("loss") == "little"  # too few to say
    assert facts_of(Example().dials().counted(rtt_ms=900.0)).value("delay") == "high"


def test_a_number_in_another_form_is_the_callers_all_the_same() -> None:
    example = Example().dials().ai_gets(shown="<sip:4155550101@acme.talkdesk.example>;tag=a")
    assert facts_of(example).value("caller_id.ai") == "in another form"
    example = Example().dials().ai_gets(shown=f"<sip:{CALLER}@acme.talkdesk.example>;tag=a")
    assert facts_of(example).value("caller_id.ai") == "right"


def test_a_fallback_to_a_group_that_other_numbers_are_transferred_to_is_one() -> None:
    example = Example(row="TD-FALLBACK-TIMEOUT", ai="stand-in", line="fallback-timeout").dials().ai_gets().after(4)
    example.gives_up().landed("billing")
    assert example.deployment.assistants["main"].transfer_to == "billing"
    facts = facts_of(example)
    assert facts.value("fallback.landed") == "nowhere"
    assert facts.value("transfer.landed") is None
    assert [cause.id for cause in example.diagnose().causes] == ["ring-timeout-wrong"]


def test_an_ai_that_cannot_hear_is_not_blamed_for_talking_on() -> None:
    example = talk(Example()).to_ai("no-rtp").to_caller().codec("caller.1", "PCMU").record(witness={"codec": "PCMU"})
    what = "the AI stops when the caller speaks"
    example.finding("manners.interruption", "caller.1", actual="never", what=what, seconds=None, limit_s=1.0)
    diagnosis = example.diagnose()
    assert [cause.id for cause in diagnosis.causes] == ["rtp-blocked-to-ai"]
    assert not diagnosis.unexplained


def test_who_answers_for_a_fallback_may_be_the_ai_itself_where_nobody_sees_it() -> None:
    answered = Example(row="TD-CAPACITY", ai="stand-in").dials().after(0.1).answered().landed("reception")
    named = {cause.id: cause.confidence for cause in answered.diagnose("caller+agents").causes}
    assert named["another-device-answered"] == "possible"
    down = Example(row="TD-FALLBACK-DOWN", line="fallback-down").dials().after(0.1).answered().landed("reception")
    first, second = down.diagnose().causes
    assert (first.id, first.confidence) == ("another-device-answered", "likely")
    assert (second.id, second.confidence) == ("nobody-available", "possible"), (
        "behind a queue that the file does not name"
    )


def test_a_platform_that_refuses_now_and_then_is_not_said_to_refuse_a_form() -> None:
    refused = (
        Example(row="NUMBERFORMATS", ai="stand-in").dials(number="4155550123").state("disconnected", 404, "Not Found")
    )
    taken = refused.not_taken().calls_again("form", "+14155550123", rang=["stand-in"], again_as_before="not refused")
    first = taken.diagnose().causes[0]
    assert (first.id, first.confidence) == ("number-form-refused", "likely")
    assert "again.form" not in " ".join(first.evidence)


def test_what_the_second_call_brought_about_is_no_evidence() -> None:
    example = Example(ai="stand-in").dials().after(0.1).state("disconnected", 404, "Not Found").not_taken()
    alone = example.copy().diagnose()
    example.calls_again("codec", "+14155550123", rang=["stand-in"], again_as_before="not refused")
    assert example.ai_gets().rings("reception").diagnose() == alone


def test_a_transfer_is_read_from_the_messages_of_the_ai() -> None:
    example = Example(row="TD-TRANSFER-BLIND").dials().ai_gets().ai_refers("+18155550101").platform_says(202)
    facts = facts_of(example.notified(100).notified(180).notified(486))
    assert facts.value("transfer.way") == "REFER"
    assert facts.value("transfer.target") == "the group's number"
    assert facts.value("transfer.answer") == "accepted"
    assert facts.value("transfer.outcome") == 486


def test_a_notify_that_never_got_final_says_nothing() -> None:
    example = Example(row="TD-TRANSFER-BLIND").dials().ai_gets().ai_refers("+18155550101").platform_says(202)
    assert facts_of(example.notified(100)).value("transfer.outcome") == "nothing"


def _transferring() -> Example:
    return Example(row="TD-TRANSFER-BLIND").dials().ai_gets().answered().taken()


@given(code=st.one_of(st.integers(200, 699), st.just(0)))
@drawn(code=299)
@drawn(code=300)
def test_only_a_status_from_300_on_says_that_the_transfer_failed(code: int) -> None:
    """RFC 3515 section 2.4.5; 0 is a transfer of which nothing was ever said."""
    facts = facts_of(_transferring().finding("transfer.fails", "stand-in.1", code >= 300, code=code))
    assert facts.value("transfer.failed") is (code >= 300)
    assert facts.value("transfer.outcome") == (code or "nothing")
    told = _transferring().ai_refers("+18155550101").platform_says(202).notified(code or 100, "x").landed("billing")
    assert facts_of(told).value("transfer.failed") is (code >= 300)
    assert ("refer-accepted-then-failed" in {cause.id for cause in told.diagnose().causes}) is (
        code >= 300 and code not in (404, 410, 480, 482, 483, 484, 485, 604)
    )


def test_a_phones_own_word_on_its_refer_is_taken() -> None:
    example = Example(row="TD-TRANSFER-BLIND", ai="stand-in").dials().refer_ended(603, "Decline")
    assert facts_of(example).value("transfer.outcome") == 603


def test_the_record_tells_of_a_transfer_whose_messages_nobody_shows() -> None:
    example = Example(row="TD-TRANSFER-WARM", line="inbound-warm").dials()
    example.record(executed_actions={"a": {"name": "transfer_call", "type": "warm", "to": "+18155550101"}})
    facts = facts_of(example)
    assert facts.value("transfer.asked") is True
    assert facts.value("transfer.way") == "INVITE"
    assert facts.value("transfer.answer") is None


def test_a_refer_handed_on_to_the_callers_phone_is_seen_there() -> None:
    example = Example(row="TD-TRANSFER-BLIND").dials()
    example._at_caller("received", "REFER sip:caller SIP/2.0\r\nRefer-To: <sip:+18155550101@platform.example>")
    facts = facts_of(example, "caller")
    assert facts.value("transfer.asked") is True
    assert facts.value("transfer.target") == "the group's number"


def test_roles_by_the_deployments_names() -> None:
    vantage = Vantage(Example().deployment, [])
    assert vantage.role("caller.1") == "caller"
    assert vantage.role("customer") == "caller"
    assert vantage.role("billing.2") == "agent"
    assert vantage.role("reception's leg") == "agent"
    assert vantage.role("assistant main") == "ai"
    assert vantage.role("stand-in.1") == "ai"
    assert vantage.role("ai-tls.1") == "ai"
    assert vantage.role("probe") == "probe"


@pytest.mark.parametrize("agent", ["front.desk", "caller.7", "2.5 (test)", "a. b"])
def test_a_phones_name_may_have_dots(agent: str) -> None:
    deployment = Example().deployment
    assert deployment is not None
    group = deployment.groups["billing"].model_copy(update={"agents": (agent,)})
    vantage = Vantage(deployment.model_copy(update={"groups": {"billing": group}}), [])
    assert {vantage.role(label) for label in (agent, f"{agent}.1", f"{agent}.12", f"{agent}'s leg")} == {"agent"}
    assert vantage.role("caller.1") == "caller"


def test_roles_without_a_deployment_by_who_calls_whom() -> None:
    example = Example().dials().rings("somebody")
    vantage = Vantage(None, example.events)
    assert vantage.role("caller.1") == "caller"
    assert vantage.role("somebody.1") == "agent"


def test_addresses_of_record_and_lines_by_the_number_dialled() -> None:
    assert number_in("sip:+13125550100@carrier.example;transport=tcp") == "+13125550100"
    assert number_in('"A" <sip:+13125550100;x=y@carrier.example>;tag=1') == "+13125550100"
    assert number_in("tel:+13125550100;phone-context=x") == "+13125550100"
    assert number_in("<tel:+1-312-555-0100>") == "+13125550100"  # RFC 3966 section 5.1.1
    assert number_in("sip:+1(312)555.0100@carrier.example;user=phone") == "+13125550100"
    assert number_in("sip:+1-312-555-0100@carrier.example") == "+1-312-555-0100"
    assert number_in("sip:carrier.example") is None
    assert number_in("not a uri") is None
    assert AI in str(Example().dials().ai_gets()._messages)


@pytest.mark.parametrize(
    ("written", "same"),
    [
        ("4155550101", True),
        ("14155550101", True),
        ("0014155550101", True),
        ("01114155550101", True),
        ("+1-415-555-0101", True),
        ("unknown", False),
        ("0101", False),
        ("+1415555010", False),
        ("+14155550107", False),
    ],
)
def test_a_number_in_another_form_is_still_that_number(written: str, same: bool) -> None:
    assert same_number(written, "+14155550101") is same
