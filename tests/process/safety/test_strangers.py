"""A ring group, or an AI's place, that strangers call, too: their calls ring on, and are nobody's
of the case.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.deployment import Deployment, from_plain
from harness.phone.leg import Leg
from harness.phone.waiter import NeverCame
from harness.scenario.ai import Ai
from harness.scenario.case_phones import CasePhones
from harness.scenario.endpoints import StandInEndpoint
from tests.process.safety.conftest import Line

OURS = "+14155550101"


def deployment(**more: object) -> Deployment:
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
            "trunks": [
                {
                    "name": "udp",
                    "transport": "udp",
                    "port": 32681,
                    "ai": "stand-in",
                    "termination": "127.0.0.1:5060",
                }
            ],
        }
        | more
    )


def may_be_ours(leg: Leg) -> bool:
    """As a case has it."""
    nothing: Any = SimpleNamespace(admit=lambda within: None)
    return CasePhones(deployment(), nothing, nothing, iter(()), nothing).may_be_ours(leg)


def calls(line: Line, agent: Any, user: str, **options: Any) -> Leg:
    phone = line.phone(f"caller-{user.lstrip('+')}", user=user, **options)
    return phone.dial(f"sip:{agent.config.user}@{agent.address}")


def test_a_strangers_call_goes_on_ringing_and_ours_is_taken(line: Line) -> None:
    agent = line.phone("agent", max_calls=3)
    agent.is_ours = may_be_ours
    stranger = calls(line, agent, "+13035550177")
    stranger.wait_state("early", 10)
    with pytest.raises(NeverCame):
        agent.expect_call(0.2)
    assert agent.incoming == []
    ours = calls(line, agent, OURS)
    assert agent.expect_call(10).invite.text.partition("From: ")[2].startswith(f"<sip:{OURS}@")
    ours.wait_state("confirmed", 10)
    assert stranger.state == "early"
    assert len(agent.incoming) == 1


@pytest.mark.parametrize(
    ("user", "options"),
    [("4155550101", {}), ("+12065550100", {}), ("trunk-7", {}), ("anybody", {"privacy": True})],
    ids=["national", "the assistant's", "no number", "withheld"],
)
def test_a_call_that_may_be_ours_is_taken(
    line: Line, user: str, options: dict[str, object]
) -> None:
    agent = line.phone("agent", max_calls=3)
    agent.is_ours = may_be_ours
    out = calls(line, agent, user, **options)
    agent.expect_call(10)
    out.wait_state("confirmed", 10)


@pytest.mark.parametrize("shared", [True, False])
def test_a_stand_in_leaves_a_strangers_call_alone_where_strangers_are_told_of(
    line: Line, shared: bool
) -> None:
    described = deployment(stand_in={"bind": "127.0.0.1", "shared": shared})
    phone = line.phone("stand-in", max_calls=3)
    context: Any = SimpleNamespace(
        deployment=described,
        trunk=described.trunk("udp"),
        has_stand_in=True,
        case=SimpleNamespace(row=SimpleNamespace(own_place=False)),
        phones=SimpleNamespace(lease=lambda config, **how: phone, may_be_ours=may_be_ours),
    )
    ai = Ai(context)
    ai.take_place()
    endpoint = ai.endpoint
    assert isinstance(endpoint, StandInEndpoint)
    stranger = calls(line, phone, "+13035550177")
    stranger.wait_state("early", 10)
    if not shared:
        assert endpoint.hold_back(within=10).remote_uri.startswith("<sip:+13035550177@")
        return
    with pytest.raises(NeverCame):
        endpoint.hold_back(within=0.2)
    calls(line, phone, OURS)
    assert endpoint.hold_back(within=10).remote_uri.startswith(f"<sip:{OURS}@")
    assert stranger.state == "early"
