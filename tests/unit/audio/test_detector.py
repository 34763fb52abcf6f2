from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.audio import g711
from harness.audio.describe import CLEAR
from harness.audio.detector import DetectorBank, Ended, Heard, MarkDetector, marks_heard
from harness.audio.marks import played
from harness.audio.wav import to_int16

from .sounds import Samples, join, mark, mix, noise, silence

MARKS = st.integers(0, 511)


def stream(samples: Samples, sizes: list[int]) -> list[Heard | Ended]:
    """What a detector says of samples fed in pieces of these sizes, again and again."""
    detector = MarkDetector()
    said: list[Heard | Ended] = []
    at = turn = 0
    while at < len(samples):
        size = sizes[turn % len(sizes)]
        said += detector.feed(samples[at : at + size])
        at += size
        turn += 1
    return said


def heard(said: list[Heard | Ended]) -> list[Heard]:
    return [fact for fact in said if isinstance(fact, Heard)]


def rough(said: list[Heard | Ended]) -> list[tuple[type, int, float]]:
    return [(type(f), f.mark, round(f.decided if isinstance(f, Heard) else f.at, 4)) for f in said]


@given(MARKS, st.floats(-30, 0), st.integers(0, 4000), st.integers(0, 1279))
def test_any_mark_at_any_level_offset_and_chopped_start(
    number: int, level: float, offset: int, skip: int
) -> None:
    audio = join(np.zeros(offset, np.int16), mark(number, 0.6, level_dbov=level, skip=skip))
    audio = g711.decode_ulaw(g711.encode_ulaw(mix(audio, noise(len(audio) / 8000, level - 20))))
    first, *rest = heard(marks_heard(audio))
    assert {first.mark, *(fact.mark for fact in rest)} == {number}
    assert 0.06 <= first.decided - offset / 8000 <= 0.13
    assert first.began == pytest.approx(offset / 8000, abs=0.03)
    assert first.level_dbov == pytest.approx(
        level, abs=4.0
    )  # at 0 dBov a good part of it is clipped off
    assert 0.7 < first.quality <= 1.0


@pytest.mark.parametrize("skip", range(0, 1280, 160))
@pytest.mark.parametrize("offset", [0, 160, 1040])
def test_silence_before_the_first_packet_does_not_make_a_mark_unclear(
    offset: int, skip: int
) -> None:
    audio = join(silence(offset / 8000), mark(74, 0.4, skip=skip))
    first = heard(marks_heard(audio))[0]
    assert first.quality >= CLEAR


@pytest.mark.parametrize("skip", range(0, 1280, 160))
def test_a_mark_of_the_other_law_after_silence_is_unclear(skip: int) -> None:
    audio = g711.decode_ulaw(g711.encode_alaw(mark(74, 0.4, skip=skip)))
    first = heard(marks_heard(join(silence(0.13), audio)))
    assert not first or first[0].quality < CLEAR


def test_a_bank_stream_can_begin_anew() -> None:
    bank = DetectorBank(2)
    frames = mark(9, 0.4).reshape(-1, 160)

    def feed() -> list[float]:
        said = [said for frame in frames for said in bank.feed(frame[None], np.array([1]))]
        return [fact.decided for _, fact in said if isinstance(fact, Heard)]

    first = feed()
    assert bank.present(1) == 9
    assert bank.present(0) is None
    bank.reset(1)
    assert bank.present(1) is None
    assert feed() == first


def test_goes_on_being_said_every_200_ms_and_ends() -> None:
    said = marks_heard(join(mark(300, 2.0), silence(1.0)))
    times = [fact.decided for fact in heard(said)]
    assert np.all(np.abs(np.diff(times) - 0.2) < 0.045)
    assert times[-1] > 1.75
    ended = said[-1]
    assert ended == Ended(300, ended.at if isinstance(ended, Ended) else -1)
    assert isinstance(ended, Ended)
    assert ended.at == pytest.approx(2.0, abs=0.04)
    assert len(said) == len(times) + 1


def test_a_short_hole_does_not_end_a_mark() -> None:
    audio = mark(5, 1.5)
    audio[6000:7200] = 0
    assert not [fact for fact in marks_heard(audio) if isinstance(fact, Ended)]


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 4000), min_size=1, max_size=4))
def test_marks_that_are_lost_and_mixed_are_heard_alike_however_they_are_cut(
    seed: int, sizes: list[int]
) -> None:
    """One mark after another, over each other, with holes: where it ends and where the next begins
    are near each other.
    """
    random = np.random.default_rng(seed)
    parts = [mark(int(random.integers(512)), float(random.uniform(0.1, 0.9))) for _ in range(5)]
    audio = join(*parts)[: sum(map(len, parts)) // 160 * 160]
    other = mark(
        int(random.integers(512)),
        len(audio) / 8000 + 0.2,
        level_dbov=float(random.uniform(-40, -10)),
    )
    frames = mix(audio, other[: len(audio)]).reshape(-1, 160).copy()
    frames[random.random(len(frames)) < random.choice([0.0, 0.2, 0.4])] = 0
    whole = rough(marks_heard(frames.reshape(-1)))
    assert rough(stream(frames.reshape(-1), sizes)) == whole
    bank, both = DetectorBank(3), np.array([0, 2])  # beside another stream
    banked = [
        found for frame in frames for found in bank.feed(np.stack([frame[::-1], frame]), both)
    ]
    assert rough([fact for stream, fact in banked if stream == 2]) == whole


def test_mark_zero_is_a_mark() -> None:
    detector = MarkDetector()
    assert [fact.mark for fact in heard(detector.feed(mark(0, 0.4)))] == [0, 0]
    assert detector.present == 0
    detector.feed(silence(0.5))
    assert detector.present is None


@pytest.mark.parametrize("audio", [silence(1.0), noise(3.0, -20.0), noise(3.0, 0.0), silence(0.0)])
def test_nothing_in_what_holds_none(audio: Samples) -> None:
    assert marks_heard(audio) == []
    assert stream(audio, [160]) == []


def packets(number: int, count: int) -> Samples:
    """The first packets of 20 ms of a mark as it is played, by way of G.711."""
    sound = to_int16(np.resize(played(number), count * 160))
    return g711.decode_ulaw(g711.encode_ulaw(sound))


def first_of(number: int, sound: Samples) -> Heard:
    return next(fact for fact in heard(stream(sound, [160])) if fact.mark == number)


@pytest.mark.parametrize("before", [silence(0.2), packets(240, 10)], ids=["nothing", "another"])
def test_a_mark_is_decided_on_the_first_four_packets_of_it(before: Samples) -> None:
    decided = [first_of(number, join(before, packets(number, 12))).decided for number in range(239)]
    soon = [at for at in decided if at <= 0.2 + 0.08]
    assert len(soon) >= 0.95 * len(decided)
    assert max(decided) <= 0.2 + 0.16
