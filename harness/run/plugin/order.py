"""In which order the cases of a run stand, for the workers that take them one after the other."""

from __future__ import annotations

from collections import Counter, deque
from typing import Final

import pytest

from harness.run.plugin.items import case_of
from harness.run.plugin.needs import in_turns
from harness.run.plugin.run import Run

#: A case that lasts longer holds up the one that xdist keeps behind it.
_LONG_S: Final = 10.0


def in_order(items: list[pytest.Item], run: Run) -> list[pytest.Item]:
    """The longest first. xdist hands each worker two to begin with, and a worker keeps the second to itself while the
    first runs: so behind each of the longest stands one of the shortest.

    At the end those that have a stand-in's address for themselves, and last of all those behind which a platform may take
    the trunk for down.
    """
    turns = Counter[str]()

    def place_in_queue(item: pytest.Item) -> tuple[float, int]:
        found = case_of(item)
        if found is None:
            return 0.0, 0
        turns[found.deployment] += 1  # deployments take turns, since one that is real carries few cases at once
        return -found.row.seconds, turns[found.deployment]

    queue = sorted(items, key=place_in_queue)
    first, last = list[pytest.Item](), list[pytest.Item]()
    for item in queue:
        (last if _has_place_alone(item, run) else first).append(item)
    return _dealt(first, run) + sorted(last, key=_troubles_trunk)


def _dealt(queue: list[pytest.Item], run: Run) -> list[pytest.Item]:
    ordered = _taking_turns(queue, run)
    workers = run.workers
    if not workers or len(ordered) < 2 * workers:
        return ordered
    if any(_is_real(item, run) for item in ordered):
        return _two_each(ordered, workers)
    longest, rest, shortest = ordered[:workers], ordered[workers:-workers], ordered[-workers:]
    return [item for pair in zip(longest, reversed(shortest), strict=True) for item in pair] + rest


def _has_place_alone(item: pytest.Item, run: Run) -> bool:
    """Whether the case needs the stand-in's address for itself, so that the phone is set up again afterwards."""
    case = case_of(item)
    return case is not None and case.row.own_place and case.axes["ai"] == "stand-in" and _is_real(item, run)


def _troubles_trunk(item: pytest.Item) -> tuple[bool, float]:
    case = case_of(item)
    assert case is not None
    return case.row.takes_trunk_down, case.row.seconds


def _is_real(item: pytest.Item, run: Run) -> bool:
    case = case_of(item)
    return case is not None and run.deployment(case.deployment).kind != "simulated"


def _two_each(ordered: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """In that order, but behind a long case stands one of the last, which has time; others would wait there for nothing."""
    rest, dealt = deque(ordered[workers:]), list[pytest.Item]()
    for item in ordered[:workers]:
        case = case_of(item)
        dealt += [item, rest.pop() if case is not None and case.row.seconds > _LONG_S else rest.popleft()]
    return dealt + list(rest)


def _taking_turns(items: list[pytest.Item], run: Run) -> list[pytest.Item]:
    """Cases of real deployments in an order in which they do not wait for each other, in the places that such cases have."""
    real = [
        i
        for i, item in enumerate(items)
        if (case := case_of(item)) and run.deployment(case.deployment).kind != "simulated"
    ]
    cases = [found for i in real if (found := case_of(items[i])) is not None]
    order = in_turns([(case, run.deployment(case.deployment)) for case in cases], run.workers)
    ordered = list(items)
    for place_of, taken in zip(real, order, strict=True):
        ordered[place_of] = items[real[taken]]
    return ordered
