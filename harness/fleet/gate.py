"""The gate of a deployment at a site of a fleet: its limits, and those of shared trunks, hold over all sites."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

from harness.deployment import Deployment
from harness.errors import RefusedError, ResourceError
from harness.fleet.config import SharedTrunk
from harness.fleet.state import CallRequest, ShardRef, State

#: A hang-up that nobody answers takes so long (RFC 3261 timers B, F: 64 × T1), and a process some time to notice that it has to.
LONGEST_HANGUP_S = 32.0 + 8.0
_POLL_S = 0.05


def longest_call_s(deployment: Deployment) -> float:
    """How long a call may be up whose process is gone: its cap and the longest hang-up together."""
    return deployment.limits.seconds_per_call + LONGEST_HANGUP_S


class RedisGate:
    """An implementation of :class:`harness.limits.Gate`. ``case`` says which case the process runs, for the ledger."""

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
        self._state, self._ref, self._site, self._deployment, self._case = state, ref, site, deployment, case
        self.limits = limits = deployment.limits
        own = (f"deployment {deployment.name}", limits.concurrent_calls, limits.calls_per_second)
        shared = [
            (f"trunk {trunk.name}", trunk.concurrent_calls, trunk.calls_per_second)
            for trunk in trunks
            if trunk.carries(deployment.name)
        ]
        self._caps = (own, *shared)
        self._changed = changed
        self._lock = threading.Lock()
        self._up = 0

    def admit(self, within: float) -> RedisPermit:
        """As :meth:`harness.limits.Gate.admit`; a Redis that cannot be asked for so long lets nothing through."""
        deadline = time.monotonic() + within
        request = self._request()
        why = "calls_per_second"
        while (left := deadline - time.monotonic()) > 0:
            said, what, used = self._state.admit(request, left)
            if said == "go":
                time.sleep(float(what) / 1000)
                self._count(+1)
                return RedisPermit(self, request)
            if said == "refused":
                raise RefusedError(f"this run's calls have used {used}; allowed: limits.{what}")
            if said == "shut":
                raise ResourceError(f"no call is placed: {what}")
            why = what
            time.sleep(_POLL_S)
        raise ResourceError(f"no call may be placed within {within:g} s over all sites ({why})")

    def _request(self) -> CallRequest:
        limits = self.limits
        entry: dict[str, object] = {
            "case": self._case(),
            "deployment": self._deployment.name,
            "site": self._site,
            "shard": self._ref.shard,
            "attempt": self._ref.attempt,
        }
        return CallRequest(
            ref=self._ref,
            deployment=self._deployment.name,
            token=secrets.token_hex(12),
            entry=entry,
            caps=self._caps,
            lease_s=longest_call_s(self._deployment),
            longest_s=limits.seconds_per_call,
            calls_per_run=limits.calls_per_run,
            seconds_per_run=limits.seconds_per_run,
            cost=limits.cost(limits.seconds_per_call),
            cost_per_run=limits.cost_per_run,
        )

    def another(self, request: CallRequest) -> None:
        """Count one more call in the place of one."""
        counted = self._state.another(request)
        if counted < 0:
            raise ResourceError("no call is placed: Redis does not know this run")
        if not counted:
            raise RefusedError(
                f"this run has placed its calls; allowed: limits.calls_per_run = {self.limits.calls_per_run}"
            )

    def settle(self, request: CallRequest, placed_at: float) -> None:
        """Count what an ended call used, and free its place."""
        seconds = min(time.monotonic() - placed_at, self.limits.seconds_per_call)
        self._count(-1)
        self._state.settle(request, seconds, self.limits.cost(seconds))

    def _count(self, change: int) -> None:
        with self._lock:
            self._up += change
            self._changed(self._up)


class RedisPermit:
    """One call's place over all sites."""

    def __init__(self, gate: RedisGate, request: CallRequest) -> None:
        self._gate: RedisGate = gate
        self._request = request
        self._placed_at = time.monotonic()
        self._lock = threading.Lock()
        self._released = False

    def another(self) -> None:
        """Count one more call in this one's place. Raises :class:`RefusedError`."""
        self._gate.another(self._request)

    def release(self) -> None:
        """The call has ended; harmless when done twice."""
        with self._lock:
            if self._released:
                return
            self._released = True
        # In a thread of its own: where a call ends, all phones' events wait, and Redis may be away.
        threading.Thread(target=self._gate.settle, args=(self._request, self._placed_at), name="settle").start()
