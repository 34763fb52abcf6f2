"""Runs that are not perfect are counted, whatever they lack."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from tools.flakes import ROOT, busy, main, totals

PERFECT = {"cases": 9, "passed": 9, "failed": 0, "not_observable": 0, "broken": 0}


def last(*summaries: dict[str, int] | None) -> dict[str, int]:
    return list(totals(summaries))[-1]


def test_perfect_runs_are_no_flakes() -> None:
    assert last(PERFECT, PERFECT) == {"runs": 2, "flakes": 0} | {name: 2 * count for name, count in PERFECT.items()}


@pytest.mark.parametrize(
    "run",
    [
        None,
        PERFECT | {"passed": 8, "failed": 1},
        PERFECT | {"passed": 8, "broken": 1},
        PERFECT | {"passed": 8, "not_observable": 1},
        {"cases": 9, "passed": 8, "failed": 0, "skipped": 1},
        dict.fromkeys(PERFECT, 0),
    ],
)
def test_any_other_is_one(run: dict[str, int] | None) -> None:
    assert last(PERFECT, run)["flakes"] == 1


def test_figures_are_there_after_each_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def suite(directory: Path) -> dict[str, int]:
        figures = tmp_path / "flakes.json"
        seen.append(json.loads(figures.read_text())["load_0_suite_runs"] if figures.exists() else 0)
        (directory / "run.log").write_text("as it went")
        return {"cases": 2, "passed": 2 - (len(seen) == 2), "failed": int(len(seen) == 2), "skipped": 0}

    monkeypatch.setattr("tools.flakes._suite", suite)
    asked = ["--reports", str(tmp_path), "--runs", "0", "--suites", "3", "--load", "0"]
    assert main(asked) == 1
    assert seen == [0, 1, 2]
    figures = json.loads((tmp_path / "flakes.json").read_text())
    assert figures.pop("load_0_suite_seconds") >= 0
    names = {"runs": 3, "flakes": 1, "cases": 6, "passed": 5, "failed": 1, "skipped": 0}
    assert figures == {f"load_0_suite_{name}": value for name, value in names.items()}
    assert [kept.read_text() for kept in tmp_path.glob("flakes/load_0_suite/*/run.log")] == ["as it went"]


def test_no_run_is_no_success(tmp_path: Path) -> None:
    assert main(["--reports", str(tmp_path), "--runs", "0", "--suites", "0"]) == 1


def test_the_machine_is_busy_for_as_long_as_asked() -> None:
    with busy(2) as processes:
        assert [process.poll() for process in processes] == [None, None]
    assert all(process.poll() is not None for process in processes)


def test_what_kept_the_machine_busy_ends_with_whoever_asked_for_it() -> None:
    said = "from tools.flakes import busy\nwith busy(1) as found: print(found[0].pid, flush=True); input()"
    asking = subprocess.Popen([sys.executable, "-c", said], stdin=PIPE, stdout=PIPE, text=True, cwd=ROOT)
    assert asking.stdout is not None
    process = os.pidfd_open(int(asking.stdout.readline()))
    asking.kill()
    asking.communicate()
    assert select.select([process], [], [], 10.0)[0], "it is still there"
    os.close(process)
