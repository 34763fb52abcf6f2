"""The gate of a deployment at a site of a fleet: its limits, and those of shared trunks, hold over all sites."""

from __future__ import annotations

import dataclasses
import secrets
import threading
import time
from collections.abc import Callable

from harness.deployment import Deployment
from harness.errors import RefusedError, ResourceError
from harness.run.fleet.config import SharedTrunk
from harness.run.fleet.state import CallRequest, ShardRef, State

#: Duration of an unanswered hang-up (RFC 3261 timers B, F: 64 × T1), plus the time until the process notices.
LONGEST_HANGUP_S = 32.0 + 8.0
_POLL_S = 0.05


def longest_call_s(deployment: Deployment) -> float:
    """How long a call may be up whose process is gone: its cap and the longest hang-up together."""
    return deployment.limits.seconds_per_call + LONGEST_HANGUP_S


class RedisGate:
    """An implementation of :class:`harness.deployment.limits.Gate`. ``case`` says which case the process runs, for the ledger."""

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
        """As :meth:`harness.deployment.limits.Gate.admit`; a Redis that cannot be asked for so long lets nothing through."""
        deadline = time.monotonic() + within
        request = self._request()
        why = "calls_per_second"
        while (left := deadline - time.monotonic()) > 0:
            said, what, used = self._state.admit(request, left)
            if said == "go":
                self._count(+1)
                try:
                    time.sleep(float(what) / 1000)
                except BaseException:  # a signal's, too
                    RedisPermit(self, request, _Place()).release()
                    raise
                return RedisPermit(self, request, _Place())
            self._raise_for_good(said, what, used)
            why = what
            time.sleep(_POLL_S)
        raise ResourceError(f"no call may be placed within {within:g} s over all sites (limits.{why})")

    def _raise_for_good(self, said: str, what: str, used: str) -> None:
        if said == "refused":
            raise RefusedError(f"this run's calls have used {used}; allowed: limits.{what}")
        if said == "shut":
            raise ResourceError(f"no call is placed: {what}")

    def _request(self) -> CallRequest:
        limits = self.limits
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
            longest_s=limits.seconds_per_call,
            calls_per_run=limits.calls_per_run,
            seconds_per_run=limits.seconds_per_run,
            cost=limits.cost(limits.seconds_per_call),
            cost_per_run=limits.cost_per_run,
        )

    def another(self, request: CallRequest) -> CallRequest:
        """Ask for one more call in the place of one; it does not wait, as the far end waits for the answer to its REFER."""
        request = dataclasses.replace(request, token=secrets.token_hex(12))
        said, what, used = self._state.another(request)
        self._raise_for_good(said, what, used)
        if said != "go":
            raise ResourceError(f"no call may take another's place: those under way may use up limits.{what}")
        self._count(+1)
        return request

    def settle(self, request: CallRequest, placed_at: float, *, frees_place: bool) -> None:
        """Count what an ended call used, and free its place where it was the last one there."""
        seconds = min(time.monotonic() - placed_at, self.limits.seconds_per_call)
        self._count(-1)
        self._state.settle(request, seconds, self.limits.cost(seconds), frees_place=frees_place)

    def _count(self, change: int) -> None:
        with self._lock:
            self._up += change
            self._changed(self._up)


class _Place:
    """How many calls are in one place: two while a transfer replaces one by the other."""

    def __init__(self) -> None:
        self._calls = 1
        self._lock = threading.Lock()

    def join(self) -> None:
        """One more call is in it."""
        with self._lock:
            self._calls += 1

    def leave(self) -> bool:
        """A call has ended; whether it was the last one there."""
        with self._lock:
            self._calls -= 1
            return self._calls == 0


class RedisPermit:
    """One call's place over all sites."""

    def __init__(self, gate: RedisGate, request: CallRequest, place: _Place) -> None:
        self._gate: RedisGate = gate
        self._request = request
        self._place = place
        self._placed_at = time.monotonic()
        self._lock = threading.Lock()
        self._released = False

    def another(self) -> RedisPermit:
        """As :meth:`harness.deployment.limits.Admitted.another`."""
        with self._lock:
            if self._released:
                raise ResourceError("no call takes the place of one that has ended")
            request = self._gate.another(self._request)
            self._place.join()
        return RedisPermit(self._gate, request, self._place)

    def release(self) -> None:
        """The call has ended; harmless when done twice."""
        with self._lock:
            if self._released:
                return
            self._released = True
        # In a thread of its own: where a call ends, all phones' events wait, and Redis may be away.
        settle, last = self._gate.settle, self._place.leave()
        threading.Thread(
            target=settle, args=(self._request, self._placed_at), kwargs={"frees_place": last}, name="settle"
        ).start()
