"""One report of several attempts: what broke at a site outside of its cases is part of it."""

from __future__ import annotations

import dataclasses
import datetime
import json
import shlex
import signal
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

import pytest
from typer.testing import CliRunner

from harness.deployment.hours import AS_OF_VARIABLE
from harness.report import scope
from harness.report.run_directory import STOPPED, read_planned, write_end
from harness.report.signoff.decision import decide
from harness.run.cli.app import application
from harness.run.fleet import controller, plan, result, state
from harness.run.fleet.config import REDIS_VARIABLE, Fleet
from harness.run.fleet.controller import Accepted, Record
from harness.support.resources import EXAMPLES


@pytest.fixture(autouse=True)
def no_allure_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")


@pytest.mark.parametrize("broke", [(), ("the world of acme died", "a test cannot be read: no comma")])
def test_what_broke_in_an_attempt_breaks_the_run(tmp_path: Path, runs: ModuleType, broke: tuple[str, ...]) -> None:
    """Though each of its cases passed; that an attempt was stopped is no matter, its other cases were run elsewhere."""
    fleet = {"results": "/r", "sites": [{"name": "oslo"}, {"name": "lima"}], "verify": [{"file": "live-talkdesk.toml"}]}
    made = plan.plan(Fleet.model_validate(fleet), EXAMPLES, {}, live=True)
    record = Record()
    for number, (site, row) in enumerate([("oslo", "HOLD"), ("lima", "BUSY")], 1):
        run = runs.make_run(tmp_path / "work", rows=(row,), deployment=runs.live().model_copy(update={"site": site}))
        if site == "oslo":
            planned, end = read_planned(run.directory)
            write_end(run.directory, planned, dataclasses.replace(end, broke=broke, interrupted="stopped"))
        else:  # lost: it left no end
            (run.directory / "run.json").unlink()
        record.accepted.append(Accepted(number, 1, site, run.directory, tuple(case.id for case in run.cases)))
    summary = result.report(
        made, record, [], files=EXAMPLES, reports=tmp_path / "reports", work=tmp_path / "work"
    ).summary
    assert summary.total.passed == summary.total.cases == 2
    assert summary.broke == [f"oslo: {line}" for line in broke]
    assert summary.exit_code == (3 if broke else 0)


def test_a_case_that_was_run_again_counts_once(tmp_path: Path, runs: ModuleType) -> None:
    """A machine that had no time for it broke its first attempt."""
    fleet = {"results": "/r", "sites": [{"name": "oslo"}], "verify": [{"file": "live-talkdesk.toml"}]}
    made = plan.plan(Fleet.model_validate(fleet), EXAMPLES, {}, live=True)
    deployment = runs.live().model_copy(update={"site": "oslo"})
    run = runs.make_run(tmp_path / "work", rows=("HOLD", "BUSY"), deployment=deployment, plays={"HOLD": runs.breaks})
    (again,) = (case for case in run.cases if case.row.id == "HOLD")
    runs.record(run.directory, deployment, again, attempt=2)

    record = Record(accepted=[Accepted(1, 1, "oslo", run.directory, tuple(case.id for case in run.cases))])
    finished = result.report(made, record, [], files=EXAMPLES, reports=tmp_path / "reports", work=tmp_path / "work")

    told = json.loads((finished.directory / result.FILE).read_text())
    assert len(run.cases) == told["cases"] == told["sites"]["oslo"]["cases"] == finished.summary.total.passed == 2


@pytest.mark.parametrize(("rows", "told"), [((), []), (("TD-INBOUND",), ["TD-INBOUND"])])
def test_a_shard_that_names_its_rows_makes_no_smaller_run(
    tmp_path: Path, runs: ModuleType, rows: tuple[str, ...], told: list[str]
) -> None:
    """Who signs it read that only a part had been asked for, by options that nobody gave, and a command line for each shard."""
    verify = {"file": "live-talkdesk.toml", "rows": rows}
    made = plan.plan(
        Fleet.model_validate({"results": "/r", "sites": [{"name": "oslo"}], "verify": [verify]}),
        EXAMPLES,
        {},
        live=True,
    )
    record = Record()
    for number, row in enumerate(("HOLD", "BUSY"), 1):
        run = runs.make_run(tmp_path / "work", rows=(row,), deployment=runs.live().model_copy(update={"site": "oslo"}))
        record.accepted.append(Accepted(number, 1, "oslo", run.directory, tuple(case.id for case in run.cases)))
    target = result.report(
        made, record, [], files=EXAMPLES, reports=tmp_path / "reports", work=tmp_path / "work"
    ).directory

    found, decision = scope.read(target), decide(target, today=datetime.date(2026, 11, 20))
    assert found is not None
    assert (found.options["row"], found.command) == (told, f"harness fleet ({made.run})")
    assert [remark for remark in decision.remarks if "Only a part" in remark] == [
        f"Only a part was asked for: {', '.join(f'--row {row}' for row in told)}."
    ] * bool(told)


