"""Runs that are not perfect are counted, whatever they lack."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from tools import ROOT
from tools.flakes import count, main

PERFECT = {"cases": 9, "passed": 9, "failed": 0, "not_observable": 0, "broken": 0}


def test_a_perfect_run_is_no_flake() -> None:
    assert count(PERFECT) == {"runs": 1, "flakes": 0} | PERFECT


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
    assert count(run)["flakes"] == 1


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"load_0_suite_runs": 2}', '{"load_0_suite": {"runs": 2, "revisions": {}}}']
)
def test_what_cannot_be_gone_on_with_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "flakes.json").write_text(text)
    with pytest.raises(SystemExit, match=r"flakes.json: not what --add could go on with; allowed: "):
        main(["--reports", str(tmp_path), "--runs", "0", "--suites", "1", "--add"])
    assert (tmp_path / "flakes.json").read_text() == text


def test_no_run_is_no_success(tmp_path: Path) -> None:
    assert main(["--reports", str(tmp_path), "--runs", "0", "--suites", "0"]) == 1


def test_what_kept_the_machine_busy_ends_with_whoever_asked_for_it() -> None:
    said = "from tools.flakes import busy\nwith busy(1) as found: print(found[0].pid, flush=True); input()"
    asking = subprocess.Popen([sys.executable, "-c", said], stdin=PIPE, stdout=PIPE, text=True, cwd=ROOT)
    assert asking.stdout is not None
    process = os.pidfd_open(int(asking.stdout.readline()))
    asking.kill()
    asking.communicate()
    assert select.select([process], [], [], 10.0)[0], "it is still there"
    os.close(process)
