"""Who called and was not the platform, counted over a run."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from harness.calls.events import StrangerRefused
from harness.report import terminal
from harness.report.strangers import Stranger, strangers
from harness.report.summary import Summary, summarise
from tests.unit.conftest import run_of


def refused(
    at: float, count: int, source: str = "198.51.100.7", method: str = "INVITE", **more: Any
) -> StrangerRefused:
    fields = {"transport": "udp", "user_agent": "friendly-scanner", "phone": "stand-in", "why": "address"} | more
    return StrangerRefused(at=at, source=source, method=method, count=count, **fields)


def test_counts_of_one_lease_go_on_and_those_of_the_next_begin_anew() -> None:
    told = [refused(1.0, 1), refused(2.0, 4), refused(3.0, 1), refused(4.0, 2)]
    assert strangers(told) == [Stranger("198.51.100.7", 6, ("INVITE",), ("friendly-scanner",), ("address",))]


def test_the_most_frequent_come_first_each_with_what_it_asked_for() -> None:
    told = [
        refused(1.0, 2, "203.0.113.9", "REGISTER", user_agent=""),
        refused(1.0, 5),
        refused(1.5, 1, method="OPTIONS", user_agent="sipvicious"),
    ]
    assert [str(one) for one in strangers(told)] == [
        "198.51.100.7 (6× INVITE, OPTIONS, friendly-scanner, sipvicious)",
        "203.0.113.9 (2× REGISTER)",
    ]
    assert strangers([]) == []


def test_summary_and_terminal_name_them(tmp_path: Path) -> None:
    summary = summarise(run_of())
    summary.strangers = strangers([refused(1.0, 5), refused(1.0, 1, "203.0.113.9")])
    summary.write(tmp_path / "summary.json")
    kept = json.loads((tmp_path / "summary.json").read_text())["strangers"]
    assert [(one["source"], one["requests"]) for one in kept] == [("198.51.100.7", 5), ("203.0.113.9", 1)]
    said = told(summary)
    assert "6 requests of 2 strangers got no answer" in said
    assert "198.51.100.7" in said


def told(summary: Summary) -> str:
    console = Console(file=io.StringIO(), width=200)
    terminal._closing_lines(summary, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
