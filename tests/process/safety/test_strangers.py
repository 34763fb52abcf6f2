"""A ring group that strangers call, too: their calls ring on, and are nobody's of the case."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.deployment import Deployment, from_plain
from harness.phone.leg import Leg
from harness.phone.waiter import NeverCame
from harness.scenario.stage import Stage
from tests.process.safety.conftest import Line

OURS = "+14155550101"


def deployment() -> Deployment:
    return from_plain(
        {
            "name": "lab",
            "integration": "talkdesk",
            "kind": "live",
            "platform": {"domain": "acme.example"},
            "accounts": {"carrier": {"domain": "carrier.example"}},
            "phones": {"caller": {"account": "carrier", "number": OURS}},
            "assistants": {"main": {"did": "+12065550100"}},
            "lines": {"inbound": {"did": "+13125550100", "assistant": "main"}},
            "groups": {"billing": {"did": "+18155550101", "shared": True}},
            "trunks": [{"name": "udp", "transport": "udp", "port": 32681}],
        }
    )


def may_be_ours(leg: Leg) -> bool:
    """As a stage has it."""
    stage: Any = SimpleNamespace(deployment=deployment())
    stage._numbers = Stage._numbers.func(stage)  # type: ignore[attr-defined]
    return Stage.may_be_ours(stage, leg)


def calls(line: Line, agent: Any, user: str, **options: object) -> Leg:
    phone = line.phone(f"caller-{user.lstrip('+')}", user=user, **options)
    return phone.dial(f"sip:{agent.config.user}@{agent.address}")


def test_a_strangers_call_goes_on_ringing_and_ours_is_taken(line: Line) -> None:
    agent = line.phone("agent", max_calls=3)
    agent.is_ours = may_be_ours
    stranger = calls(line, agent, "+13035550177")
    stranger.wait_state("early", 5)
    with pytest.raises(NeverCame):
        agent.expect_call(0.2)
    assert agent.incoming == []
    ours = calls(line, agent, OURS)
    assert agent.expect_call(5).invite.text.partition("From: ")[2].startswith(f"<sip:{OURS}@")
    ours.wait_state("confirmed", 5)
    assert stranger.state == "early"
    assert len(agent.incoming) == 1


@pytest.mark.parametrize(
    ("user", "options"),
    [("4155550101", {}), ("+12065550100", {}), ("trunk-7", {}), ("anybody", {"privacy": True})],
    ids=["national", "the assistant's", "no number", "withheld"],
)
def test_a_call_that_may_be_ours_is_taken(line: Line, user: str, options: dict[str, object]) -> None:
    agent = line.phone("agent", max_calls=3)
    agent.is_ours = may_be_ours
    out = calls(line, agent, user, **options)
    agent.expect_call(5)
    out.wait_state("confirmed", 5)
