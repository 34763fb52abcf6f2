"""A lost world interrupts the main thread where that is safe."""

from __future__ import annotations

import contextlib
import re
import signal
import threading
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from _pytest.threadexception import collect_thread_exception

from harness.errors import BrokenError, WorldLostError
from harness.run.plugin.run import Run
from harness.run.plugin.watch import Watch
from harness.support.heartbeat import AFTERWARDS_S, DOUBTFUL_S, Heartbeat, Listener


@pytest.fixture
def watch() -> Iterator[Watch]:
    before = signal.getsignal(signal.SIGUSR1)
    yield Watch(cast("Run", types.SimpleNamespace(deployments=(), lost={})))
    signal.signal(signal.SIGUSR1, before)


def code_of(package: str, text: str) -> types.ModuleType:
    """A module that claims to belong to that package."""
    module = types.ModuleType(f"{package}.made_up")
    vars(module)["contextlib"] = contextlib
    exec(text, vars(module))
    return module


SIGNALLED = """
import signal
def work():
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(signal.raise_signal, signal.SIGUSR1)
    return "done"
"""


@pytest.mark.parametrize("package", ["harness", "test_mine"])
def test_dead_world_interrupts_the_case(watch: Watch, package: str) -> None:
    with watch.waiting_on("home"):
        watch._run.lost["home"] = "the simulated world of home died"
        with pytest.raises(WorldLostError, match="home died"):
            code_of(package, SIGNALLED).work()
    signal.raise_signal(signal.SIGUSR1)  # no effect outside of a case
    with pytest.raises(WorldLostError, match="home died"):
        watch.waiting_on("home").__enter__()


@pytest.mark.parametrize("package", ["_pytest", "allure_commons"])
def test_pytests_own_code_is_interrupted_only_afterwards(watch: Watch, package: str) -> None:
    with watch.waiting_on("home"):
        watch._run.lost["home"] = "the simulated world of home died"
        assert code_of(package, SIGNALLED).work() == "done"
        with pytest.raises(WorldLostError, match="home died"):
            signal.raise_signal(signal.SIGUSR1)


def test_stalled_world_breaks_the_case_however_late(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert watch.fault("home", 100.0) is None
    monkeypatch.setattr(time, "monotonic", lambda: 110.0)
    watch._silent("home", DOUBTFUL_S - 0.1)
    assert watch.fault("home", 100.0) is None
    watch._silent("home", DOUBTFUL_S)
    monkeypatch.setattr(time, "monotonic", lambda: 500.0)
    for under_way in (100.0, 110.0 + AFTERWARDS_S - 0.1):
        fault = watch.fault("home", under_way)
        assert isinstance(fault, WorldLostError)
        assert "home did not stir for 1.0 s" in str(fault)
    assert watch.fault("home", 110.0 + AFTERWARDS_S) is None, (
        "that case began when the world was itself again"
    )
    assert watch.fault("away", 100.0) is None, "another deployment's world stirs"


def test_world_with_an_error_breaks_the_case(watch: Watch, tmp_path: Path) -> None:
    heart = Heartbeat(tmp_path / "beat")
    watch._listeners["home"] = Listener(tmp_path / "beat")
    assert watch.fault("home", 0.0) is None
    heart.beat(errors=1)
    fault = watch.fault("home", 0.0)
    assert isinstance(fault, WorldLostError)
    assert "home had an error of its own" in str(fault)


def test_dead_thread_breaks_what_would_have_failed(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", others.append)
    dead: list[str] = []
    watch.threads(dead)
    assert watch.fault("home", 0.0) is None

    def call() -> None:
        raise ValueError("no call\nto +14155550101")

    thread = threading.Thread(target=call, name="phones 12")
    thread.start()
    thread.join()
    fault = watch.fault("home", 0.0)
    assert isinstance(fault, BrokenError)
    assert [str(fault)] == dead
    (said,) = dead
    assert said.startswith("the thread phones 12 ended by ValueError: no call to +1415•••0101 at")
    assert re.search(r" at test_watch\.py:\d+$", said)
    assert len(others) == 1, "the hook that was there is called as well"


def test_dead_thread_fails_the_test_that_it_dies_in(pytestconfig: pytest.Config) -> None:
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    with pytest.raises(pytest.PytestUnhandledThreadExceptionWarning):
        collect_thread_exception(pytestconfig)  # as pytest does after each phase of a test
