"""Several runs as one."""

from __future__ import annotations

import datetime
import json
import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.errors import MistakeError
from harness.report import scope
from harness.report.merge import merge
from harness.report.run import read_cases, remake
from harness.signoff.decision import decide

ROWS = ("HOLD", "BUSY")


@pytest.fixture(autouse=True)
def no_allure_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")


def at(runs: ModuleType, site: str, **changes: Any) -> Any:
    return runs.live().model_copy(update={"site": site, **changes})


def test_two_sites_keep_their_results(tmp_path: Path, runs: ModuleType) -> None:
    one = runs.make_run(tmp_path, deployment=at(runs, "Berlin"), rows=ROWS)
    two = runs.make_run(tmp_path, deployment=at(runs, "Austin"), rows=ROWS, plays={"HOLD": runs.fails}, lost=("BUSY",))
    merged = merge([one.directory, two.directory], tmp_path)
    summary = remake(merged).summary

    assert (summary.total.cases, summary.total.passed, summary.total.failed, summary.total.broken) == (4, 2, 1, 1)
    assert {case.site for case in read_cases(merged)} == {"Berlin", "Austin"}
    assert [name.rpartition(" at ")[2] for name in summary.missing] == ["Austin"]
    found = scope.read(merged)
    assert found is not None
    assert {deployment.site for deployment in found.deployments} == {"Berlin", "Austin"}


def test_the_report_lists_a_case_of_each_site_by_its_site(tmp_path: Path, runs: ModuleType) -> None:
    made = [runs.make_run(tmp_path, deployment=at(runs, site), rows=("HOLD",)) for site in ("Berlin", "Austin")]
    text = remake(merge([one.directory for one in made], tmp_path)).report.read_text()
    assert sorted(re.findall(r'<span class="ax">[^<]* · at (\w+)</span>', text)) == ["Austin", "Berlin"]
    assert " · at " not in remake(made[0].directory).report.read_text()


def test_the_same_run_twice_counts_once(tmp_path: Path, runs: ModuleType) -> None:
    made = runs.make_run(tmp_path, rows=ROWS)
    copy = tmp_path / "copy"
    shutil.copytree(made.directory, copy)
    summary = remake(merge([made.directory, made.directory, copy], tmp_path)).summary

    assert (summary.total.cases, summary.total.passed) == (2, 2)
    assert summary.passed_on_retry == []


def test_two_halves_are_one_whole(tmp_path: Path, runs: ModuleType) -> None:
    halves = [runs.make_run(tmp_path, rows=(row,)).directory for row in ROWS]
    merged = merge(halves, tmp_path)
    summary = remake(merged).summary

    assert summary.consistent
    assert sorted(summary.rows) == sorted(ROWS)
    found = scope.read(merged)
    assert found is not None
    assert found.options["row"] == list(ROWS)


def test_a_case_run_again_has_two_attempts_and_says_so(tmp_path: Path, runs: ModuleType) -> None:
    first = runs.make_run(tmp_path, rows=("HOLD",), plays={"HOLD": runs.fails})
    second = runs.make_run(tmp_path, rows=("HOLD",))
    summary = remake(merge([second.directory, first.directory], tmp_path)).summary

    assert (summary.total.cases, summary.total.passed) == (1, 1)
    assert summary.passed_on_retry == [first.cases[0].id]


def test_an_interruption_of_one_is_one_of_all(tmp_path: Path, runs: ModuleType) -> None:
    one = runs.make_run(tmp_path, rows=("HOLD",))
    two = runs.make_run(tmp_path, rows=("BUSY",), ended=False, lost=("BUSY",))
    summary = remake(merge([one.directory, two.directory], tmp_path)).summary

    assert "never came to its end" in summary.interrupted
    assert (summary.total.cases, summary.total.broken) == (2, 1)


def test_other_deployment_files_are_not_mixed(tmp_path: Path, runs: ModuleType) -> None:
    limits = runs.live().limits.model_copy(update={"calls_per_run": 7})
    made = [
        runs.make_run(tmp_path, rows=ROWS),
        runs.make_run(tmp_path, rows=ROWS, deployment=at(runs, "local", limits=limits)),
    ]
    with pytest.raises(MistakeError, match="different deployment files"):
        merge([run.directory for run in made], tmp_path)


def test_runs_of_two_versions_of_the_harness_are_merged_by_their_rows(tmp_path: Path, runs: ModuleType) -> None:
    """The older has its rows in another order, and lacks one."""
    old, new = (runs.make_run(tmp_path, rows=(row,)) for row in ROWS)
    plain = json.loads((old.directory / "scope.json").read_text())
    for deployment in plain["deployments"]:
        deployment["rows"] = [row for row in reversed(deployment["rows"]) if row["row"] != "DTMF-INFO"]
    (old.directory / "scope.json").write_text(json.dumps(plain))
    for order in ((old, new), (new, old)):
        found = scope.read(merge([made.directory for made in order], tmp_path))
        assert found is not None
        (deployment,) = found.deployments
        for row in deployment.rows:
            assert all(case.startswith(f"{row.row}[") for case in (*row.cases, *row.asked))
        assert {row.row for row in deployment.rows if row.asked} == set(ROWS)
        assert "DTMF-INFO" in {row.row for row in deployment.rows}


def test_a_row_that_one_of_two_sites_was_asked_for_by_name_is_not_said_to_be_nothing(
    tmp_path: Path, runs: ModuleType
) -> None:
    long = runs.make_run(tmp_path, deployment=at(runs, "Austin"), rows=("LONGCALL",), plays={"LONGCALL": runs.passes})
    other = runs.make_run(tmp_path, deployment=at(runs, "Berlin"), rows=("HOLD",))
    decision = decide(merge([long.directory, other.directory], tmp_path), today=datetime.date(2026, 11, 20))
    (row,) = [row for row in decision.rows if row.scope.row == "LONGCALL"]
    assert (row.verdict, row.passed) == ("passed", len(long.cases))
