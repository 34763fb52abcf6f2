"""Sounds that are no voice of an AI's: tones, music, noise, a single packet, and speech that
answers nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.audio.prompts import prompt_samples
from harness.audio.samples import mean_level
from harness.audio.wav import to_int16
from harness.case.checks.audio import Sound
from harness.case.checks.claims import Observation
from harness.case.events import RtpPaused
from harness.case.legs import SOUND_DBOV, LegEvents
from harness.scenario import signs
from tests.unit.audio.sounds import Samples, join, mix, noise, silence
from tests.unit.clock import Clock
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.sign_cases import Caller, Case
from tools.accuracy.corpus import Item
from tools.accuracy.music import hold_music
from tools.accuracy.tones import call_progress

VOICE = join(prompt_samples("how-can-i-help-en"), silence(1.0))
_TIME = np.arange(8 * 8000) / 8000
#: Sounds that go on and on, and what they are.
ENDLESS: dict[str, tuple[Samples, str]] = {
    "ringing tone": (to_int16(call_progress("us", "ringback", 8.0)), "tone"),
    "busy tone": (to_int16(call_progress("de", "busy", 4.0)), "tone"),
    "two tones": (
        to_int16(0.1 * (np.sin(2 * np.pi * 1020 * _TIME) + np.sin(2 * np.pi * 1300 * _TIME))),
        "tone",
    ),
    "music": (hold_music(np.random.default_rng(2), 30), "music"),
    "loud noise": (noise(8.0, -20.0), "noise"),
    "background noise": (noise(8.0, -40.0), "silence"),
}


#: From when to when no packet came, in seconds.
Pauses = Sequence[tuple[float, float]]


class Hearing(Caller):
    """A caller who hears these sounds one after the other, and then the last for ever."""

    def __init__(
        self, clock: Clock, *sounds: Samples, lets_finish_s: float = 0.0, paused: Pauses = ()
    ) -> None:
        super().__init__(packets=400)
        self._lets_finish_s = lets_finish_s
        self._clock, self._began = clock, clock.now
        self._audio = join(*sounds, *[sounds[-1]] * (1 + 40 * 8000 // len(sounds[-1])))
        events = []
        for since, until in paused:
            self._audio[round(since * 8000) : round(until * 8000)] = 0
            began, ended = clock.now + since, clock.now + until
            events.append(RtpPaused(at=ended, began=began, ended=ended))
        self.leg: Any = SimpleNamespace(
            facts=LegEvents(events),
            received_since=lambda since: self._heard_between(since, clock.now),
        )

    def hears(self, talk: Any, since: float, deadline: float) -> Sound | None:
        at = since
        while at < max(deadline, self._clock.now):
            at += 0.2
            self._clock.now = max(self._clock.now, at)
            if mean_level(self._heard_between(at - 0.2, at)) > SOUND_DBOV:
                return Sound(at, Observation.SOUND, "sound at caller.1")
        return None

    def speak(self, prompt: str) -> tuple[float, bool]:
        self._clock.now += self._lets_finish_s
        return self._clock.now + len(prompt_samples(prompt)) / 8000, True

    def _heard_between(self, since: float, until: float) -> Samples:
        since = max(since, self._began)
        return self._audio[
            round((since - self._began) * 8000) : round((until - self._began) * 8000)
        ]


@pytest.fixture
def listened(make_context: MakeContext, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Case]:
    """A look that is over, at a call on which these sounds came."""
    clock = Clock()
    monkeypatch.setattr(signs, "time", clock)
    monkeypatch.setattr(signs, "QUIET_S", 0.0)

    def listen(
        *sounds: Samples, words: str = "", lets_finish_s: float = 0.0, paused: Pauses = ()
    ) -> Case:
        how: dict[str, Any] = {"strength": "indicated", "transcript": "none"}
        if words:
            how |= {"strength": "confirmed", "transcript": "after"}
        return Case(
            partial(make_context, clock=clock),
            Hearing(clock, *sounds, lets_finish_s=lets_finish_s, paused=paused),
            words,
            **how,
        ).settle()

    return listen


@pytest.mark.parametrize("words", ["", "bot: Hi.\nhuman: Hello, who is there?"])
@pytest.mark.parametrize("sound", ENDLESS)
def test_only_speech_is_the_ai_s_voice(
    listened: Callable[..., Case], sound: str, words: str
) -> None:
    """Not even where the transcript has the AI's words: the platform may keep them from the caller."""
    samples, what = ENDLESS[sound]
    case = listened(samples, words=words)
    assert case.heard_by_caller == ("OTHER_SOUND" if what == "music" else "", "")
    heard, account, _ = case.look.to_caller()
    if heard is not None:
        assert "music from" in heard.evidence
    else:
        assert account is not None
        assert account.instead is not None
        assert account.instead.what == what


