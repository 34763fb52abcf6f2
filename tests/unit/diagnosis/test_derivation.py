"""Facts from evidence, where it is easy to see the wrong thing."""

from __future__ import annotations

import pytest

from harness.diagnosis.caller_end import UNHEARD
from harness.diagnosis.refusals import about
from harness.diagnosis.vantage import Vantage
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of


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


def test_noise_is_only_noise_when_the_ai_can_be_known_by_its_voice() -> None:
    example = Example().dials().answered().taken().to_caller("other", 200)
    assert facts_of(example).value("audio.to_caller") == "noise"
    assert facts_of(example, "caller").value("audio.to_caller") is None


def test_loss_by_the_counters_of_a_leg() -> None:
    assert facts_of(Example().dials().counted(received=80, lost=20)).value("loss") == "heavy"
    assert facts_of(Example().dials().counted(received=10, lost=5)).value("loss") == "little"  # too few to say
    assert facts_of(Example().dials().counted(rtt_ms=900.0)).value("delay") == "high"


def test_a_fallback_to_a_group_that_other_numbers_are_transferred_to_is_one() -> None:
    example = Example(row="TD-FALLBACK-TIMEOUT", ai="stand-in", line="fallback-timeout").dials().ai_gets().after(4)
    example.gives_up().landed("billing")
    assert example.deployment.assistants["main"].transfer_to == "billing"
    facts = facts_of(example)
    assert facts.value("fallback.landed") == "nowhere"
    assert facts.value("transfer.landed") is None
    assert [cause.id for cause in example.diagnose().causes] == ["ring-timeout-wrong"]


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


def test_a_phones_own_word_on_its_refer_is_taken() -> None:
    example = Example(row="TD-TRANSFER-BLIND", ai="stand-in").dials().refer_ended(603, "Decline")
    assert facts_of(example).value("transfer.outcome") == 603


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
