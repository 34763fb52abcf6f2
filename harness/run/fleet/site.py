"""The pytest plugin of a site: every call passes the fleet's gate, and each case's evidence is stored when it ends.

Loaded by ``-p harness.run.fleet.site`` in the xdist controller and its workers. The task is in the environment (:data:`TASK`), which no
softphone and no world inherits.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from harness.errors import ResourceError
from harness.report import scope
from harness.report.run_directory import CASES, case_directory
from harness.run.fleet.config import SharedTrunk, redis_address
from harness.run.fleet.gate import RedisGate
from harness.run.fleet.state import ShardRef, State
from harness.run.fleet.store import REST, SCOPE, Store
from harness.run.plugin.run import Run, case_of, run_of

#: The environment variable that holds the task as JSON.
TASK = "HARNESS_FLEET_TASK"
#: The environment variable that names a pipe: when it closes, the Celery worker is gone, and all calls are hung up.
LIFELINE = "HARNESS_FLEET_LIFELINE"

_SENDER = pytest.StashKey["Sender"]()
#: The id of the case that this process runs; empty: none.
_CASE = pytest.StashKey[str]()


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Put the fleet's gate in the place of the run's own."""
    run = run_of(config)
    if run is None:
        return
    task: dict[str, Any] = json.loads(os.environ[TASK])
    ref, site = ShardRef(**task["ref"]), str(task["site"])
    trunks = tuple(SharedTrunk.model_validate(trunk) for trunk in task["trunks"])
    state = State(redis_address())
    config.stash[_CASE] = ""
    run.make_gate = lambda deployment, changed: RedisGate(
        state, ref, site, deployment, trunks, lambda: config.stash[_CASE], changed
    )
    if not hasattr(config, "workerinput"):
        _watch_lifeline()
        config.stash[_SENDER] = Sender(run, ref, Store(task["results"], ref.run))
        config.pluginmanager.register(config.stash[_SENDER], "harness-fleet-sender")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note the case whose calls come next, for the ledger."""
    case = case_of(item)
    item.config.stash[_CASE] = case.id if case is not None else ""


class Sender:
    """Puts evidence into the store, in the xdist controller."""

    def __init__(self, run: Run, ref: ShardRef, store: Store) -> None:
        self._run, self._ref, self._store = run, ref, store
        self._executor = ThreadPoolExecutor(2, thread_name_prefix="results")
        self._sent: list[Future[None]] = []

    def pytest_sessionstart(self) -> None:
        """Store the run's scope before the first call."""
        run = self._run.directory
        self._store.put(self._ref.shard, self._ref.attempt, SCOPE, run / scope.FILE, within=run)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Store a case when it has ended; one whose worker died has no end: it is run again, and not stored."""
        said = dict(report.user_properties)
        if report.when != "teardown" or said.get("tried again") or "case" not in said:
            return
        case = next(case for case in self._run.cases if case.id == said["case"])
        for attempt in range(1, int(str(said.get("attempt", "1"))) + 1):
            directory = case_directory(self._run.directory, {**self._run.plain(case), "attempt": attempt})
            self._sent.append(
                self._executor.submit(self._store.put_case, self._ref.shard, self._ref.attempt, directory)
            )

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Any:
        """Store the rest, and wait until all is stored."""
        yield
        run = self._run.directory
        rest = [path for path in run.iterdir() if path.name not in (CASES, "control", scope.FILE)]
        self._store.put(self._ref.shard, self._ref.attempt, REST, *rest, within=run)
        self._executor.shutdown(wait=True)
        for sent in self._sent:
            with contextlib.suppress(ResourceError):  # the controller sees what is missing
                sent.result()


def _watch_lifeline() -> None:
    """End as on Ctrl-C when the worker is gone, however it went."""
    if not (descriptor := os.environ.pop(LIFELINE, "")):
        return

    def watch() -> None:
        while os.read(int(descriptor), 64):
            pass
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
