"""A machine is one that speaks, and asks for a message afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.audio.classify import classify
from harness.audio.machine import announcement_in, asks_for_message, message_asked_in
from harness.audio.marks import SAMPLE_RATE
from harness.audio.prompts import prompt_samples
from harness.audio.wav import to_int16
from tests.unit.audio.music import Audio, music
from tools.accuracy.tones import PLANS, call_progress, sit


def tone(seconds: float, hertz: float = 1000.0) -> Audio:
    at = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (8000 * np.sin(2 * np.pi * hertz * at)).astype(np.int16)


def silence(seconds: float) -> Audio:
    return np.zeros(round(seconds * SAMPLE_RATE), np.int16)


GREETING = prompt_samples("hello-en").astype(np.int16)


@pytest.mark.parametrize(
    "heard",
    [
        np.concatenate([GREETING, silence(2)]),
        np.concatenate([tone(0.4), silence(0.3), GREETING]),
        np.concatenate([tone(0.4), silence(1)]),
        silence(2),
        np.concatenate([GREETING, silence(0.3), tone(8.0)]),
        np.concatenate([music(5.0), tone(0.4), silence(1)]),
    ],
    ids=[
        "speech alone",
        "a tone before it",
        "a tone alone",
        "silence",
        "a tone that goes on",
        "music and a tone",
    ],
)
def test_anything_else_asks_for_nothing(heard: Audio) -> None:
    assert asks_for_message(classify(heard)) is None
    assert message_asked_in(heard) is None


@pytest.mark.parametrize("is_late", [True, False])
def test_a_tone_with_a_hole_is_one_tone(is_late: bool) -> None:
    """Packets that come late make a pause in it, lost ones replace so much of it by silence."""
    beep = tone(0.5)
    beep = np.concatenate([beep[:1600], silence(0.06), beep[1600 if is_late else 2080 :]])
    assert (
        message_asked_in(np.concatenate([GREETING, silence(0.3), beep, silence(3.2)])) is not None
    )


NETWORK = {
    f"{country} {kind}": to_int16(call_progress(country, kind, 6.5))
    for country in PLANS
    for kind in ("ringback", "busy", "congestion")
} | {"information": np.concatenate([to_int16(sit()), silence(1), to_int16(sit())])}


@pytest.mark.parametrize("name", NETWORK)
def test_no_beginning_of_a_network_tone_is_a_beep(name: str) -> None:
    """Whoever listens meanwhile hears its first second alone."""
    heard = np.concatenate([GREETING, silence(0.3), NETWORK[name]])
    first = len(heard) - len(NETWORK[name])
    for seconds in np.arange(0.2, 6.5, 0.43):
        so_far = heard[: first + round(seconds * SAMPLE_RATE)]
        assert message_asked_in(so_far) is None, (seconds, classify(so_far))


@given(
    hertz=st.floats(340.0, 1600.0),
    on=st.floats(0.12, 0.6),
    off=st.floats(0.2, 0.8),
    times=st.integers(3, 8),
    until=st.floats(0.0, 6.0),
)
@example(700.0, 0.272468587079881, 0.359375, 6, 0.0)  # whose second is as music to the classifier
@settings(deadline=None)
def test_a_rhythm_of_any_frequency_is_no_beep(
    hertz: float, on: float, off: float, times: int, until: float
) -> None:
    """PBXs have tones of their own; neither while it goes on nor once it has stopped."""
    rhythm = np.concatenate([tone(on, hertz), silence(off)] * times)
    heard = np.concatenate([GREETING, silence(0.3), rhythm])
    assert (
        message_asked_in(heard[: round((len(GREETING) / SAMPLE_RATE + 0.3 + until) * SAMPLE_RATE)])
        is None
    )
    assert message_asked_in(np.concatenate([heard, silence(4)])) is None


def test_two_beeps_are_a_machines_and_the_last_counts() -> None:
    beeps = np.concatenate([GREETING, silence(0.3), tone(0.4), silence(0.3), tone(0.4)])
    assert asks_for_message(classify(np.concatenate([beeps, silence(0.8)]))) is None, (
        "a third may follow"
    )
    asked = asks_for_message(classify(np.concatenate([beeps, silence(1.2)])))
    assert asked is not None
    assert asked[1] == pytest.approx(len(beeps) / SAMPLE_RATE - 0.4, abs=0.1)


NOTICE = prompt_samples("announcement-not-in-service-en").astype(np.int16)


@pytest.mark.parametrize(
    "heard",
    [
        np.concatenate([NOTICE, silence(0.5), tone(1.5, 900.0), silence(2.5)]),  # and then a BYE
        np.concatenate([NOTICE, silence(0.5), tone(1.5, 900.0), silence(2.0)] * 3),
        np.concatenate(
            [to_int16(sit()), silence(0.3), NOTICE, silence(0.5), tone(1.5, 900.0), silence(5)]
        ),
    ],
    ids=["hangs up", "says it again", "after special information tones"],
)
def test_a_notice_that_ends_in_a_tone_asks_for_nothing(heard: Audio) -> None:
    """Who takes a message listens for it; a number that is out of service says so by E.180's
    special information tones, too.
    """
    assert message_asked_in(heard) is None


def test_a_tone_ahead_of_the_greeting_is_not_the_machines() -> None:
    """As one that says that the call is recorded."""
    heard = np.concatenate(
        [GREETING, tone(0.5), silence(0.5), NOTICE, silence(0.3), tone(0.4), silence(3.2)]
    )
    asked = message_asked_in(heard)
    assert asked is not None
    assert asked[1] == pytest.approx(len(heard) / SAMPLE_RATE - 3.6, abs=0.1)


def test_a_greeting_right_behind_a_queues_music_asks_for_a_message() -> None:
    greeting = prompt_samples("voicemail-greeting-en").astype(np.int16)
    heard = np.concatenate([music(5.0), greeting, tone(0.4), silence(3.2)])
    asked = message_asked_in(heard)
    assert asked is not None
    assert 5.0 < asked[0] < asked[1] == pytest.approx(5.0 + len(greeting) / SAMPLE_RATE, abs=0.1)


@given(hertz=st.floats(340.0, 1600.0), on=st.floats(0.15, 1.5), pause=st.floats(0.1, 1.0))
@settings(deadline=None)
def test_a_machines_tone_may_be_short_and_as_low_as_a_ringing_tone(
    hertz: float, on: float, pause: float
) -> None:
    heard = np.concatenate([GREETING, silence(pause), tone(on, hertz), silence(5.8)])
    asked = message_asked_in(heard)
    assert asked is not None, classify(heard)
    assert asked[1] == pytest.approx(len(GREETING) / SAMPLE_RATE + pause, abs=0.1)


@given(
    st.sampled_from(["hello-en", "how-can-i-help-en", "agent-please-de", "goodbye-en"]),
    st.floats(0.2, 3.0),
)
@example("hello-en", 1.03125)  # ends with a frame that is a tone
@settings(deadline=None)
def test_the_end_of_what_is_said_is_no_tone(name: str, until: float) -> None:
    """Wherever it is cut off."""
    said = prompt_samples(name).astype(np.int16)[: round(until * SAMPLE_RATE)]
    assert message_asked_in(np.concatenate([GREETING, silence(0.3), said, silence(6)])) is None


def test_an_announcement_is_one_when_it_pauses_lasts_or_the_call_is_over() -> None:
    """Music on hold may be taken for speech at first."""
    said = np.concatenate([silence(0.5), NOTICE])
    assert announcement_in(said, is_over=False) is None
    for heard, is_over in (
        (said, True),
        (np.concatenate([said, silence(0.8)]), False),
        (np.concatenate([said, NOTICE, NOTICE]), False),
    ):
        found = announcement_in(heard, is_over=is_over)
        assert found is not None
        assert found[0] == pytest.approx(0.5, abs=0.1)
