"""The caps of a run, over its processes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from harness.deployment import Limits
from harness.errors import RefusedError, ResourceError
from harness.limits import CallGate

SOON = 0.05


def limits(**more: object) -> Limits:
    return Limits.model_validate({"concurrent_calls": 3, "calls_per_second": 1e6, "seconds_per_call": 60.0} | more)


def test_calls_of_a_run_are_counted(tmp_path: Path) -> None:
    gate = CallGate(tmp_path, limits(calls_per_run=2))
    gate.admit(30.0).release()
    CallGate(tmp_path, limits(calls_per_run=2)).admit(30.0).release()  # as another worker would
    with pytest.raises(RefusedError, match=r"limits\.calls_per_run = 2"):
        gate.admit(SOON)


def test_calls_at_once_are_held(tmp_path: Path) -> None:
    gate = CallGate(tmp_path, limits())
    held = [gate.admit(30.0) for _ in range(3)]
    with pytest.raises(ResourceError, match="concurrent_calls = 3"):
        gate.admit(SOON)
    held[0].release()
    gate.admit(30.0)


def test_a_call_is_entered_at_its_longest_time(tmp_path: Path) -> None:
    gate = CallGate(tmp_path, limits(seconds_per_run=100.0))
    first = gate.admit(30.0)
    with pytest.raises(ResourceError, match=r"limits\.seconds_per_run = 100"):
        gate.admit(SOON)  # 60 s are promised already, 60 more would be too many
    first.release()
    gate.admit(30.0)  # the first one took no time to speak of


def test_a_waiting_call_goes_on_when_another_is_settled(tmp_path: Path) -> None:
    gate = CallGate(tmp_path, limits(seconds_per_run=100.0))
    first = gate.admit(30.0)
    admitted = threading.Event()

    def wait() -> None:
        gate.admit(10.0).release()
        admitted.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    first.release()
    assert admitted.wait(10.0)
    waiting.join()


def test_a_run_that_has_used_its_seconds_is_refused(tmp_path: Path) -> None:
    gate = CallGate(tmp_path, limits(seconds_per_run=60.0))
    permit = gate.admit(30.0)
    time.sleep(0.02)  # the call lasts
    permit.release()
    with pytest.raises(RefusedError, match=r"limits\.seconds_per_run = 60"):
        gate.admit(SOON)


def test_money_is_counted_by_the_begun_minute(tmp_path: Path) -> None:
    priced = limits(cost_per_minute=0.5, cost_per_run=1.2)
    assert [priced.cost(seconds) for seconds in (0.1, 60.0, 61.0)] == [0.5, 0.5, 1.0]
    gate = CallGate(tmp_path, priced)
    for _ in range(2):
        permit = gate.admit(30.0)
        time.sleep(0.002)
        permit.release()
    with pytest.raises(RefusedError, match=r"limits\.cost_per_run = 1\.2"):
        gate.admit(SOON)


def test_a_call_whose_worker_died_stays_entered_in_full(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from harness.deployment import Limits; from harness.limits import CallGate\n"
        "gate = CallGate(Path(sys.argv[1]), Limits(seconds_per_call=60.0, seconds_per_run=150.0, calls_per_second=1e6))\n"
        "gate.admit(30.0); os.kill(os.getpid(), 9)"
    )
    died = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert died.returncode == -9
    gate = CallGate(tmp_path, limits(seconds_per_run=150.0))
    gate.admit(30.0)  # 60 of the dead, 60 of this one
    with pytest.raises((RefusedError, ResourceError), match=r"limits\.seconds_per_run"):
        gate.admit(SOON)


@pytest.mark.parametrize("text", ["", "{", '{"placed": 1, "unknown": 2}', "[]", "null"])
def test_books_that_cannot_be_read_let_nothing_through(tmp_path: Path, text: str) -> None:
    gate = CallGate(tmp_path, limits())
    gate.admit(30.0).release()
    (tmp_path / "books.json").write_text(text)
    with pytest.raises(ResourceError, match="cannot be read"):
        gate.admit(30.0)  # it is said at once; a busy machine may take longer than SOON to get there


def test_a_permit_is_given_back_once(tmp_path: Path) -> None:
    told: list[int] = []
    gate = CallGate(tmp_path, limits(), told.append)
    permit = gate.admit(30.0)
    permit.release()
    permit.release()
    assert told == [1, 0]
