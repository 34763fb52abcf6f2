"""Who calls from an address that is not allowed, or in the clear, and is let in all the same."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.gladly_examples import from_outside, in_the_clear, taken_in_the_clear
from tests.unit.diagnosis.known import facts_of


def named(example: Example) -> list[tuple[str, str, str]]:
    return [(cause.id, cause.confidence, cause.owner) for cause in example.diagnose().causes]


@pytest.mark.parametrize(
    "example",
    [
        from_outside(answered=True),  # it stays up, so that it has not ended with anything
        from_outside(200),
        from_outside().rings("queue").finding("landing.others", "queue", rang=1),
    ],
)
def test_a_call_from_an_address_that_is_not_allowed_is_the_allowlists_to_refuse(example: Example) -> None:
    (cause,) = example.diagnose().causes
    assert (cause.id, cause.confidence, cause.owner) == ("calls-unguarded", "certain", "trunk")
    assert "IP Allowlist" in cause.fix
    assert cause.link.endswith("#configure-sip-forwarding")
    assert facts_of(example).value("access.taken") == "from an address that is not allowed"


@pytest.mark.parametrize("code", [404, 0])
def test_nobody_called_the_ai_so_that_it_cannot_have_refused(code: int) -> None:
    diagnosis = from_outside(code).diagnose()
    assert not diagnosis.causes
    assert diagnosis.unexplained
    assert facts_of(from_outside(code)).value("ai.saw") == "none: the case calls from its side"
    assert facts_of(from_outside(code)).value("access.taken") is None


def test_an_allowed_address_that_was_refused_is_another_matter() -> None:
    listed = Example("gladly", "GL-ALLOWLIST-LISTED", transport="tls", ai="stand-in").landed("queue")
    assert facts_of(listed.state("confirmed", 200, "OK", phone="stand-in")).value("access.taken") is None


def test_a_call_that_the_ai_took_in_the_clear_went_to_no_other_device() -> None:
    assert named(taken_in_the_clear()) == [("taken-in-the-clear", "certain", "trunk")]
    seen_less = taken_in_the_clear().diagnose("caller+agents")
    assert {cause.id for cause in seen_less.candidates} == {
        *("another-device-answered", "nobody-available", "taken-in-the-clear"),
    }


def test_what_came_over_tls_or_was_refused_was_not_taken_in_the_clear() -> None:
    over_tls = in_the_clear().ai_gets(over="tls").ai_answers(200, "OK").answered().after(5).landed("reception")
    refused = in_the_clear().ai_gets(over="udp", tls=False).ai_answers(403, "TLS required").after(5)
    for example in (over_tls, refused.landed("reception")):
        assert facts_of(example).value("access.taken") is None
        assert "taken-in-the-clear" not in {cause.id for cause in example.diagnose().causes if not cause.candidate}


def test_a_call_to_the_queue_over_udp_is_to_be_refused_too() -> None:
    example = Example("gladly", "GL-PLAINTEXT", transport="tls", ai="stand-in", line="plaintext").dials()
    example.rings("reception").answered().landed("reception", "reception")
    example.finding("route.not_answered", "ai-udp.1", answered=["ai-udp.1"], code=200)
    assert named(example) == [("taken-in-the-clear", "certain", "trunk")]
    assert facts_of(example).value("access.taken") == "in the clear"
