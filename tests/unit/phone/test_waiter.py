"""Waits: goal, deadline, and an end at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from harness.errors import PhoneLostError
from harness.phone.waiter import NeverCame, wait_for
from harness.verdict import ExpectationError, Verdict


class Scene:
    """Something to wait for, and the condition that tells of it."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.found: str | None = None
        self.end: str | BaseException | None = None

    def later(self, change: Callable[[], None]) -> None:
        def ring() -> None:
            with self.changed:
                change()
                self.changed.notify_all()

        threading.Timer(0.02, ring).start()

    def wait(self, within: float) -> str:
        return wait_for(
            self.changed,
            lambda: self.found,
            goal="a sign",
            within=within,
            subject="alice.1",
            hopeless=lambda: self.end,
            log=lambda: "the log",
        )


def test_what_is_there_is_returned_even_when_all_is_lost() -> None:
    scene = Scene()
    scene.found, scene.end = "it", PhoneLostError("gone")
    assert scene.wait(0) == "it"


def test_what_comes_is_returned_when_it_comes() -> None:
    scene = Scene()
    scene.later(lambda: setattr(scene, "found", "it"))
    assert scene.wait(30) == "it"


def test_a_deadline_names_the_goal_and_ends_with_the_log() -> None:
    with pytest.raises(NeverCame) as caught:
        Scene().wait(0.01)
    assert isinstance(caught.value, ExpectationError)
    finding = caught.value.finding
    assert (finding.verdict, finding.subject) == (Verdict.FAILED, "alice.1")
    assert finding.expected == "a sign within 0.01 s"
    assert str(caught.value).endswith("it never came\nthe log")


@pytest.mark.parametrize("end", ["the call has ended", PhoneLostError("gone")])
def test_a_hopeless_wait_ends_at_once(end: str | PhoneLostError) -> None:
    scene = Scene()
    scene.later(lambda: setattr(scene, "end", end))
    begin = time.monotonic()
    with pytest.raises(PhoneLostError if isinstance(end, PhoneLostError) else NeverCame, match=str(end)):
        scene.wait(60)
    assert time.monotonic() - begin < 30
