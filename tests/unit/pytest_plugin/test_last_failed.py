"""``--last-failed``: the cases that did not pass in the newest run of these files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from harness.deployment.limits import lease
from harness.errors import SelectionError
from harness.integrations.matrix import Selection
from harness.run.plugin.last_failed import narrowed
from harness.run.plugin.run import Run

ROWS = ("HOLD", "BUSY", "NOANSWER", "LONGCALL")


@pytest.fixture
def make(tmp_path: Path, runs: ModuleType) -> Callable[..., Run]:
    """A run on disk, each newer than the one before; what follows is asked of the same file."""
    made = iter(range(1000))

    def make(rows: tuple[str, ...] = ROWS, **more: object) -> Run:
        run = runs.make_run(tmp_path, rows=rows, **more)
        at = 1e9 + next(made)
        os.utime(run.directory / "scope.json", (at, at))
        return Run(Path(), (run.deployment,), Selection(), "quick")

    return make


def left(run: Run, reports: Path, **selection: tuple[str, ...]) -> set[str]:
    """The rows of the cases that are left."""
    asked = replace(run, selection=replace(run.selection, **selection))
    return {case.row.id for case in narrowed(asked, reports)[0].cases}


def test_cases_that_did_not_pass_are_left(
    make: Callable[..., Run], runs: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plays = {"HOLD": runs.fails, "LONGCALL": runs.breaks}
    run = make(plays=plays, lost=("BUSY",))
    assert left(run, tmp_path) == {"HOLD", "LONGCALL", "BUSY"}, "also one only run by name"
    found, name = narrowed(run, tmp_path)
    assert (tmp_path / name / "scope.json").exists()
    assert f": {len(found.cases)} of {len(found.cases)} cases" in capsys.readouterr().err
    assert left(run, tmp_path, rows=("HOLD", "NOANSWER")) == {"HOLD"}
    make(plays={"HOLD": runs.fails, "NOANSWER": runs.cannot_look})
    assert left(run, tmp_path) == {"HOLD", "NOANSWER"}, "the newest run counts"
    make(rows=("NOANSWER",), plays={"NOANSWER": runs.fails}, ended=False, lost=("NOANSWER",))
    assert left(run, tmp_path) == {"NOANSWER"}, "a run that was killed"


def test_run_that_says_nothing_of_these_files_does_not_count(
    make: Callable[..., Run], runs: ModuleType, tmp_path: Path
) -> None:
    run = make(plays={"HOLD": runs.fails})
    (mine,) = run.deployments
    other = mine.model_copy(update={"name": "other"})
    make(deployment=other, plays={"BUSY": runs.fails})
    assert left(run, tmp_path) == {"HOLD"}
    under_way = max(tmp_path.glob("*/scope.json"), key=lambda file: file.stat().st_mtime).parent
    both = replace(run, deployments=(mine, other))
    with pytest.raises(SelectionError, match="has no run of "):
        narrowed(both, tmp_path)
    make(plays={"NOANSWER": runs.fails})
    newest = max(tmp_path.glob("*/scope.json"), key=lambda file: file.stat().st_mtime).parent
    assert newest != under_way
    (newest / "control").mkdir()
    with lease([newest / "control" / "runner"]):
        assert left(run, tmp_path) == {"HOLD"}, "that one is under way"


@pytest.mark.parametrize(
    ("plays", "rows", "said"),
    [
        ({}, (), "^--last-failed: every case passed in .*; allowed: without it$"),
        ({"HOLD": "fails"}, ("BUSY",), "^--last-failed: 0 of .* are left by the other options; "),
    ],
)
def test_nothing_to_run_again_is_a_mistake(
    make: Callable[..., Run],
    runs: ModuleType,
    tmp_path: Path,
    plays: dict[str, str],
    rows: tuple[str, ...],
    said: str,
) -> None:
    with pytest.raises(SelectionError, match=r"^--last-failed: .* has no run of "):
        narrowed(make(), tmp_path / "elsewhere")
    run = make(plays={row: getattr(runs, play) for row, play in plays.items()})
    with pytest.raises(SelectionError, match=said):
        left(run, tmp_path, rows=rows)
