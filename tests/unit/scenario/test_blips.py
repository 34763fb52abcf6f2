"""One packet, and no more: its concealment is heard, and is no voice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest

from harness.calls.checks.audio import ListenerReport, Sound
from harness.calls.checks.claims import Observation
from harness.phone.leg import Leg
from harness.phone.waiter import never_came
from harness.scenario.signs import listen_again_from
from tests.unit.phone_events import rtp_statistics
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.sign_cases import Caller, Case


class Listening:
    """A leg that has received so much sound, and counted so many packets, once a second."""

    def __init__(self, sound_s: float, counts: Sequence[int]) -> None:
        loud = np.full(round(8000 * sound_s), 6000, np.int16) * np.resize([1, -1], round(8000 * sound_s))
        self._samples = np.concatenate([loud, np.zeros(8000)]).astype(np.int16)
        self._counts = counts

    def received_since(self, since: float) -> Any:
        return self._samples

    def wait(self, goal: str, predicate: Any, within: float, since: float) -> Any:
        for at, packets in enumerate(self._counts):
            event = rtp_statistics(float(at), rx_packets=packets, rx_bytes=160 * packets)
            if at >= since and predicate(event):
                return event
        raise never_came(goal, within, "caller.1", "the call goes on", "")


@pytest.mark.parametrize(
    ("sound_s", "counts", "silent"),
    [
        (0.12, [40, 48, 48, 48], True),
        (0.12, [40, 48, 49, 50], False),  # the way is open, and the AI says nothing
        (0.3, [40, 48, 48, 48], False),  # it said something, and sends nothing while it pauses
        (0.12, [40, 48], False),
    ],
)
def test_a_packet_behind_which_nothing_came(sound_s: float, counts: Sequence[int], silent: bool) -> None:
    found = listen_again_from(cast("Leg", Listening(sound_s, counts)), 0.0, heard_at=0.5)
    assert (found is not None) is silent
    assert found is None or 1.0 < found < 1.1


def test_a_sound_of_before_is_none_of_after() -> None:
    """A pulse speaks of the 200 ms before it."""
    leg = cast("Leg", Listening(0.0, [40, 48, 49]))
    assert (listen_again_from(leg, 5.0, heard_at=5.1) or 0.0) > 5.1
    assert listen_again_from(leg, 5.0, heard_at=6.1) is None, "as far as it is on disk by now, which says nothing"


def test_what_is_heard_behind_it_counts(make_context: MakeContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.scenario.signs._WORTH_JUDGING_S", 0.0)
    caller = Caller()
    caller.leg = cast("Any", Listening(0.12, [40, 48, 48, 48]))
    blips = [Sound(0.5, Observation.SOUND, "a blip")]
    caller.hears = lambda talk, since, deadline: blips.pop() if blips else None  # type: ignore[method-assign]
    caller.account = lambda since, missing=None: ListenerReport(1.0, -96.0, rx_packets=0 if since > 1.0 else 8)  # type: ignore[method-assign]
    case = Case(make_context, caller, "", strength="indicated", transcript="none", experiment=False).settle()
    assert case.heard_by_caller == ("", "")
    account = case.look.to_caller().account
    assert account is not None
    assert (account.rx_packets, account.level_dbov) == (8, -96.0), "the packet came, and silence from then on"
    blips.extend([Sound(30.0, Observation.SOUND, "a voice"), Sound(0.5, Observation.SOUND, "a blip")])
    case = Case(make_context, caller, "", strength="indicated", transcript="none", experiment=False).settle()
    assert case.look.to_caller().sound == Sound(30.0, Observation.SOUND, "a voice")
