"""Sounds that are no voice: the network's tones, noise, and one packet with nothing after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from harness.audio.prompts import prompt_samples
from harness.audio.wav import to_int16
from harness.calls.checks.audio import Sound
from harness.calls.checks.claims import Observation
from harness.phone.leg import Leg
from harness.phone.waiter import never_came
from harness.scenario import signs
from harness.scenario.signs import listen_again_from
from tests.unit.audio.sounds import Samples, join, noise, silence
from tests.unit.clock import Clock
from tests.unit.phone_events import rtp_statistics
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.sign_cases import Caller, Case
from tools.accuracy.tones import call_progress

VOICE = join(prompt_samples("how-can-i-help-en"), prompt_samples("connecting-you-en"))
TONES: dict[str, Callable[[], Samples]] = {
    "ringing tone": lambda: to_int16(call_progress("us", "ringback", 8.0)),
    "busy tone": lambda: to_int16(call_progress("de", "busy", 4.0)),
}  # fmt: skip


class Hearing(Caller):
    """A caller who hears these, one after the other, each for as long as it is listened to once, and the last for ever."""

    def __init__(self, clock: Clock, *sounds: Samples) -> None:
        super().__init__(packets=400)
        self._clock = clock
        self._sounds = list(sounds)
        self._from: list[float] = []
        self.deadlines: list[float] = []
        self.leg: Any = SimpleNamespace(received_since=self._received)

    def hears(self, talk: Any, since: float, deadline: float) -> Sound | None:
        self.deadlines.append(deadline)
        if self._clock.now > deadline:
            return None
        if since not in self._from:
            self._from.append(since)
        self._clock.now += 0.2
        return Sound(self._clock.now, Observation.SOUND, "sound at caller.1")

    def speak(self, prompt: str) -> tuple[float, bool]:
        return self._clock.now, True

    def _received(self, since: float) -> Samples:
        """What came since it was listened to last, or all of it."""
        heard = [self._sounds[min(at, len(self._sounds) - 1)] for at in range(max(1, len(self._from)))]
        return heard[-1] if len(self._from) > 1 and since == self._from[-1] else join(*heard[:3])


@pytest.fixture
def listened(make_context: MakeContext, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Case]:
    """A look that is over, at a call on which these sounds came."""
    clock = Clock()
    monkeypatch.setattr(signs, "time", clock)
    monkeypatch.setattr(signs, "QUIET_S", 0.0)

    def listen(*sounds: Samples, words: str = "") -> Case:
        how: dict[str, Any] = {"strength": "indicated", "transcript": "none"}
        if words:
            how |= {"strength": "confirmed", "transcript": "after"}
        return Case(partial(make_context, clock=clock), Hearing(clock, *sounds), words, **how).settle()

    return listen


@pytest.mark.parametrize("words", ["", "bot: Hi.\nhuman: Hello, who is there?"])
@pytest.mark.parametrize("tone", TONES)
def test_a_tone_of_the_network_s_is_no_voice(listened: Callable[..., Case], tone: str, words: str) -> None:
    """A platform that has answered, and rings on: neither that nor an AI that speaks to nobody is a voice that is heard."""
    case = listened(TONES[tone](), words=words)
    assert case.heard_by_caller == ("", "")
    _, account, _ = case.look.to_caller()
    assert account is not None
    assert account.instead is not None
    assert account.instead.what == "tone"


@pytest.mark.parametrize(
    "before",
    [TONES["ringing tone"], TONES["busy tone"], lambda: noise(2.0, -20.0)],
    ids=["ringing", "busy", "loud noise"],
)
def test_a_voice_behind_it_is_one(listened: Callable[..., Case], before: Callable[[], Samples]) -> None:
    """The line rustles until the AI greets, or rings until it has answered."""
    case = listened(before(), join(VOICE, silence(1.0)))
    assert case.heard_by_caller == ("SOUND", "")


# -- One packet, and no more: its concealment is heard, and is no voice


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
