"""Tests are run while their processes are stopped for moments, and what fails then is counted."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tools import stalls

TESTS = """import time

def test_patient():
    time.sleep(1.0)

def test_hasty():  # until it is stopped between two of its lines
    while True:
        began = time.monotonic()
        assert time.monotonic() < began + 0.005
"""


@pytest.mark.nightly
def test_what_takes_for_granted_that_no_time_passes_fails(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    assert stalls.main([str(tmp_path), "--workers", "1", "--reports", str(tmp_path)]) == 1
    found = json.loads((tmp_path / "stalls.json").read_text())
    assert (found["passed"], found["failed"]) == (1, 1)
    assert found["stalls"] > 0


RUN = """#!{python}
import json, pathlib, subprocess, sys
reports = pathlib.Path(sys.argv[-1])
(reports / "run").mkdir(parents=True)
(reports / "run" / "scope.json").touch()
child = subprocess.Popen(["sleep", "1"])
child.wait()
attempts = [("ABANDON[one]", 1), ("BUSY[one]", 1), ("BUSY[one]", 2)]
for number, (case, attempt) in enumerate(attempts):
    directory = reports / "run" / "cases" / str(number)
    directory.mkdir(parents=True)
    (directory / "case.json").write_text(json.dumps({{"id": case, "attempt": attempt}}))
figures = {{"cases": 2, "passed": 1, "broken": 1 - {failed}, "failed": {failed}, "not_observable": 0}}
(reports / "run" / "summary.json").write_text(json.dumps(figures))
(reports / "latest").symlink_to("run")
"""


@pytest.mark.parametrize("failed", [0, 1])
def test_matrix_with_a_failed_case_beside_stopped_processes_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failed: int
) -> None:
    program = tmp_path / "harness"
    program.write_text(RUN.format(python=sys.executable, failed=failed))
    program.chmod(0o755)
    monkeypatch.setattr(stalls, "HARNESS", program)
    monkeypatch.setattr(stalls, "_BETWEEN_BURSTS_S", (0.1, 0.2))
    monkeypatch.setattr(stalls, "_BURST_S", (0.1, 0.2))
    monkeypatch.setattr(stalls, "_LOAD", 0)
    reports = tmp_path / "reports"
    assert stalls.main(["--matrices", "2", "--reports", str(reports)]) == failed
    found = json.loads((reports / "stalls.json").read_text())
    each = {"cases": 2, "broken": 1 - failed, "repeated": 1, "failed": failed}
    assert {name: found[f"{name}_2"] for name in each} == each
    assert {name: found[name] for name in each} == {name: 2 * count for name, count in each.items()}
    assert (found["matrices"], (reports / "stalls" / "1").exists()) == (2, bool(failed))
    assert found["stalls"] > 0
