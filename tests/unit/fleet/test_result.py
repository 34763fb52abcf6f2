"""One report of the attempts of several sites."""

import dataclasses
import datetime
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.deployment.hours import AS_OF_VARIABLE
from harness.report import scope
from harness.report.run import FinishedRun
from harness.report.run_directory import STOPPED, RunEvidence, read_planned, write_end
from harness.report.signoff.decision import decide
from harness.run.cli.app import application
from harness.run.fleet import plan, result
from harness.run.fleet.controller import Accepted, Record
from harness.run.fleet.plan import Fleet
from harness.support.resources import EXAMPLES


@pytest.fixture(autouse=True)
def no_allure_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")


def planned(*verify: dict[str, Any], sites: tuple[str, ...] = ("oslo",)) -> plan.FleetPlan:
    plain = {
        "results": "/r",
        "sites": [{"name": name} for name in sites],
        "verify": list(verify or [{"file": "live-talkdesk.toml"}]),
    }
    return plan.plan(Fleet.model_validate(plain), EXAMPLES, {}, live=True)


def left(made: plan.FleetPlan, file: str = "") -> list[str]:
    return [case for shard in made.shards if file in shard.file for case in shard.cases]


def attempt(
    directory: Path, runs: ModuleType, *rows: str, site: str = "oslo", **more: Any
) -> Accepted:
    """An attempt at a shard with these rows, whose cases pass unless ``plays`` says otherwise."""
    deployment = runs.live().model_copy(update={"site": site})
    run = runs.make_run(directory / "work", rows=rows, deployment=deployment, **more)
    return Accepted(site, run.directory, tuple(case.id for case in run.cases))


def reported(directory: Path, made: plan.FleetPlan, record: Record) -> FinishedRun:
    return result.report(
        made, record, [], files=EXAMPLES, reports=directory / "reports", work=directory / "work"
    )


@pytest.mark.parametrize(
    "broke", [(), ("the world of acme died", "a test cannot be read: no comma")]
)
def test_breakage_in_an_attempt_breaks_the_run(
    tmp_path: Path, runs: ModuleType, broke: tuple[str, ...]
) -> None:
    """Even if each case passed. A stopped attempt breaks nothing: its other cases were run
    elsewhere.
    """
    oslo, lima = (
        attempt(tmp_path, runs, row, site=site)
        for site, row in (("oslo", "HOLD"), ("lima", "BUSY"))
    )
    cases, end = read_planned(oslo.directory)
    write_end(oslo.directory, cases, dataclasses.replace(end, broke=broke, interrupted="stopped"))
    (lima.directory / "run.json").unlink()  # lost: it left no end
    summary = reported(
        tmp_path, planned(sites=("oslo", "lima")), Record(accepted=[oslo, lima])
    ).summary
    assert summary.passed == summary.cases == 2
    assert summary.broke == [f"oslo: {line}" for line in broke]
    assert summary.exit_code == (3 if broke else 0)


def test_repeated_case_counts_once(tmp_path: Path, runs: ModuleType) -> None:
    deployment = runs.live().model_copy(update={"site": "oslo"})
    run = runs.make_run(
        tmp_path / "work", rows=("HOLD", "BUSY"), deployment=deployment, plays={"HOLD": runs.breaks}
    )
    (again,) = (case for case in run.cases if case.row.id == "HOLD")
    runs.record(run.directory, deployment, again, attempt=2)
    accepted = Accepted("oslo", run.directory, tuple(case.id for case in run.cases))
    finished = reported(tmp_path, planned(), Record(accepted=[accepted]))
    told = json.loads((finished.directory / result.FILE).read_text())
    assert (
        len(run.cases)
        == told["cases"]
        == told["sites"]["oslo"]["cases"]
        == finished.summary.passed
        == 2
    )


@pytest.mark.parametrize("rows", [[], ["TD-INBOUND"]])
def test_rows_of_a_shard_do_not_narrow_the_scope(
    tmp_path: Path, runs: ModuleType, rows: list[str]
) -> None:
    """Only the rows in the fleet's file narrow the scope, not those on a shard's command line."""
    made = planned({"file": "live-talkdesk.toml", "rows": rows})
    record = Record(accepted=[attempt(tmp_path, runs, row) for row in ("HOLD", "BUSY")])
    target = reported(tmp_path, made, record).directory
    found, decision = (
        scope.read(target),
        decide(RunEvidence.read(target), today=datetime.date(2026, 11, 20)),
    )
    assert found is not None
    assert (found.options["row"], found.command) == (rows, f"harness fleet ({made.run})")
    remarks = [remark for remark in decision.remarks if "Only a part" in remark]
    assert remarks == ["Only a part was asked for: --row TD-INBOUND."] * bool(rows)


@pytest.mark.parametrize("why", [STOPPED, "Redis has lost this run; nothing more is placed"])
def test_report_says_why_a_fleet_run_ended_early(tmp_path: Path, why: str) -> None:
    made = planned({"file": "live-talkdesk.toml", "rows": ["TD-INBOUND"]})
    finished = reported(tmp_path, made, Record(not_run={"oslo": left(made)}, interrupted=why))
    assert (
        finished.summary.interrupted == f"{why}; {len(left(made))} cases were not run at any site"
    )
    assert finished.summary.exit_code == 3
    code = CliRunner().invoke(application(), ["report", str(finished.directory)]).exit_code
    assert code == (130 if why == STOPPED else 3)


def test_cases_not_run_are_reported_after_closing_time(
    tmp_path: Path, runs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(AS_OF_VARIABLE, "2026-03-04T15:00+00:00")
    made = planned(
        {"file": "live-large.toml", "rows": ["TD-INBOUND"]}, {"file": "live-talkdesk.toml"}
    )
    closed = left(made, "live-large.toml")
    record = Record(accepted=[attempt(tmp_path, runs, "HOLD")], not_run={"oslo": closed})
    monkeypatch.setenv(
        AS_OF_VARIABLE, "2026-03-08T03:00+00:00"
    )  # at night, when the controller makes the report
    total = reported(tmp_path, made, record).summary
    assert (total.passed, total.broken) == (1, len(closed))
