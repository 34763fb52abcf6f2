"""Who asks at once has one reading, and nobody an answer that is older than the question."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from harness.errors import FarEndError
from harness.witness.shared_reading import SharedReading
from tests.unit.witness.moment import Moment


class Lists:
    """Lists each reading of which lasts until it may end."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.entries: list[str] = []
        self.error: FarEndError | None = None
        self.readings: list[tuple[float, str]] = []  #: since when, and of which list
        self._begun, self._may_end = threading.Semaphore(0), threading.Semaphore(0)
        self._threads = threads
        self._shared = SharedReading(self._read)

    def ask(self, since: float, of: str = "calls") -> Future[list[str]]:
        """Somebody asks; waits until that counts."""
        moment = Moment(since)
        future = self._threads.submit(self._shared.since, moment, of)
        assert moment.counts.wait(60)
        return future

    def begun(self) -> None:
        """Wait until a reading has begun."""
        assert self._begun.acquire(timeout=60)

    def end(self, readings: int = 1) -> None:
        self._may_end.release(readings)

    def _read(self, since: float, of: str) -> list[str]:
        self.readings.append((float(since), of))
        found, error = list(self.entries), self.error
        self._begun.release()
        assert self._may_end.acquire(timeout=60)
        if error is not None:
            raise error
        return found


@pytest.fixture
def lists() -> Iterator[Lists]:
    with ThreadPoolExecutor(8) as threads:
        made = Lists(threads)
        yield made
        made.end(100)


def test_those_who_ask_while_it_is_read_share_the_next_reading(lists: Lists) -> None:
    first = lists.ask(5.0)
    lists.begun()
    lists.entries.append("new")
    others = [lists.ask(since) for since in (9.0, 3.0, 7.0)]
    lists.end(2)
    assert first.result(60) == []
    assert [other.result(60) for other in others] == [["new"]] * 3, "begun after they had asked"
    assert lists.readings == [(5.0, "calls"), (3.0, "calls")], "from the earliest moment of all"


def test_what_a_reading_raises_is_raised_to_all_who_share_it_and_to_nobody_else(lists: Lists) -> None:
    first = lists.ask(1.0)
    lists.begun()
    lists.error = FarEndError("gone")
    others = [lists.ask(2.0), lists.ask(3.0)]
    lists.end()
    assert first.result(60) == []
    lists.begun()
    lists.error = None
    last = lists.ask(4.0)
    lists.end(2)
    for other in others:
        with pytest.raises(FarEndError, match="gone"):
            other.result(60)
    assert last.result(60) == []


def test_nobody_has_an_answer_that_is_older_than_the_question() -> None:
    """However threads take their turns."""
    entries: list[str] = []
    readings = 0

    def read(since: float, of: str) -> list[str]:
        nonlocal readings
        readings += 1
        found = list(entries)
        time.sleep(0.001)
        return found

    shared = SharedReading(read)

    def ask(asker: int) -> None:
        for number in range(25):
            mine = f"{asker}.{number}"
            entries.append(mine)
            assert mine in shared.since(0.0, "calls")

    with ThreadPoolExecutor(8) as threads:
        for asked in [threads.submit(ask, asker) for asker in range(8)]:
            asked.result(60)
    assert 25 < readings <= 200
