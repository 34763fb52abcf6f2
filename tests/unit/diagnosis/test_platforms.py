"""What is said of a cause fits the platform at hand, and the port, the file and the network that the case was about."""

from __future__ import annotations

import pytest

from harness.diagnosis.catalogue import causes, rules_of
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.leg_examples import LEGS
from tests.unit.diagnosis.stories import unregistered


def test_no_cause_that_every_platform_has_is_told_under_the_name_of_one() -> None:
    assert [rule.id for rule in rules_of("") if causes()[rule.cause].issue == "Gladly"] == []


@pytest.mark.parametrize("shown", ["expired", "wrong name", "untrusted"])
def test_a_bad_certificate_behind_talkdesk_is_no_matter_of_gladly(shown: str) -> None:
    example = Example(transport="tls").dials().rings("reception").answered().not_taken("the phone reception")
    example.probed("ai", "answers", shown).probed("termination", "answers")
    assert example.diagnose().headline.startswith("Calls not reaching Synthflow: ")


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_a_platforms_own_port_that_is_silent_is_not_told_as_synthflows(transport: str) -> None:
    """What is silent is the Termination URI's, 5060 here; nothing shows that the AI's port is closed."""
    (first, *_) = unregistered("silent", transport=transport).diagnose().causes
    assert first.id.startswith(f"firewall-{transport}-")
    assert "3268" not in first.title
    assert "Termination URI" in first.fix


@pytest.mark.parametrize(("told", "sure"), [(404, "likely"), (503, "certain")])
def test_a_fallback_that_leads_to_nobodys_number_may_be_set_up(told: int, sure: str) -> None:
    """The AI said 503; a 404 comes from somebody else, and may be of the fallback's own number."""
    example = Example(row="TD-FALLBACK-REFUSED", line="fallback-refused", ai="stand-in").dials().ai_gets()
    diagnosis = example.ai_answers(503).after(0.1).state("disconnected", told, "x").landed("reception").diagnose()
    assert [(cause.id, cause.confidence) for cause in diagnosis.causes] == [("fallback-missing", sure)]


def test_whom_the_platform_trusts_is_not_known_here() -> None:
    example = Example(transport="tls").dials().rings("reception").answered().not_taken("the phone reception")
    example.probed("ai", "answers", "untrusted").probed("termination", "answers")
    assert [(cause.id, cause.confidence) for cause in example.diagnose().causes] == [
        ("certificate-untrusted", "likely")
    ]


@pytest.mark.parametrize("cause", ["platform-refuses-caller", "call-dropped"])
def test_between_a_caller_and_the_platform_there_is_a_carrier(cause: str) -> None:
    """Whose 403, 503 or BYE the caller's phone gets as well, and the platform's log has nothing of it, or another end."""
    assert "the caller's carrier" in causes()[cause].fix


@pytest.mark.parametrize("cause", ["rtp-blocked-to-caller", "rtp-blocked-both"])
def test_between_the_platform_and_the_caller_there_is_the_harness_own_firewall(cause: str) -> None:
    assert "rtp_ports" in causes()[cause].fix


def test_callers_whose_own_accounts_have_few_channels_look_like_a_trunk_that_has() -> None:
    example = next(expected.example for expected in LEGS if expected.rule == "limit.low")
    assert [(cause.id, cause.confidence) for cause in example.diagnose().causes] == [("limit-too-low", "likely")]
