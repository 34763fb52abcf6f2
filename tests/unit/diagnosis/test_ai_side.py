"""Facts on what the AI's side saw of the call, and on who is let in that must be refused."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.case import Example, call, facts_of, named, value
from tests.unit.diagnosis.leg_examples import call_from_outside, in_the_clear


@pytest.mark.parametrize(
    ("answered", "attempted", "saw"),
    [
        (["main", "the phone reception"], [], "answered"),
        (["sales"], [], "another assistant answered"),
        (["main", "sales"], [], "another assistant answered"),
        (["somebody"], [], "answered"),
        ([], ["failed:x"], "refused"),
        ([], ["busy:x"], "refused"),
        ([], ["canceled:x"], "rang"),
        ([], ["no-answer:x", "failed:x"], "refused"),
        (["the phone reception"], [], "nothing"),
    ],
)
def test_what_the_ai_s_side_saw(answered: list[str], attempted: list[str], saw: str) -> None:
    facts = facts_of(call().not_taken(*answered, attempted=attempted))
    assert facts.value("ai.saw") == saw
    assert facts.value("ai.did") == (
        "another assistant's" if saw == "another assistant answered" else None
    )


@pytest.mark.parametrize(
    ("reached", "saw"), [(["sales"], "another assistant answered"), ([], "nothing")]
)
def test_an_ai_that_was_not_tried(reached: list[str], saw: str) -> None:
    assert value(call().finding("route.tried", "the AI", reached=reached), "ai.saw") == saw
    assert value(call().finding("route.tried", "the AI", True, reached=reached), "ai.saw") is None
    rang = value(call().ai_gets().finding("route.tried", "the AI", reached=reached), "ai.saw")
    assert rang == (saw if reached else "rang"), (
        "a scenario does not see what the phone's stack refuses"
    )


def test_the_trunk_is_unknown_if_two_have_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    example = call().ai_gets()
    assert value(example, "ai.trunk") == "the right one"
    trunks = [
        t.model_copy(update={"termination": example.trunk.termination})
        for t in example.deployment.trunks
    ]
    shared = example.deployment.model_copy(update={"trunks": tuple(trunks)})
    monkeypatch.setattr(Example, "deployment", property(lambda _: shared))
    assert value(example, "ai.trunk") is None


DIGEST = 'Digest username="x", response="y"'


@pytest.mark.parametrize(
    ("shown", "code", "challenge", "final"),
    [
        ("", 401, "not answered", 401),
        ("", 407, "not answered", 407),
        ("", 403, "none", 403),
        (DIGEST, 401, "credentials refused", 401),
        (DIGEST, 403, "credentials refused", 403),
        (DIGEST, 402, "none", 402),
        (DIGEST, 408, "none", 408),
        ("", 300, "none", 300),
        ("", 200, "none", None),
    ],
)
def test_what_became_of_a_challenge(
    shown: str, code: int, challenge: str, final: int | None
) -> None:
    facts = facts_of(call(authentication="digest").ai_gets(authorization=shown).ai_answers(code))
    assert (facts.value("ai.challenge"), facts.value("ai.code")) == (challenge, final)


@pytest.mark.parametrize(
    "example",
    [
        call_from_outside(answered=True),  # it stays up, so it has not ended with any status
        call_from_outside(200),
        call_from_outside().rings("queue").finding("landing.others", "queue", rang=1),
    ],
)
def test_a_call_from_an_address_that_is_not_allowed(example: Example) -> None:
    assert named(example) == [("calls-unguarded", "certain")]
    assert value(example, "access.taken") == "from an address that is not allowed"


@pytest.mark.parametrize(
    ("line", "trunk", "over", "came"),
    [
        ("trunk-failover", "tls-ip", "tls", ("the right one", "the trunk's")),
        ("trunk-failover", "udp-ip", "udp", ("the right one", "the trunk's")),
        ("trunk-failover", "tcp-ip", "tcp", ("another", "another")),
        ("inbound", "tls-ip", "tls", ("another", "another")),
    ],
)
def test_a_line_s_failover_trunk_is_a_right_one(
    line: str, trunk: str, over: str, came: tuple[str, str]
) -> None:
    facts = facts_of(call(line=line).ai_gets(trunk=trunk, over=over))
    assert (facts.value("ai.trunk"), facts.value("ai.transport")) == came


def test_a_call_over_tls_or_a_refused_one_was_not_taken_in_the_clear() -> None:
    over_tls = (
        in_the_clear().ai_gets(over="tls").ai_answers().answered().after(5).landed("reception")
    )
    refused = in_the_clear().ai_gets(over="udp", tls=False).ai_answers(403, "TLS required").after(5)
    for example in (over_tls, refused.landed("reception")):
        assert value(example, "access.taken") is None
