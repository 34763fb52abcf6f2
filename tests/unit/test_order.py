"""What takes minutes begins first in whichever worker has it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import pytest_collection_modifyitems


def in_order(longest: set[str], count: int, workers: int) -> list[list[str]]:
    """The names of ``count`` tests, as xdist's ``worksteal`` deals them first: in shares that are as even as can be."""
    names = [*sorted(longest), *(f"t{number}" for number in range(count - len(longest)))]
    items: Any = [SimpleNamespace(name=n, get_closest_marker=lambda _, n=n: n in longest or None) for n in names]
    pytest_collection_modifyitems(SimpleNamespace(workerinput={"workercount": workers}), items)  # type: ignore[arg-type]
    shares = []
    for left in range(workers, 0, -1):
        shares.append([item.name for item in items[: len(items) // left]])
        del items[: len(items) // left]
    return shares


@pytest.mark.parametrize("count", [30, 31, 32])
def test_each_worker_begins_with_one_of_the_longest(count: int) -> None:
    shares = in_order({"long 1", "long 2", "long 3", "long 4"}, count, 3)
    assert [[name for name in share if name.startswith("long")] for share in shares] == [
        ["long 1", "long 4"],
        ["long 2"],
        ["long 3"],
    ]
    assert all(share[0].startswith("long") for share in shares)
    others = [name for share in shares for name in share if name.startswith("t")]
    assert others == [f"t{number}" for number in range(count - 4)], "in their own order, and none is lost"
