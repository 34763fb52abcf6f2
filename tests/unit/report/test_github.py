"""What GitHub Actions shows of a run, by workflow commands in the job's log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.report.github import workflow_commands
from tests.unit import conftest as runs


def test_each_cause_is_one_annotation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(case: Any, recorder: Any) -> Any:
        cause = {"id": "x", "cause": "50 %: full", "owner": "trunk", "fix": "Enlarge,\r\nit."}
        return *runs.fails(case, recorder), [{**cause, "confidence": "certain"}]

    plays = dict.fromkeys(("HOLD", "BUSY"), fails)
    made = runs.make_run(tmp_path, rows=("HOLD", "BUSY", "NOANSWER"), plays=plays)
    run = made.evidence
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert list(workflow_commands(run.groups, ["it, broke"])) == []
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    cause, broke = workflow_commands(run.groups, ["it, broke"])
    count = len(run.cases) - sum(case.row == "NOANSWER" for case in run.cases)
    assert cause.startswith(f"::error title=failed%3A {count} cases::50 %25: full%0Afix: ")
    assert "fix: Enlarge,%0D%0Ait.%0A" in cause
    assert "\n" not in cause
    assert sorted(cause.partition("%0Arows: ")[2].split(", ")) == ["BUSY", "HOLD"]
    assert broke == "::error title=broken outside of any case::it, broke"
