"""What is done at a deadline, and what is not any more."""

from __future__ import annotations

import queue
import threading
import weakref

from harness.phone.deadlines import DeadlineScheduler


class Call:
    """What a deadline ends."""

    def end(self) -> None:
        """It is over."""


def test_things_are_done_in_the_order_of_their_deadlines() -> None:
    scheduler, done, may = DeadlineScheduler(), queue.Queue[str](), threading.Event()
    scheduler.after(0.0, lambda: done.put("waited") if may.wait(10) else None)  # until all are there
    scheduler.after(0.0, lambda: done.put("second"))
    scheduler.after(-3600.0, lambda: done.put("first"))
    may.set()
    found = [done.get(timeout=10) for _ in range(3)]
    assert [word for word in found if word != "waited"] == ["first", "second"]
    scheduler.close()


def test_what_is_cancelled_is_not_done() -> None:
    scheduler, done = DeadlineScheduler(), queue.Queue[str]()
    cancel = scheduler.after(0.5, lambda: done.put("cancelled"))  # so long it may take until the next line
    cancel()
    cancel()
    scheduler.after(0.5, lambda: done.put("later"))
    assert done.get(timeout=10) == "later"
    scheduler.close()


def test_what_is_cancelled_is_let_go_long_before_its_deadline() -> None:
    """A call that ended would stay in memory, with all that it heard, until it would have been ended by force."""
    scheduler, call = DeadlineScheduler(), Call()
    gone = weakref.ref(call)
    cancel = scheduler.after(3600.0, call.end)
    del call
    assert gone() is not None
    cancel()
    assert gone() is None
    scheduler.close()
