"""Evidence that is damaged, or was written by another program: it is read as far as it goes."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.errors import MistakeError
from harness.report.evidence import CaseEvidence
from harness.report.run import finish
from harness.report.run_directory import RunEnd, case_directory, create

CASE: dict[str, Any] = {"id": "A[b]", "row": "A", "title": "A call", "axes": {}, "began": 1.0}


def written(directory: Path, case: str, *lines: str) -> Path:
    (directory / "case.json").write_text(case)
    (directory / "events.jsonl").write_text("\n".join(lines))
    return directory


@pytest.mark.parametrize(
    "case",
    ["[" * 100_000, "[]", "7", "", '{"end": 7}', '{"end": {"verdict": "passed"}}', '{"began": "now"}', '{"id": 7}',
     '{"end": {"verdict": "fine", "message": "", "diagnosis": null, "at": 1, "scripted_s": 0}}',
     '{"end": {"verdict": "passed", "message": "", "diagnosis": null, "at": NaN, "scripted_s": 0}}'],
)  # fmt: skip
def test_a_case_of_another_shape_is_said_to_be_none(tmp_path: Path, case: str) -> None:
    with pytest.raises(MistakeError, match="not a case's evidence"):
        CaseEvidence.read(written(tmp_path, case))


#: What no program of ours writes, and JSON can hold.
ODD: list[Any] = [
    None, True, -1, 7, 1.5, 1e15, 1e300, -1e300, float("nan"), float("inf"), 10**400, "", "x", "x" * 70_000, [], ["x"], {},
]  # fmt: skip
OF_A_CASE = (
    "began",
    "began_wall",
    "attempt",
    "run",
    "site",
    "deployment",
    "integration",
    "hosts",
    "voices",
    "axes",
    "link",
    "source",
)
OF_A_MESSAGE = ("at", "text", "local", "remote", "transport", "direction")


def reported(directory: Path, case: dict[str, Any]) -> None:
    """The reports are made, or it is said why that is none of a case's evidence."""
    end = RunEnd(workers=1, wall_s=1.0, allure_results=directory / "allure-results")
    with contextlib.suppress(MistakeError):
        assert finish(directory, [case], end).summary.total.cases == 1


@pytest.mark.parametrize("key", OF_A_CASE)
def test_a_case_s_own_data_of_any_kind_end_no_report(
    tmp_path: Path, samples: ModuleType, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    for odd in ODD:
        run, case = create(tmp_path), samples.case_of()
        written = samples.failed(case_directory(run, case)) / "case.json"
        plain = json.loads(written.read_text())
        written.write_text(json.dumps({**plain, **case, key: odd}))
        reported(run, {**case, **json.loads(written.read_text())})


@pytest.mark.parametrize("key", OF_A_MESSAGE)
def test_what_a_far_end_says_of_a_message_ends_no_report(
    tmp_path: Path, samples: ModuleType, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Synthflow's API may say anything: times in milliseconds, a text that never crossed a wire."""
    monkeypatch.setenv("PATH", "/nonexistent")
    for odd in [
        *ODD,
        "9999-12-31T23:59:59",
        "2026-11-20T08:03:00+14:00",
        "\ud800",
        "[::1]:5060",
        "127.0.0.1:99999",
        1.8e12,
    ]:
        run, case = create(tmp_path), samples.case_of()
        written = samples.failed(case_directory(run, case), case) / "events.jsonl"
        lines = [json.loads(line) for line in written.read_text().splitlines()]
        (record,) = (line["event"]["record"] for line in lines if line.get("event", {}).get("kind") == "FarEndRecord")
        record["witness"]["messages"][0][key] = odd
        record["witness"]["marks"] = [{"mark": 12, "at": odd, "until": odd, "level_dbov": odd}, {"mark": odd}, odd]
        written.write_text("".join(json.dumps(line) + "\n" for line in lines))
        reported(run, case)
