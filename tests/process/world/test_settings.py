"""What the world's settings change, as callers notice it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from harness.audio.marks import reply_to
from harness.case.events import FarEndReport, RtpStatistics
from harness.phone.leg import Leg
from harness.witness.capture import read_capture
from harness.witness.capture_calls import voices_in
from tests.process.world.conftest import PATIENCE, RunningWorld, Stage, hears

Settle = Callable[[dict[str, Any]], None]


@pytest.fixture
def settle(talkdesk: RunningWorld) -> Iterator[Settle]:
    """Makes the Talkdesk world behave so, until the test is over."""

    def put(settings: dict[str, Any]) -> None:
        answer = talkdesk.client.put("/settings", json={"settings": settings})
        assert answer.status_code == 200, answer.text

    yield put
    put({})


def statistics(leg: Leg, goal: str, fulfilled: Callable[[RtpStatistics], bool]) -> RtpStatistics:
    found = leg.wait(goal, lambda e: isinstance(e, RtpStatistics) and fulfilled(e), PATIENCE)
    assert isinstance(found, RtpStatistics)
    return found


def test_settings_are_checked(talkdesk: RunningWorld) -> None:
    for settings, says in [
        ({"no_such": 1}, "simulated.no_such"),
        ({"rtcp": {"reports": "sometimes"}}, "simulated.rtcp.reports"),
        ([], "simulated"),
    ]:
        answer = talkdesk.client.put("/settings", json={"settings": settings})
        assert answer.status_code == 400
        assert says in answer.json()["error"]
    assert talkdesk.client.put("/settings", json={}).status_code == 400


# -- RTCP


@pytest.mark.parametrize(("reports", "lost"), [("passed-on", True), ("terminated", False)])
def test_rtcp_reports_come_from_the_receiver(
    td: Stage, talkdesk: RunningWorld, settle: Settle, reports: str, lost: bool
) -> None:
    """What is lost behind the relay is told by the AI's own reports, and unknown to the relay's."""
    settle({"rtcp": {"reports": reports, "interval_s": 0.4}})
    with talkdesk.fault("heavy-loss"):
        leg = td.dial("inbound")
        leg.wait_state("confirmed", PATIENCE)
        # not by its round trip, which needs a report of the phone's own: there are few, and they
        # may be lost as well
        told = leg.wait(
            "a report of the third second",
            lambda e: isinstance(e, FarEndReport) and e.sent > 150,
            PATIENCE,
        )
    assert isinstance(told, FarEndReport)
    assert (told.lost > 10) is lost


# -- captures


@pytest.mark.parametrize(("trunk", "transport"), [("udp-ip", "udp"), ("tcp-ip", "tcp")])
def test_captures_show_on_which_side_of_the_platform_audio_is_lost(
    td: Stage, settle: Settle, trunk: str, transport: str
) -> None:
    settle({"captures": ["trunk", "carrier"]})
    with td.world.fault("rtp-blocked-to-ai"):
        leg = td.dial("inbound", trunk)
        leg.wait_state("confirmed", PATIENCE)
        leg.wait(
            "two seconds", lambda e: isinstance(e, RtpStatistics) and e.rx_packets > 100, PATIENCE
        )
        leg.hangup()
        leg.wait_state("disconnected", PATIENCE)
    captures = {
        path.stem: read_capture(path) for path in (td.world.directory / "captures-0").iterdir()
    }
    assert {capture.notes for capture in captures.values()} == {()}
    assert {
        point: [
            one.transport for one in capture.messages if one.message.start_line.startswith("INVITE")
        ]
        for point, capture in captures.items()
    } == {"trunk": [transport], "carrier": ["udp"]}
    marks = {
        point: {voice.mark for stream in capture.streams for voice in voices_in(stream)}
        for point, capture in captures.items()
    }
    assert leg.mark in marks["carrier"] - marks["trunk"]
    assert marks["trunk"] == marks["carrier"] - {leg.mark} != set()  # the AI's


# -- assistants


def confirmed(td: Stage, **more: Any) -> Leg:
    leg = td.dial("inbound", **more)
    leg.wait_state("confirmed", PATIENCE)
    return leg


def test_an_assistant_that_only_speaks_hears_digits_and_hands_over(
    td: Stage, settle: Settle
) -> None:
    settle({"assistants": {"main": {"sends": "speech", "please_hold_s": 1.5}}})
    agent = td.phone("billing")
    leg = confirmed(td)
    asked = time.monotonic()
    leg.send_digits("0")
    landed = agent.expect_call(PATIENCE)
    assert landed.invite is not None
    assert landed.events[0].at - asked > 1.5
    hears(leg, landed.mark)
    assert "bot: I am connecting you now." in td.record().transcript


def test_an_uninterruptible_greeting_hears_nothing(td: Stage, settle: Settle) -> None:
    settle({"assistants": {"main": {"greeting_s": 2.0, "interruptible": False}}})
    leg = confirmed(td)
    leg.send_digits("5")
    first = hears(leg, reply_to(leg.mark))
    answered = leg.wait_state("confirmed", PATIENCE)
    assert first.at - answered.at > 2.0
    assert td.record().witness("digits") == []


# -- Synthflow's API


def test_a_record_has_the_fields_that_the_settings_allow(td: Stage, settle: Settle) -> None:
    leg = confirmed(td)
    hears(leg, reply_to(leg.mark))
    assert "[mark" in td.record().transcript
    settle({"api": {"witness": False}})
    assert td.record().transcript == ""
    assert td.record().witness("marks") is None
    assert td.record().status == "in-progress"
    settle({"api": {"transcript": "none"}})
    assert td.record().transcript == ""
    settle({"api": {"transcript": "after", "transcript_after_s": 4.0}})
    assert td.record().transcript == ""
    leg.hangup()
    leg.wait_state("disconnected", PATIENCE)
    assert td.record().transcript == ""
    deadline = time.monotonic() + PATIENCE
    while not (late := td.record()).transcript:
        assert time.monotonic() < deadline
    assert late.witness("released_at") + 4.0 <= time.time()


def test_an_api_in_trouble(td: Stage, settle: Settle) -> None:
    for answers in ("401", "429", "500", "503"):
        settle({"api": {"answers": answers}})
        assert asked(td).status_code == int(answers)
    settle({"api": {"delay_s": 0.7}})
    assert asked(td).elapsed.total_seconds() > 0.7
    with td.client() as kept:
        assert kept.get("/calls?model_id=m").status_code == 200
        settle({"api": {"answers": "refused"}})
        with pytest.raises(httpx.TransportError):
            kept.get("/calls?model_id=m")
        with pytest.raises(httpx.ConnectError):
            asked(td)
        settle({})
        assert asked(td).status_code == 200, "on the port of before"


def asked(td: Stage) -> httpx.Response:
    with td.client() as api:
        return api.get("/calls?model_id=m")
