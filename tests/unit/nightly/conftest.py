"""Nights of one series, as the tests of what they tell have them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.report.nightly import night
from harness.report.nightly.night import Verification, conclude
from harness.report.nightly.problems import Bound
from harness.report.run_directory import read_end, write_end

ROWS = ("HOLD", "BUSY")
BUSY = "BUSY[example:synthflow-udp-ip] at local"


class Nights:
    """Nights of one series, each with a run of its own."""

    def __init__(self, reports: Path, runs: ModuleType) -> None:
        self.reports, self._runs, self._count = reports, runs, 0

    def pass_one(
        self,
        code: int = 0,
        bound: tuple[Bound, ...] = (),
        broke: Sequence[str] = (),
        unplanned: Collection[str] = (),
        **run: Any,
    ) -> night.FinishedNight:
        self._count += 1
        made = self._runs.make_run(self.reports, **{"rows": ROWS, **run})
        if broke or unplanned:
            known = read_end(made.directory)
            assert known is not None
            planned = [case for case in known[0] if case["row"] not in unplanned]
            write_end(made.directory, planned, replace(known[1], broke=tuple(broke)))
        return self.conclude(made.directory.name, code=code, bound=bound)

    def conclude(self, run: str = "", **more: Any) -> night.FinishedNight:
        """What a night comes to by the run of that name, or by none."""
        plain: dict[str, Any] = {
            "series": "s",
            "bound": (),
            "began": 1.8e9 + 86400 * self._count,
            "run": run,
        }
        return conclude(Verification(reports=self.reports, **plain | more))


@pytest.fixture
def nights(tmp_path: Path, runs: ModuleType) -> Nights:
    return Nights(tmp_path, runs)
