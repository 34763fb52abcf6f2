"""Tests are run while their processes are stopped for moments, and what fails then is counted."""

from __future__ import annotations

import json
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
