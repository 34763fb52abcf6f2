"""A site's pytest: every call passes the fleet's gate, whose limits hold over all sites, and
evidence is stored when a case ends.

The plugin is loaded by ``-p harness.run.fleet.site`` in the xdist controller and its workers. The
task is in the environment (:data:`TASK_VARIABLE`), which no softphone and no world inherits.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from harness.deployment import Deployment
from harness.deployment.limits import Permit
from harness.errors import RefusedError, ResourceError
from harness.report import scope
from harness.report.run_directory import CASES, case_directory
from harness.run.fleet.plan import SharedTrunk
from harness.run.fleet.state import CallRequest, ShardRef, State, redis_address
from harness.run.fleet.store import REST, SCOPE, Store
from harness.run.plugin.run import Run, case_of, run_of

#: Duration of an unanswered hang-up (RFC 3261 timers B, F: 64 × T1), plus the time until the
#: process notices.
LONGEST_HANGUP_S = 32.0 + 8.0
_POLL_S = 0.05


def longest_call_s(deployment: Deployment) -> float:
    """How long a call may be up whose process is gone: its cap and the longest hang-up together."""
    return deployment.limits.seconds_per_call + LONGEST_HANGUP_S


class RedisGate:
    """An implementation of :class:`harness.deployment.limits.Gate`. ``case`` says which case the
    process runs, for the ledger.
    """

    def __init__(
        self,
        state: State,
        ref: ShardRef,
        site: str,
        deployment: Deployment,
        trunks: tuple[SharedTrunk, ...],
        case: Callable[[], str],
        changed: Callable[[int], None] = lambda calls: None,
    ) -> None:
        self._state, self._ref, self._site = state, ref, site
        self._deployment, self._case = deployment, case
        self.limits = limits = deployment.limits
        caps = [(f"deployment {deployment.name}", limits.concurrent_calls, limits.calls_per_second)]
        for trunk in trunks:
            if trunk.carries(deployment.name):
                caps.append((f"trunk {trunk.name}", trunk.concurrent_calls, trunk.calls_per_second))
        self._caps = tuple(caps)
        self._changed = changed
        self._lock = threading.Lock()
        #: In each place: two while a transfer replaces one by the other.
        self._calls = Counter[str]()

    def admit(self, within: float) -> Permit[CallRequest]:
        """As :meth:`harness.deployment.limits.Gate.admit`; a Redis that cannot be asked for so long
        lets nothing through.
        """
        deadline = time.monotonic() + within
        request = self._request()
        why = "calls_per_second"
        while (left := deadline - time.monotonic()) > 0:
            said, what, used = self._state.admit(request, left)
            if said == "go":
                self._count(request, +1)
                try:
                    time.sleep(float(what) / 1000)
                except BaseException:  # a signal's, too
                    self._settle(request, time.monotonic())
                    raise
                return self._permit(request)
            self._raise_for_good(said, what, used)
            why = what
            time.sleep(_POLL_S)
        raise ResourceError(
            f"no call may be placed within {within:g} s over all sites (limits.{why})"
        )

    def _permit(self, request: CallRequest) -> Permit[CallRequest]:
        return Permit(request, self._settle, self._another)

    def _raise_for_good(self, said: str, what: str, used: str) -> None:
        if said == "refused":
            raise RefusedError(f"this run's calls have used {used}; allowed: limits.{what}")
        if said == "shut":
            raise ResourceError(f"no call is placed: {what}")

    def _request(self) -> CallRequest:
        entry: dict[str, object] = {
            "case": self._case(),
            "deployment": self._deployment.name,
            "site": self._site,
            "shard": self._ref.shard,
            "attempt": self._ref.attempt,
        }
        token = secrets.token_hex(12)
        return CallRequest(
            ref=self._ref,
            deployment=self._deployment.name,
            token=token,
            place=token,
            entry=entry,
            caps=self._caps,
            lease_s=longest_call_s(self._deployment),
            limits=self.limits,
        )

    def _another(self, request: CallRequest) -> Permit[CallRequest]:
        """Ask for one more call in the place of one; it does not wait, as the far end waits for the
        answer to its REFER.
        """
        request = dataclasses.replace(request, token=secrets.token_hex(12))
        said, what, used = self._state.another(request)
        self._raise_for_good(said, what, used)
        if said != "go":
            raise ResourceError(
                f"no call may take another's place: those under way may use up limits.{what}"
            )
        self._count(request, +1)
        return self._permit(request)

    def _settle(self, request: CallRequest, placed_at: float) -> None:
        """Count what an ended call used, and free its place where it was the last one there."""
        seconds = min(time.monotonic() - placed_at, self.limits.seconds_per_call)
        left = self._count(request, -1)
        cost = self.limits.cost(seconds)
        settle = partial(self._state.settle, request, seconds, cost, frees_place=not left)
        # In a thread of its own: where a call ends, all phones' events wait, and Redis may be away.
        threading.Thread(target=settle, name="settle").start()

    def _count(self, request: CallRequest, change: int) -> int:
        """How many calls its place has then."""
        with self._lock:
            self._calls[request.place] += change
            self._changed(self._calls.total())
            return self._calls[request.place]


# -- the plugin

#: The environment variable that holds the task as JSON.
TASK_VARIABLE = "HARNESS_FLEET_TASK"
#: The environment variable that names a pipe: it closes when the Celery worker is gone, and all
#: calls are hung up.
LIFELINE_VARIABLE = "HARNESS_FLEET_LIFELINE"

#: The id of the case that this process runs; empty: none.
_CASE = pytest.StashKey[str]()


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Put the fleet's gate in the place of the run's own."""
    run = run_of(config)
    if run is None:
        return
    task: dict[str, Any] = json.loads(os.environ[TASK_VARIABLE])
    ref, site = ShardRef(**task["ref"]), str(task["site"])
    trunks = tuple(SharedTrunk.model_validate(trunk) for trunk in task["trunks"])
    state = State(redis_address())
    config.stash[_CASE] = ""
    run.make_gate = lambda deployment, changed: RedisGate(
        state, ref, site, deployment, trunks, lambda: config.stash[_CASE], changed
    )
    if not hasattr(config, "workerinput"):
        _watch_lifeline()
        sender = Sender(run, ref, Store(task["results"], ref.run))
        config.pluginmanager.register(sender, "harness-fleet-sender")


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
        """Store a case when it has ended; a case whose worker died is run again instead."""
        said = dict(report.user_properties)
        if report.when != "teardown" or said.get("tried again") or "case" not in said:
            return
        case = next(case for case in self._run.cases if case.id == said["case"])
        attempts = int(str(said.get("attempt", "1")))
        put_case = partial(self._store.put_case, self._ref.shard, self._ref.attempt)
        for attempt in range(1, attempts + 1):
            plain = {**self._run.plain(case), "attempt": attempt}
            directory = case_directory(self._run.directory, plain)
            self._sent.append(self._executor.submit(put_case, directory))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Any:
        """Store the rest, and wait until all is stored."""
        yield
        run = self._run.directory
        rest = [path for path in run.iterdir() if path.name not in (CASES, "control", scope.FILE)]
        self._store.put(self._ref.shard, self._ref.attempt, REST, *rest, within=run)
        self._executor.shutdown(wait=True)
        for sent in self._sent:
            with contextlib.suppress(ResourceError):  # the controller notices missing evidence
                sent.result()


def _watch_lifeline() -> None:
    """End as on Ctrl-C when the worker is gone."""
    if not (descriptor := os.environ.pop(LIFELINE_VARIABLE, "")):
        return

    def watch() -> None:
        while os.read(int(descriptor), 64):
            pass
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
