"""RTP that the harness's own firewall or NAT keeps back looks as if it were lost between platform and AI."""

from __future__ import annotations

import pytest

from harness.calls.events import FarEndReport, MediaState
from tests.unit.diagnosis.building import Example, named
from tests.unit.diagnosis.stories import taken


def at(example: Example, leg: str, remote_rtp: str) -> Example:
    """Where a leg's RTP goes."""
    fields = {"active": True, "direction": "sendrecv", "codec": "PCMU", "clock_rate": 8000}
    phone = leg.partition(".")[0]
    media = MediaState(at=example.now, phone=phone, leg=leg, remote_rtp=remote_rtp, **fields)  # type: ignore[arg-type]
    example.events.append(media)
    return example


def reported(example: Example, leg: str) -> Example:
    """The far end's RTCP came."""
    report = FarEndReport(
        at=example.now,
        phone=leg.partition(".")[0],
        leg=leg,
        sent=100,
        received=0,
        lost=0,
        fraction_lost=0.0,
        jitter_ms=0.0,
        names_us=False,
    )
    example.events.append(report)
    return example


def test_what_a_phone_has_got_in_the_case_shows_that_nothing_of_its_own_keeps_it_back() -> None:
    sure = [("rtp-blocked-to-caller", "certain")]
    assert named(taken().counted(received=60).to_ai().to_caller("no-rtp")) == sure
    assert named(reported(taken(), "caller.1").to_ai().to_caller("no-rtp")) == sure
    assert named(taken().counted("billing.1").to_ai().to_caller("no-rtp")) != sure, "another phone's says nothing"


@pytest.mark.parametrize(
    ("place", "confidence"),
    [("127.0.0.9:4000", "certain"), ("[::1]:4000", "certain"), ("192.0.2.9:4000", "likely"), ("", "likely")],
)
def test_between_two_ends_on_this_machine_there_is_no_firewall(place: str, confidence: str) -> None:
    assert named(at(taken(), "caller.1", place).to_ai().to_caller("no-rtp"))[0] == ("rtp-blocked-to-caller", confidence)