@pytest.mark.parametrize("before", ["ringing tone", "busy tone", "loud noise"])
def test_a_voice_behind_another_sound_is_heard(listened: Callable[..., Case], before: str) -> None:
    case = listened(ENDLESS[before][0][: 2 * 8000], VOICE)
    assert case.heard_by_caller == ("SOUND", "")


def test_a_voice_over_background_noise_is_heard(listened: Callable[..., Case]) -> None:
    assert listened(mix(VOICE, noise(2.0, -42.0))).heard_by_caller == ("SOUND", "")


@pytest.mark.parametrize(
    "words", ["", "bot: Hi, I am Robin.\nhuman: Hello, who is there?\nbot: It is me."]
)
def test_speech_that_answers_nothing_may_be_an_announcement(
    listened: Callable[..., Case], words: str
) -> None:
    """Also where it is as short as the greeting in the transcript."""
    assert listened(VOICE, silence(1.0), words=words, lets_finish_s=4.0).heard_by_caller == (
        "OTHER_SOUND",
        "",
    )


@pytest.mark.parametrize(("lets_finish_s", "expected"), [(4.0, "WORDS"), (15.0, "OTHER_SOUND")])
def test_speech_has_to_fit_the_ai_s_greeting(
    listened: Callable[..., Case], lets_finish_s: float, expected: str
) -> None:
    words = "bot: Hi, I am Robin.\nhuman: Hello, who is there?"
    assert listened(VOICE, words=words, lets_finish_s=lets_finish_s).heard_by_caller == (
        expected,
        "",
    )


def test_one_packet_is_no_voice(listened: Callable[..., Case]) -> None:
    """The concealment of what is lost after it lasts 120 ms."""
    assert listened(noise(0.12, -10.0), silence(1.0)).heard_by_caller == ("", "")


@pytest.mark.parametrize(
    ("paused", "lets_finish_s"), [((), 4.0), ([(at, at + 0.7) for at in range(2, 20, 2)], 1.0)]
)
def test_babble_without_a_pause_is_not_the_ai_s_voice(
    listened: Callable[..., Case], paused: Pauses, lets_finish_s: float
) -> None:
    """Of an office at -37 dBov in its place, while its words are in the transcript. Where packets
    come too late, nobody pauses.
    """
    babble = Item("babble", 1).samples().astype(float)
    babble *= 32768 * 10 ** (-37 / 20) / babble.std()
    words = "bot: Hi, I am Robin.\nhuman: Hello, who is there?\nbot: It is me."
    case = listened(
        babble.astype(np.int16), words=words, lets_finish_s=lets_finish_s, paused=paused
    )
    assert case.heard_by_caller == ("OTHER_SOUND", "")


def test_an_answer_over_an_office_s_babble_is_the_ai_s_voice(
    listened: Callable[..., Case],
) -> None:
    babble = Item("babble", 1).samples()[: 8 * 8000].astype(float)
    babble *= 32768 * 10 ** (-48 / 20) / babble.std()
    heard = mix(join(*[VOICE] * 8)[: 8 * 8000], babble.astype(np.int16))
    words = "bot: Hi, I am Robin.\nhuman: Hello, who is there?\nbot: It is me."
    assert listened(heard, words=words, lets_finish_s=1.0).heard_by_caller == ("WORDS", "")
