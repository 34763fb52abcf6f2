"""What an assistant hears of a continuing mark, and of the sound after it."""

from __future__ import annotations

import numpy as np
import pytest

from harness.audio import g711
from harness.audio.dtmf import dtmf
from harness.audio.marks import reply_to
from harness.world.media import sound
from tests.unit.world.media_bench import CALLER, Bench, bench

_LONG = 100  # frames


def analysed_by(ear: Bench) -> list[bytes]:
    """The samples of each frame that is analysed from now on."""
    analysed: list[bytes] = []
    feed = ear.media_engine._bank.feed

    def noted(frames: np.ndarray, streams: np.ndarray) -> list:  # type: ignore[type-arg]
        analysed.extend(frame.tobytes() for frame in frames)
        return feed(frames, streams)

    ear.media_engine._bank.feed = noted  # type: ignore[method-assign]
    return analysed


def test_a_continuing_mark_is_reported_without_analysis() -> None:
    with bench() as ear:
        ear.hear_mark(CALLER, 40)
        analysed, told = analysed_by(ear), len(ear.notes.marks)
        ear.hear_mark(CALLER, _LONG)
        assert analysed == []
        assert len(ear.notes.marks) - told == _LONG // 10, "as often as a detector says so"
        assert set(ear.notes.marks) == {CALLER}


@pytest.mark.parametrize("more", range(8))
def test_to_the_detector_a_mark_goes_on_without_a_seam(more: int) -> None:
    with bench() as ear:
        analysed = analysed_by(ear)
        ear.hear_mark(CALLER, _LONG + more)
        ear.hear(sound.silence("PCMU")[0])
        period = [g711.decode_ulaw(frame).tobytes() for frame in sound.mark(CALLER, "PCMU")]
        assert len(analysed) < 50
        assert analysed[:-1] == [period[at % 8] for at in range(len(analysed) - 1)]
        assert analysed[-2] == period[(_LONG + more - 1) % 8]


@pytest.mark.parametrize("more", range(8))
def test_another_mark_is_heard_as_soon_after_a_long_one_as_after_a_short_one(more: int) -> None:
    def frames_until_answer(before: int) -> int:
        with bench() as ear:
            ear.channel.begin_to_reply()
            ear.hear_mark(CALLER, before)
            said, answer = len(ear.said), sound.mark(reply_to(CALLER + 1), "PCMU")[0]
            ear.hear_mark(CALLER + 1, 20)
            assert ear.notes.marks[-1] == CALLER + 1
            return next(at for at, packet in enumerate(ear.said[said:]) if packet.payload == answer)

    # In 14 frames no period has repeated another one long enough to be known by that.
    assert frames_until_answer(_LONG + more) <= frames_until_answer(14) + 1


@pytest.mark.parametrize("more", range(8))
def test_a_digit_right_after_a_long_mark_is_heard(more: int) -> None:
    with bench() as ear:
        ear.hear_mark(CALLER, _LONG + more)
        ear.hear_samples(dtmf("7"))
        ear.idle(10)
        assert [digit.digit for digit in ear.notes.digits] == ["7"]


def test_silence_after_a_mark_is_silence() -> None:
    with bench() as ear:
        ear.hear_mark(CALLER, _LONG)
        told = len(ear.notes.marks)
        for _ in range(_LONG):
            ear.hear(sound.silence("PCMU")[0])
        assert len(ear.notes.marks) == told, "it has ended, though silence repeats itself"
        assert ear.notes.silent_for == pytest.approx(_LONG * 0.02)


def test_a_mark_that_is_damaged_is_analysed_while_it_is() -> None:
    with bench() as ear:
        period = sound.mark(CALLER, "PCMU")
        ear.hear_mark(CALLER, 40)
        analysed = analysed_by(ear)
        for at in range(_LONG):
            ear.hear(period[at % 8] if at % 6 else sound.silence("PCMU")[0])
        assert len(analysed) >= _LONG
        assert set(ear.notes.marks) == {CALLER}
