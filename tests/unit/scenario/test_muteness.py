"""Who is to blame that a voice was not heard, where a phone of the harness had stood still."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.calls.checks.finding import judged
from harness.calls.events import Event, MediaState
from harness.calls.verdict import Finding, Verdict
from harness.scenario.audio_quality import excuse_mute_phone, longest_mute_s
from harness.scenario.call import Call
from tests.unit.phone_events import rtp_statistics
from tests.unit.scenario.conftest import MakeContext

TOLD: dict[str, Any] = {"phone": "billing", "leg": "billing.1"}


def media(at: float, direction: str = "sendrecv", *, active: bool = True) -> MediaState:
    return MediaState(at=at, active=active, direction=cast("Any", direction), **TOLD)


def counts(*pairs: tuple[float, int]) -> list[Event]:
    """What was offered to the transport by then."""
    return [rtp_statistics(at, "billing.1", tx_offered=offered) for at, offered in pairs]


def leg(*events: Event) -> Any:
    ordered = sorted(events, key=lambda event: event.at)
    return SimpleNamespace(id="billing.1", events=ordered, successor=None, statistics=lambda: None)


def unheard(verdict: bool = False) -> Finding:
    return judged(
        "audio", "billing.1 → caller.2", verdict, expected="caller.2 hears billing.1", actual="no RTP packet arrived"
    )


STOOD_STILL = counts((10.0, 0), (11.0, 0), (12.5, 0))


@pytest.mark.parametrize(
    ("events", "mute_s"),
    [
        ([media(9.9), *STOOD_STILL], 2.5),
        ([media(9.9), *counts((10.0, 5), (11.0, 5), (12.0, 55), (12.5, 55))], 1.0),
        ([media(9.9), *counts((10.0, 0), (10.5, 25), (12.5, 125))], 0.0),
        ([media(9.9), *counts((10.0, 300), (11.0, 2), (12.0, 52))], 0.0),  # another transport, after a re-INVITE
        ([media(9.9, "recvonly"), *STOOD_STILL], 0.0),
        ([media(9.9, "sendonly"), *STOOD_STILL], 0.0),  # its own hold
        ([media(9.9, "inactive", active=False), *STOOD_STILL], 0.0),
        ([media(9.9), media(11.5, "inactive", active=False), *STOOD_STILL], 1.0),
        ([*STOOD_STILL], 0.0),
        ([media(9.9), *counts((8.0, 0), (9.0, 0))], 0.0),
        ([media(9.9)], 0.0),
    ],
)
def test_a_leg_is_mute_while_it_should_send_and_makes_no_packet(events: list[Event], mute_s: float) -> None:
    assert longest_mute_s(leg(*events), 9.95) == mute_s


@given(st.lists(st.floats(0.2, 1.1), min_size=2, max_size=8), st.integers(1, 50))
def test_a_leg_that_sends_is_never_mute(apart: list[float], packets: int) -> None:
    times = [10.0 + sum(apart[:number]) for number in range(len(apart))]
    sent = counts(*((at, number * packets) for number, at in enumerate(times)))
    assert longest_mute_s(leg(media(9.9), *sent), 9.95) == 0.0


def test_nobody_is_blamed_where_either_end_stood_still(make_context: MakeContext) -> None:
    context = make_context()
    still = Call(context, leg(media(9.9), *STOOD_STILL), "agent")
    well = Call(context, leg(media(9.9), *counts((10.0, 0), (11.0, 50), (12.5, 125))), "caller")
    for ends in ((still, well), (well, still)):
        found = excuse_mute_phone(unheard(), ends, 9.95)
        assert found.verdict is Verdict.BROKEN
        assert found.actual == (
            "no RTP packet arrived; but billing.1, a phone of the harness, sent no RTP packet for 2.5 s"
        )
    assert excuse_mute_phone(unheard(), (well, well), 9.95).verdict is Verdict.FAILED
    assert excuse_mute_phone(unheard(), (cast("Any", SimpleNamespace()),), 9.95).verdict is Verdict.FAILED
    assert excuse_mute_phone(unheard(True), (still, well), 9.95).verdict is Verdict.PASSED
