"""What this machine kept a case waiting for: the runner, its softphones, and the world that it simulates."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from harness.phone.pool import PhonePool
from harness.pytest_plugin.pulse import of_this_process
from harness.scenario.evidence import Evidence


def held_against_the_machine(
    evidence: Evidence, pool: PhonePool, world: Callable[[float, float], list[float]] = lambda begin, end: []
) -> None:
    """Have a case's evidence know; ``world`` tells how long its world's audio stood still between two moments, each time."""
    pulse = of_this_process()

    def starved(begin: float, end: float) -> float:
        return max([pulse.starved(begin, end), sum(world(begin, end)), *map(sum, pool.late(begin, end))])

    def at_once(begin: float, end: float) -> float:
        return max([pulse.longest(begin, end), *world(begin, end), *chain.from_iterable(pool.late(begin, end))])

    evidence.starved, evidence.starved_at_once = starved, at_once
