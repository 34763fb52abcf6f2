"""A run of synthetic cases, and what no test of reports may start."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.report.run_directory import case_directory, create
from tests.unit.report import samples


@pytest.fixture(autouse=True)
def no_allure_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allure's report takes seconds to make, where its program is."""
    monkeypatch.setenv("PATH", "/nonexistent")


@dataclass
class SampleRun:
    """A run's directory with one case of each verdict, one whose worker died, and one that never
    ran.
    """

    directory: Path
    planned: list[dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path) -> SampleRun:
    directory = create(tmp_path / "reports")
    played = (
        (samples.passed, samples.case_of()),
        (samples.failed, samples.FAILED),
        (samples.unobserved, samples.UNOBSERVED),
        (samples.died, samples.DIED),
    )
    for play, case in played:
        play(case_directory(directory, case), case)
    planned = [case for _, case in played]
    return SampleRun(directory, [*planned, samples.case_of("TD-FALLBACK-REFUSED")])
