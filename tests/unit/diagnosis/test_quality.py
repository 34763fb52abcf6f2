"""Loss, order and delay of RTP: of which conversation they are a reason."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.diagnosis.building import Example, named
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.stories import talk


def noise() -> Example:
    """Neither end hears the other in what arrives; the stand-in transfers all the same, and the agent's conversation is sound."""
    example = talk(Example(ai="stand-in")).codec("caller.1", "PCMU").codec("stand-in.1", "PCMU").counted("stand-in.1")
    example.to_ai("other", 200).to_caller("other", 200)
    return example.rings("billing").landed("billing", "billing").with_agent("billing")


BAD: list[dict[str, Any]] = [
    {"received": 300, "lost": 33},
    {"received": 300, "reordered": 90},
    {"received": 300, "rtt_ms": 900.0},
]


def test_an_agent_to_whom_the_ai_speaks_has_a_part_in_that() -> None:
    """As in a warm transfer."""
    told = noise().finding("audio", "stand-in.2 → billing.1", kind="other", rx_packets=200, foreign=[])
    assert facts_of(told.counted("billing.1", 300, lost=33)).value("loss") == "heavy"


@pytest.mark.parametrize(
    ("counters", "cause"), list(zip(BAD, ["heavy-loss", "rtp-disordered", "high-delay"], strict=True)), ids=str
)
def test_what_caller_and_agent_were_found_to_hear_badly_it_explains(counters: dict[str, Any], cause: str) -> None:
    example = talk(Example(ai="stand-in")).to_ai().to_caller().rings("billing").landed("billing", "billing")
    example.counted("billing.1", **counters).with_agent("billing")
    assert named(example) == []
    assert named(example.copy().finding("audio.delay", "caller.1 → assistant main")) == []
    example.finding("audio.delay", "caller.1 → billing.1")
    assert named(example) == [(cause, "certain")]
