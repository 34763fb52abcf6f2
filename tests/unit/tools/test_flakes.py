"""Runs that are not perfect are counted, whatever they lack."""

from __future__ import annotations

from typing import Any

import pytest

from tools.flakes import busy, counted

PERFECT = {"cases": 9, "passed": 9, "failed": 0, "not_observable": 0, "broken": 0}


def test_perfect_runs_are_no_flakes() -> None:
    found = counted(iter([PERFECT, PERFECT]))
    assert found == {"runs": 2, "flakes": 0} | {name: 2 * count for name, count in PERFECT.items()}


@pytest.mark.parametrize(
    "run",
    [
        None,
        PERFECT | {"passed": 8, "failed": 1},
        PERFECT | {"passed": 8, "broken": 1},
        PERFECT | {"passed": 8, "not_observable": 1},
        dict.fromkeys(PERFECT, 0),
    ],
)
def test_any_other_is_one(run: dict[str, Any] | None) -> None:
    assert counted(iter([PERFECT, run]))["flakes"] == 1


def test_the_machine_is_busy_for_as_long_as_asked() -> None:
    with busy(2) as processes:
        assert [process.poll() for process in processes] == [None, None]
    assert all(process.poll() is not None for process in processes)
