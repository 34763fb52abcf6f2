"""Tests are run while their processes are stopped for moments, and what fails then is counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import junit, stalls

TESTS = """import time

def test_patient():
    time.sleep(1.0)

def test_hasty():  # until it is stopped between two of its lines
    while True:
        began = time.monotonic()
        assert time.monotonic() < began + 0.005
"""


def test_what_takes_for_granted_that_no_time_passes_fails(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    assert stalls.main([str(tmp_path), "--workers", "1", "--reports", str(tmp_path)]) == 1
    found = json.loads((tmp_path / "stalls.json").read_text())
    assert (found["passed"], found["failed"]) == (1, 1)
    assert found["stalls"] > 0


@pytest.mark.parametrize(
    ("counted", "stalled", "code"),
    [
        ({"passed": 2, "failed": 0, "skipped": 0}, 9, 0),
        ({"passed": 1, "failed": 1, "skipped": 0}, 9, 1),
        ({"passed": 1, "failed": 0, "skipped": 1}, 9, 1),
        ({"passed": 0, "failed": 0, "skipped": 0}, 9, 1),
        ({"passed": 2, "failed": 0, "skipped": 0}, 0, 1),
    ],
)
def test_only_where_tests_were_stopped_and_all_passed_is_it_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: dict[str, int], stalled: int, code: int
) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *command, **how: None)
    monkeypatch.setattr(stalls, "stall_while_it_runs", lambda running: (stalled, 0.1 * stalled))
    monkeypatch.setattr(junit, "counts", lambda file: counted)
    assert stalls.main(["--reports", str(tmp_path)]) == code
    assert json.loads((tmp_path / "stalls.json").read_text()).items() >= {"stalls": stalled, **counted}.items()


def test_nobody_stays_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(0.5)'], check=True)"
    )
    running = subprocess.Popen([sys.executable, "-c", program])
    monkeypatch.setattr(stalls, "_GOES_ON_S", (0.0, 0.0))
    stopped, seconds = stalls.stall_while_it_runs(running)
    assert (running.returncode, stopped > 0, seconds > 0) == (0, True, True)
    assert stalls.children(running.pid) == []


def test_a_process_s_children_are_those_it_started() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in stalls.children(os.getpid())
        child.communicate(b"\n", timeout=60)
    assert child.pid not in stalls.children(os.getpid())
