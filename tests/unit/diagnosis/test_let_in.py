"""Who calls from an address that is not allowed, or in the clear, and is let in all the same."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.gladly_examples import from_outside, in_the_clear
from tests.unit.diagnosis.known import facts_of


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


def test_what_came_over_tls_or_was_refused_was_not_taken_in_the_clear() -> None:
    over_tls = in_the_clear().ai_gets(over="tls").ai_answers(200, "OK").answered().after(5).landed("reception")
    refused = in_the_clear().ai_gets(over="udp", tls=False).ai_answers(403, "TLS required").after(5)
    for example in (over_tls, refused.landed("reception")):
        assert facts_of(example).value("access.taken") is None
        assert "taken-in-the-clear" not in {cause.id for cause in example.diagnose().causes if not cause.candidate}
