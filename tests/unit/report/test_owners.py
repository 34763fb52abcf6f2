"""The page for an owner of causes."""

from __future__ import annotations

import itertools
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.case import recorder as recorder_module
from harness.case.recorder import CaseRecorder
from harness.case.verdict import Verdict
from harness.integrations.matrix import Case
from harness.report.run import remake
from tests.unit import conftest as runs


def test_calls_of_an_owners_page_are_in_order_of_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = itertools.count()
    wall = itertools.count(1.8e9)
    clock = SimpleNamespace(time=lambda: next(wall), monotonic=time.monotonic)
    monkeypatch.setattr(recorder_module, "time", clock)

    def play(case: Case, recorder: CaseRecorder) -> tuple[Verdict, str, Any]:
        recorder.raised(runs.finding("answered", Verdict.FAILED))
        confidence = "certain" if next(number) == 1 else "likely"
        named = {"id": "no-rtp", "cause": "No RTP", "title": "No RTP", "owner": "network"}
        return Verdict.FAILED, "No RTP", [{**named, "confidence": confidence}]

    rows = ("HOLD", "BUSY", "NOANSWER")
    run = runs.make_run(tmp_path, rows=rows, plays=dict.fromkeys(rows, play)).directory
    page = (remake(run).directory / "for-network.html").read_text()
    times = re.findall(r"<h3>(\S+ \S+) UTC", page)
    assert len(set(times)) == 3
    assert times == sorted(times)
