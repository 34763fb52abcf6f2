"""Workers begin as soon as they have collected, with the cases that xdist itself would deal them."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from xdist.scheduler import LoadScheduling

from harness.run.plugin.workers import AsTheyCome, start


class Config:
    """The parts of pytest's config that a scheduler uses."""

    def __init__(self, workers: int, while_starting: Callable[[], object] = bool) -> None:
        self.while_starting = while_starting
        self.reports: list[Any] = []
        self.started: list[str] = []
        self.hook = SimpleNamespace(pytest_collectreport=lambda report: self.reports.append(report))
        self._options = {"tx": ["popen"] * workers, "maxschedchunk": 1}
        nodes = SimpleNamespace(setup_node=self._start)
        session = SimpleNamespace(
            nodemanager=nodes, queue=SimpleNamespace(put=None), _active_nodes=set()
        )
        self.pluginmanager = SimpleNamespace(get_plugin=lambda name: session)

    def _start(self, spec: str, put: None) -> str:
        self.while_starting()
        self.started.append(spec)
        return spec

    def getvalue(self, name: str) -> Any:
        return self._options[name]

    getoption = getvalue


@dataclass(eq=False)
class Worker:
    """The parts of a worker node that a scheduler uses."""

    number: int
    told: list[int] = field(default_factory=list)
    shutting_down: bool = False

    @property
    def gateway(self) -> SimpleNamespace:
        return SimpleNamespace(id=f"gw{self.number}")

    def send_runtest_some(self, cases: Sequence[int]) -> None:
        self.told += cases

    def shutdown(self) -> None:
        self.shutting_down = True


def scheduler_of(config: Any, *others: str) -> AsTheyCome:
    return AsTheyCome(config, None, others)


def collected(count: int) -> list[str]:
    return [f"case {number}" for number in range(count)]


def come(scheduler: LoadScheduling, workers: Sequence[Worker], cases: int) -> None:
    for worker in workers:
        scheduler.add_node(worker)
        scheduler.add_node_collection(worker, collected(cases))
        if scheduler.collection_is_completed:
            scheduler.schedule()


@pytest.mark.parametrize(
    ("cases", "workers"), [(0, 1), (1, 1), (3, 3), (15, 10), (19, 10), (20, 10), (347, 10)]
)
def test_workers_begin_with_the_cases_xdist_deals(cases: int, workers: int) -> None:
    ours, xdists = ([Worker(number) for number in range(workers)] for _ in range(2))
    come(scheduler_of(Config(workers)), ours, cases)
    come(LoadScheduling(Config(workers)), xdists, cases)
    assert [worker.told for worker in ours] == [worker.told for worker in xdists]
    if cases:
        assert [worker.shutting_down for worker in ours] == [
            worker.shutting_down for worker in xdists
        ]


def test_first_worker_begins_before_the_others_and_each_starts_two_more() -> None:
    """All at once, they took the processors from its first call."""
    config = Config(5)
    scheduler = scheduler_of(config, "second", "third", "fourth", "fifth")
    first = Worker(0)
    come(scheduler, [first], 13)
    assert first.told == [0, 1]
    assert config.started == ["second", "third"]
    assert not scheduler.tests_finished
    come(scheduler, [Worker(1)], 13)
    assert config.started == ["second", "third", "fourth", "fifth"]
    come(scheduler, [Worker(2), Worker(3), Worker(4)], 13)
    assert len(config.started) == 4


def test_ctrl_c_ends_a_worker_that_is_half_started() -> None:
    """It wrote a traceback to the terminal."""
    with subprocess.Popen(["sleep", "60"]) as other:
        begun: list[subprocess.Popen[bytes]] = []

        def begin() -> None:
            begun.append(subprocess.Popen(["sleep", "60"]))
            signal.raise_signal(signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            start(Config(2, while_starting=begin), ["second", "third"])  # type: ignore[arg-type]
        assert [process.wait() for process in begun] == [-signal.SIGKILL]
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize("cases", [3, 9])
def test_cases_of_a_dead_worker_go_to_its_successor(cases: int) -> None:
    scheduler = scheduler_of(Config(2))
    first, second, third = (Worker(number) for number in range(3))
    come(scheduler, [first], cases)
    assert scheduler.remove_node(first) == "case 0"
    come(scheduler, [second, third], cases)
    while not scheduler.tests_finished:
        for worker in (second, third):
            scheduler.mark_test_complete(worker, scheduler.node2pending[worker][0])
    assert sorted(second.told + third.told) == list(range(1, cases))


def test_worker_with_another_collection_runs_nothing() -> None:
    config = Config(2)
    scheduler = scheduler_of(config)
    first, second = Worker(0), Worker(1)
    come(scheduler, [first], 4)
    scheduler.add_node(second)
    scheduler.add_node_collection(second, [*collected(3), "another"])
    scheduler.schedule()
    assert second.told == []
    assert second.shutting_down
    assert [report.outcome for report in config.reports] == ["failed"]
