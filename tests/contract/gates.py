"""Makes call gates for tests/contract/test_gates.py, in this process or in another one."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import redis

from harness.deployment import Limits
from harness.deployment.limits import CallGate, Gate
from harness.run.fleet.site import RedisGate
from harness.run.fleet.state import ShardRef, State

Changed = Callable[[int], None]
_NUMBERS = itertools.count(1)


def _no_counter(calls: int) -> None:
    pass


def limits(**asked: float) -> Limits:
    """Limits that let nearly everything through, except for those given."""
    wide = {"concurrent_calls": 100, "calls_per_second": 10_000.0, "calls_per_run": 1000}
    return Limits.model_validate(wide | asked)


class Gates(Protocol):
    """The gates of one deployment in one run. Each call makes the gate of another worker; all share
    their counts.
    """

    def __call__(self, changed: Changed = _no_counter, /, **asked: float) -> Gate: ...

    def damage(self) -> None:
        """Make the shared counts unreadable."""

    @property
    def words(self) -> list[str]:
        """What :func:`from_words` makes the same gates from, in another process."""

    def close(self) -> None:
        """Close connections."""


class LockFiles:
    """Gates that keep their counts in a directory of this machine."""

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory)

    def __call__(self, changed: Changed = _no_counter, /, **asked: float) -> Gate:
        return CallGate(self._directory, limits(**asked), changed)

    def damage(self) -> None:
        (self._directory / "books.json").write_text("{")

    @property
    def words(self) -> list[str]:
        return ["LockFiles", str(self._directory)]

    def close(self) -> None:
        pass


class RedisSites:
    """Gates that keep their counts in Redis, of a run that :meth:`new` begins."""

    def __init__(self, address: str, run: str) -> None:
        self._address, self._run = address, run
        self._shard = ShardRef(run=run, nonce="n", shard=1, attempt=1, token="t")
        self._state = State(address, within_s=5.0)

    @classmethod
    def new(cls, address: str) -> RedisSites:
        gates = cls(address, f"run-{next(_NUMBERS)}")
        gates._state.begin(gates._run, gates._shard.nonce)
        assert gates._state.queue(gates._shard)
        assert gates._state.claim(gates._shard, 600.0)
        return gates

    def __call__(self, changed: Changed = _no_counter, /, **asked: float) -> Gate:
        deployment: Any = SimpleNamespace(
            name=self._run, limits=limits(**asked)
        )  # as much of one as the gate reads
        return RedisGate(self._state, self._shard, "ams", deployment, (), lambda: "CASE", changed)

    def damage(self) -> None:
        with redis.Redis.from_url(self._address) as client:
            client.flushall()

    @property
    def words(self) -> list[str]:
        return ["RedisSites", self._address, self._run]

    def close(self) -> None:
        self._state.close()


def from_words(words: list[str]) -> Gates:
    """Gates from their words."""
    kind, *arguments = words
    return LockFiles(*arguments) if kind == "LockFiles" else RedisSites(*arguments)


def most_at_once(calls: list[tuple[float, float]]) -> int:
    """The most calls that were up at one moment; each call is its begin and its end."""
    changes = sorted([(end, -1) for _, end in calls] + [(begin, 1) for begin, _ in calls])
    up = most = 0
    for _, change in changes:
        up += change
        most = max(most, up)
    return most
