"""The live line is drawn in another thread than the one that counts the cases."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from harness.case.verdict import Verdict
from harness.run.plugin.interruption import INTERRUPTION
from harness.run.plugin.live_line import Standing
from harness.run.plugin.progress import Progress

NAMES = [f"INBOUND[lab:{number}]" for number in range(3000)]


@pytest.fixture
def _often_switching() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def progress() -> Iterator[Progress]:
    cases = [SimpleNamespace(id=name, row=SimpleNamespace(seconds=2.0)) for name in NAMES]
    run: Any = SimpleNamespace(cases=cases, case_ids=frozenset(NAMES), slots=2)
    config: Any = SimpleNamespace(
        getoption=lambda name, default=None: default,
        pluginmanager=SimpleNamespace(get_plugins=list),
    )
    made = Progress(run, config)
    yield made
    made._console.file.close()


def ended(name: str) -> Any:
    return SimpleNamespace(
        nodeid=f"test_a.py::test_b[{name}]",
        when="teardown",
        user_properties=[("verdict", "passed")],
    )


@pytest.mark.usefixtures("_often_switching")
def test_line_can_be_drawn_while_cases_are_planned_and_end(progress: Progress) -> None:
    """It read the run's dictionaries, and died in two of four runs: "dictionary changed size during
    iteration".
    """
    over = Event()

    def draw() -> int:
        drawn = 0
        while not over.is_set():
            progress._line()
            drawn += 1
        return drawn

    with ThreadPoolExecutor(1) as pool:
        drawn = pool.submit(draw)
        try:
            for begin in range(0, len(NAMES), 100):
                some = NAMES[begin : begin + 100]
                progress.pytest_xdist_node_collection_finished([ended(n).nodeid for n in some])
                for name in some:
                    progress.pytest_runtest_logreport(ended(name))
        finally:
            over.set()
        assert drawn.result() > 0
    assert progress._line().plain.startswith("         3000/3000 cases · 3000 passed · ")


def test_line_has_counts_time_and_pace() -> None:
    begun = Standing()
    assert begun.line(0.5, 2, 0).plain == "         0/… cases · 0 calls up · 0.5 s"
    planned = begun.with_plan([5.0, 5.0, 10.0])
    first = planned.with_ended(Verdict.FAILED, 5.0)
    second = first.with_ended(Verdict.PASSED, 5.0)
    assert first.line(9.0, 2, 1).plain == "         1/3 cases · 1 calls up · 1 failed · 9.0 s"
    assert second.line(9.0, 2).plain == (
        "         2/3 cases · 1 passed · 1 failed · 9.0 s · about 9 s left"
    )
    assert planned.line(0.0, 2).plain == "         0/3 cases · 0.0 s", "an earlier one is unchanged"


@pytest.mark.parametrize(
    ("environment", "is_live"),
    [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"TERM": "xterm", "PIPE": "1"}, False)],
)
def test_line_is_redrawn_where_the_terminal_can(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], is_live: bool
) -> None:
    """A terminal that cannot got no line at all; a pipe, where FORCE_COLOR is set, five a second."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ours, theirs = os.pipe() if "PIPE" in environment else os.openpty()
    with open(theirs, "w", encoding="utf-8") as output, open(ours, encoding="utf-8"):
        monkeypatch.setattr(sys, "__stdout__", output)
        monkeypatch.setattr(threading, "excepthook", threading.excepthook)
        run: Any = SimpleNamespace(cases=[], slots=1, calls_up=SimpleNamespace(total=int))
        options = {"verbose": 0, "json": False}
        config: Any = SimpleNamespace(
            getoption=lambda name, default=None: options.get(name, default),
            pluginmanager=SimpleNamespace(getplugin=lambda name: None),
            stash=pytest.Stash(),
        )
        config.stash[INTERRUPTION] = SimpleNamespace()
        monkeypatch.setattr("harness.run.plugin.progress.ignored", lambda *_: [])
        run.deployments = ()
        progress = Progress(run, config)
        progress.pytest_sessionstart()
        assert progress._live is None, "preflight prints its lines first"
        progress.pytest_runtestloop()
        try:
            assert (progress._live is not None) is is_live
        finally:
            if progress._live is not None:
                progress._live.stop()
            progress._console.file.close()
