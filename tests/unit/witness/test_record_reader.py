"""How often a record is read, and how long anybody waits for its words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.witness.call_record import CallRecord
from harness.witness.transcript import RecordReader, Transcript

WORDS = "bot: hello\nhuman: I would like to speak to a person"


@dataclass
class Api:
    """A far end whose record is over at ``ends`` and has its transcript at ``comes``; asked each
    ``polled_s``.
    """

    ends: float = 0.0
    comes: float | None = 0.0
    before: str = ""  #: the transcript until then
    polled_s: float = 1.0
    now: float = 0.0
    reads: int = 0
    down: bool = False

    def read(self) -> CallRecord:
        self.reads += 1
        text = WORDS if self.comes is not None and self.now >= self.comes else self.before
        status = "completed" if self.now >= self.ends else "in-progress"
        return CallRecord("c1", {"status": status, "transcript": text})

    def pause(self) -> None:
        self.now += self.polled_s

    def reader(self, transcript: Transcript = "after", **more: Any) -> RecordReader:
        own: dict[str, Any] = {"within_s": 30.0, "clock": lambda: self.now} | more
        return RecordReader(self.read, transcript=transcript, is_down=lambda: self.down, **own)


def has(words: str):  # type: ignore[no-untyped-def]
    return lambda text: words in text


def test_words_that_never_come_are_waited_for_once() -> None:
    api = Api(comes=None)
    reader = api.reader(within_s=30.0)
    assert not any(reader.find(has("hello"), api.pause) for _ in range(6))
    assert api.now == 30.0
    reads = api.reads
    assert not reader.find(has("hello"), api.pause)
    assert api.reads == reads


@pytest.mark.parametrize("kind", ["none", "down"])
def test_where_nothing_can_come_nothing_is_waited_for_or_read(kind: str) -> None:
    api = Api(comes=None, down=kind == "down")
    reader = api.reader("none" if kind == "none" else "after")
    assert reader.is_final
    assert not reader.find(has("hello"), api.pause)
    assert (api.reads, api.now) == (0, 0.0)


def test_an_api_that_dies_meanwhile_ends_the_waiting() -> None:
    api = Api(comes=None)

    def pause() -> None:
        api.pause()
        api.down = api.now >= 3.0

    assert not api.reader().find(has("hello"), pause)
    assert api.now == 3.0


@given(
    before=st.lists(st.floats(0.0, 60.0), max_size=4),
    ends=st.floats(0.0, 60.0),
    pauses=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6),
    polled_s=st.floats(0.2, 0.8),
)
def test_a_transcript_that_grows_after_the_call_is_waited_for_to_its_last_word(
    before: list[float], ends: float, pauses: list[float], polled_s: float
) -> None:
    """However long it stood still while the call went on: an API may write what was said last when
    the call is over.
    """
    written = [at for at in before if at <= ends]
    for pause in pauses:
        written.append(max(ends, max(written, default=0.0)) + pause)
    now = 0.0

    def read() -> CallRecord:
        text = "\n".join(f"bot: word-{n}." for n, at in enumerate(sorted(written)) if now >= at)
        return CallRecord(
            "c1", {"status": "completed" if now >= ends else "in-progress", "transcript": text}
        )

    def pause_a_little() -> None:
        nonlocal now
        now += polled_s

    reader = RecordReader(read, transcript="during", within_s=30.0, clock=lambda: now)
    while now < ends:
        reader.look()
        pause_a_little()
    last = f"word-{len(written) - 1}."
    assert reader.find(has(last), pause_a_little)
    assert not reader.find(has("never said"), pause_a_little)
    assert reader.has_told_all
    assert now < max(written) + 4.0


@pytest.mark.parametrize(("comes", "found"), [(15.0, True), (99.0, False)])
def test_what_a_call_had_while_it_went_on_is_not_the_transcript_that_comes_after_it(
    comes: float, found: bool
) -> None:
    """The AI's greeting alone, say: that it stands still after the end denies nobody's words before
    their time is over.
    """
    api = Api(ends=4.0, comes=comes, before="bot: hello")
    reader = api.reader()
    assert reader.find(has("hello"), api.pause)
    assert reader.find(has("speak to a person"), api.pause) is found
    assert api.now == (comes if found else 34.0)
    assert reader.has_told_all is not found


def test_nobody_gives_up_before_the_first_look() -> None:
    """Be the machine so busy that the time is over by then."""
    api = Api()
    moments = iter([0.0, 99.0, 99.0, 99.0, 99.0])
    reader = api.reader(within_s=1.0, clock=lambda: next(moments, 99.0))
    assert reader.find(has("hello"), api.pause)
    assert api.reads == 1


@pytest.mark.parametrize("polled_s", [0.5, 1.0, 2.0, 5.0, 20.0])
def test_what_was_read_once_has_not_settled(polled_s: float) -> None:
    """Whoever looks seldom, or asks an interface that takes its time, has seen no more than those
    who look often.
    """
    api = Api(comes=1.5, before="bot: hello", polled_s=polled_s)
    reader = api.reader()
    assert reader.find(has("speak to a person"), api.pause)
    assert not reader.has_told_all
    assert not reader.find(has("never said"), api.pause)
    assert reader.has_told_all


def test_a_look_that_failed_shows_nothing() -> None:
    """An API that answers, and not with the record (404, a status that is not known): it is not
    down, and what was read may be half.
    """
    api, is_blind = Api(comes=0.0), False
    reader = api.reader(is_blind=lambda: is_blind)
    assert reader.find(has("hello"), api.pause)
    is_blind = True
    assert not reader.find(has("never said"), api.pause)
    assert api.now == 30.0
    assert not reader.has_told_all
    is_blind = False
    reader.look()
    assert reader.has_told_all
