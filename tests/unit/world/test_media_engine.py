"""What an assistant hears and sends, frame by frame."""

from __future__ import annotations

import itertools
import weakref

import pytest

from harness.audio.dtmf import dtmf
from harness.errors import ResourceError
from harness.world.media import sound
from harness.world.media.digits import event_packets
from harness.world.media.sound import PHASES
from tests.garbage import no_collections
from tests.unit.world.media_bench import CALLER, bench


def test_a_lost_packet_does_not_hide_a_mark() -> None:
    with bench() as ear:
        period = sound.mark(CALLER, "PCMU")
        for at in range(40):
            if at % 10 == 9:
                ear.lose(1)
            else:
                ear.hear(period[at % 8])
        assert set(ear.notes.marks) == {CALLER}


def test_digits_as_events_and_as_tones() -> None:
    with bench() as ear:
        event = ear.media.event_type
        assert event is not None
        for sent in event_packets("5#", 160):
            if sent is not None:
                ear.hear(sent[0], event, 10_000 + sent[1])
        ear.idle(5)
        ear.hear_samples(dtmf("9D"))
        ear.idle(10)
        assert [(d.digit, d.method) for d in ear.notes.digits] == [
            ("5", "rfc4733"), ("#", "rfc4733"), ("9", "inband"), ("D", "inband"),
        ]  # fmt: skip


def test_digits_said_are_events_and_then_the_voice_goes_on() -> None:
    with bench() as ear:
        assert ear.channel.send_digits("1A")
        ear.idle(40)
        events = [p for p in ear.said if p.payload_type == ear.media.event_type]
        assert [p.payload[0] for p in events if p.marker] == [1, 12]
        assert ear.said[-1].payload_type == 0
        sequence = [p.sequence for p in ear.said]
        assert all((b - a) & 0xFFFF == 1 for a, b in itertools.pairwise(sequence))


def test_channels_are_limited_and_a_closed_one_is_free_again() -> None:
    with bench() as ear:
        with pytest.raises(ResourceError):
            ear.open()
        ear.channel.close()
        assert len(ear.media_engine) == 0
        ear.open().close()


@pytest.mark.parametrize("answers", [False, True])
def test_a_channel_that_is_closed_is_forgotten_without_a_garbage_collection(answers: bool) -> None:
    with bench() as ear:
        if answers:
            ear.channel.begin_to_reply()
            ear.hear_mark(CALLER, 20)
        ear.idle(3)
        with no_collections():
            closed = weakref.ref(ear.channel)
            ear.channel.close()
            ear.channel = ear.open()
            assert closed() is None


# -- a mark that goes on is known by its repetition

_LONG = 100  # frames


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


@pytest.mark.parametrize("came_ms", [0.0, 1.5, 4.0, 9.9, 16.5, 19.0])
def test_assistant_speaks_soon_after_its_callers_packets(
    came_ms: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer is at the caller before the caller's next tick. By the world's own tick alone, one
    in two answers came a tick later.
    """
    with bench() as ear:
        monkeypatch.setattr("time.monotonic", lambda: came_ms / 1000)
        ear.receive(sound.mark(CALLER, "PCMU")[0])
        speaks = []
        for phase in range(PHASES):
            ear.media_engine.advance(phase)
            speaks += [phase] * len(ear.said)
            ear.said.clear()
        (phase,) = speaks
        assert 3.0 <= (20.0 * phase / PHASES - came_ms) % 20.0 < 8.0


def test_assistant_without_packets_of_its_caller_speaks_all_the_same() -> None:
    with bench() as ear:
        ear.idle(3)
        assert not ear.said
        ear.idle(1)
        assert ear.said