@pytest.mark.parametrize("why", [STOPPED, "Redis has lost this run; nothing more is placed"])
def test_why_a_fleet_ended_before_its_time_is_in_its_report(tmp_path: Path, runs: ModuleType, why: str) -> None:
    """Else it says that cases were not run, and Ctrl-C at the controller is none to whoever makes the report again."""
    fleet = {
        "results": "/r",
        "sites": [{"name": "oslo"}],
        "verify": [{"file": "live-talkdesk.toml", "rows": ["TD-INBOUND"]}],
    }
    made = plan.plan(Fleet.model_validate(fleet), EXAMPLES, {}, live=True)
    left = [case for shard in made.shards for case in shard.cases]
    record = Record(not_run={"oslo": left}, interrupted=why)
    finished = result.report(made, record, [], files=EXAMPLES, reports=tmp_path / "reports", work=tmp_path / "work")
    assert finished.summary.interrupted == f"{why}; {len(left)} cases were not run at any site"
    assert finished.summary.exit_code == 3
    code = CliRunner().invoke(application(), ["report", str(finished.directory)]).exit_code
    assert code == (130 if why == STOPPED else 3)


def test_what_was_not_run_is_reported_though_its_numbers_are_closed_by_then(
    tmp_path: Path, runs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the plan's cases the report found none any more, and said nothing of those that had passed."""
    fleet = {
        "results": "/r",
        "sites": [{"name": "oslo"}],
        "verify": [{"file": "live-large.toml", "rows": ["TD-INBOUND"]}, {"file": "live-talkdesk.toml"}],
    }
    monkeypatch.setenv(AS_OF_VARIABLE, "2026-03-04T15:00+00:00")
    made = plan.plan(Fleet.model_validate(fleet), EXAMPLES, {}, live=True)
    left = [case for shard in made.shards if shard.file == "live-large.toml" for case in shard.cases]
    run = runs.make_run(tmp_path / "work", rows=("HOLD",), deployment=runs.live().model_copy(update={"site": "oslo"}))
    accepted = Accepted(1, 1, "oslo", run.directory, tuple(case.id for case in run.cases))
    record = Record(accepted=[accepted], not_run={"oslo": left})

    monkeypatch.setenv(
        AS_OF_VARIABLE, "2026-03-08T03:00+00:00"
    )  # a night; a later controller may be told another moment
    total = result.report(
        made, record, [], files=EXAMPLES, reports=tmp_path / "reports", work=tmp_path / "work"
    ).summary.total
    assert (total.passed, total.broken) == (1, len(left))


def test_a_run_goes_on_from_anywhere_by_the_line_that_it_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It left out where files and reports are: what was not run had no file there, and there was no report."""
    monkeypatch.setattr(signal, "signal", MagicMock())
    monkeypatch.setattr(state, "State", redis := MagicMock())
    redis.return_value.ledger.return_value = []
    monkeypatch.setattr(controller, "Controller", control := MagicMock())
    monkeypatch.setenv(REDIS_VARIABLE, "redis://127.0.0.1:1/0")
    (tmp_path / "our files").symlink_to(EXAMPLES)
    (tmp_path / "fleet.toml").write_text(
        'results = "/r"\nsites = [{name = "a"}]\nverify = [{file = "live-talkdesk.toml", rows = ["TD-INBOUND"]}]'
    )
    (tmp_path / "elsewhere").mkdir()

    monkeypatch.chdir(tmp_path)
    control.return_value.run.side_effect = SystemExit  # it is killed
    options = ["--files", "our files", "--reports", "nights", "--live"]
    said = CliRunner().invoke(application(), ["fleet", "run", "fleet.toml", *options]).output
    program, *again = shlex.split(said.partition("if this is killed: ")[2])
    (directory,) = (tmp_path / "nights" / "fleet").iterdir()
    left = [case for shard in plan.read(directory).shards for case in shard.cases]
    control.return_value.run = MagicMock(return_value=Record(not_run={"a": left}))

    monkeypatch.chdir(tmp_path / "elsewhere")
    outcome = CliRunner().invoke(application(), again)
    assert (program, outcome.exit_code) == ("harness", 3), outcome
    assert json.loads((tmp_path / "nights" / "latest" / result.FILE).read_text())["not_run"] == {"a": left}
