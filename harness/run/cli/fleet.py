"""``harness fleet``: one run over several sites."""

from __future__ import annotations

import contextlib
import importlib.util
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.deployment.grants import Grants
from harness.errors import MistakeError, RefusedError, ResourceError
from harness.report.run_directory import STOPPED
from harness.report.terminal import show
from harness.run.cli.app import INTERRUPTED, Grant, Live, end_as_by_ctrl_c
from harness.run.cli.help import Group, group
from harness.run.plugin.options import live_is_allowed, live_refusal
from harness.support.files import own_directories
from harness.support.terminal import SafeConsole

if TYPE_CHECKING:
    from harness.report.run import FinishedRun
    from harness.run.fleet.controller import Record
    from harness.run.fleet.plan import FleetPlan

_Files = Annotated[
    Path, typer.Option("--files", metavar="DIR", help="Where the deployment files are.")
]
_Reports = Annotated[Path, typer.Option(metavar="DIR", help="Where the run leaves its results.")]


def _whole(scenarios: str) -> str:
    # a site resolves it in its shard's directory
    if scenarios and not Path(scenarios).is_absolute():
        raise MistakeError(
            f"--scenarios {scenarios}: is no whole path; allowed: one, the same at each site"
        )
    return scenarios


_Scenarios = Annotated[
    str,
    typer.Option(
        "--scenarios",
        metavar="DIR",
        callback=_whole,
        help="Other scenarios: a whole path, the same at each site.",
    ),
]


def _check_extra() -> None:
    needed = ("celery", "redis", "fsspec")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise ResourceError(
            f"{', '.join(missing)}: not installed; allowed: pip install 'FILE.whl[fleet]' with the wheel's file, "
            "or make .venv/.ready in a checkout"
        )


def show_plan(
    file: Annotated[Path, typer.Argument(metavar="FLEET.toml", help="The fleet's file.")],
    files: _Files = Path(),
    reports: _Reports = Path("reports"),
    grant: Grant = None,
) -> None:
    """Show a run's shards; place no call."""
    _check_extra()
    from harness.run.fleet import plan

    made = plan.plan(
        plan.read_fleet(file),
        files,
        plan.read_durations(reports / "fleet" / plan.DURATIONS),
        Grants.given(grant),
        live=False,
    )
    cases, total = 0, 0.0
    for shard in made.shards:
        cases += len(shard.cases)
        total += shard.seconds
        where = shard.sites[0] if len(shard.sites) == 1 else f"any of {', '.join(shard.sites)}"
        size = f"{shard.seconds:8.1f} s  {len(shard.cases):5} cases"
        typer.echo(f"{size}  {shard.deployment}  at {where}")
    workers = sum(site.workers for site in made.fleet.sites)
    all_of_it = f"{len(made.shards)} shards, {cases} cases, {total:.0f} s of cases"
    typer.echo(f"{all_of_it}; {workers} workers: {total / workers:.0f} s at best")


def work(
    site: Annotated[str, typer.Option(metavar="NAME", help="The site this is.")],
    files: _Files = Path(),
    scratch: Annotated[
        Path | None, typer.Option(metavar="DIR", help="For what is under way.")
    ] = None,
    live: Live = False,
    grant: Grant = None,
    scenarios: _Scenarios = "",
) -> None:
    """Work for a site, until it is asked to end (SIGTERM: when its shard is done)."""
    _check_extra()
    from harness.run.fleet import worker

    Grants.given(grant)  # a wrong word is said now, not with the first shard
    rules = worker.SiteRules(files.resolve(), live_is_allowed(live), scenarios, tuple(grant or ()))
    worker.work(site, rules, (scratch or own_directories.temporary()).resolve())


def run(
    file: Annotated[
        Path | None, typer.Argument(metavar="FLEET.toml", help="The fleet's file.")
    ] = None,
    files: _Files = Path(),
    reports: _Reports = Path("reports"),
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Go on with a run whose controller was killed (reports/fleet/RUN)."
        ),
    ] = None,
    live: Live = False,
    grant: Grant = None,
    scenarios: _Scenarios = "",
) -> None:
    """Verify over all sites, and make one report. The exit code is the run's."""
    _check_extra()
    from harness.run.fleet import plan, result, worker
    from harness.run.fleet.controller import Controller
    from harness.run.fleet.state import State, redis_address

    end_as_by_ctrl_c()
    console = SafeConsole(soft_wrap=True)
    files, reports = files.absolute(), reports.absolute()
    kept = reports / "fleet"
    live, grants = live_is_allowed(live), Grants.given(grant)
    if resume is not None:
        made = plan.read(resume)
    elif file is not None:
        fleet = plan.read_fleet(file)
        known = plan.read_durations(kept / plan.DURATIONS)
        made = plan.plan(fleet, files, known, grants, live=live, scenarios=scenarios)
    else:
        raise RefusedError("what to run is missing; allowed: FLEET.toml, or --resume DIR")
    _check_live(made, live)
    directory = resume or kept / made.run
    state = State(redis_address())
    with contextlib.closing(state):
        controller = Controller(made, directory, state, worker.application(), console.say)
        if resume is None:
            made.write(directory)
            controller.begin()
            again = _resuming(directory, files, reports, made.live)
            console.say(f"run {made.run}; if this is killed: {again}")
        else:
            controller.resume()
        record = controller.run()
        ledger = state.ledger(made.run)
    finished = result.report(
        made, record, ledger, files=files, reports=reports, work=directory, grants=grants
    )
    measured = ((case.id, case.wall_s) for case in finished.evidence.cases)
    plan.write_durations(kept / plan.DURATIONS, measured)
    _show_result(console, finished, record, ledger)
    if record.interrupted == STOPPED:
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(finished.summary.exit_code)


def _resuming(directory: Path, files: Path, reports: Path, live: bool) -> str:
    """The command that resumes a run."""
    words = ["harness", "fleet", "run"]
    words += ["--resume", str(directory), "--files", str(files), "--reports", str(reports)]
    if live:
        words.append("--live")
    return shlex.join(words)


def _show_result(
    console: SafeConsole, finished: FinishedRun, record: Record, ledger: Sequence[Mapping[str, Any]]
) -> None:
    """Print the run's result, then what the fleet did twice or not at all."""
    from harness.run.fleet import result

    show(finished.summary, finished.groups, console, run=finished.directory, past=finished.past)
    for again in result.placed_again(ledger):
        sites = [f"{one['calls']} calls from {one['site']}" for one in again["attempts"]]
        console.say(f"PLACED AGAIN: {again['case']}: {', then '.join(sites)}")
    for at, cases in record.not_run.items():
        console.say(f"NOT RUN: {len(cases)} cases meant for {at}")
    files = {**finished.files, "fleet": finished.directory / result.FILE}
    for name, path in files.items():
        console.say(f"{name:14} {path}")
    for note in finished.notes:
        console.say(note)


def _check_live(made: FleetPlan, live: bool) -> None:
    real = sorted({(shard.file, shard.kind) for shard in made.shards if shard.kind != "simulated"})
    if real and not live:
        raise live_refusal(*real[0])


fleet_app = group(
    Group,
    "One run over several sites (docs/fleet.md).",
    plan=(show_plan, "harness fleet plan fleet.toml"),
    work=(work, "harness fleet work --site ams"),
    run=(run, "harness fleet run fleet.toml"),
)
